-- The first schema. Instants are milliseconds UTC; bodies are opaque to the store.
--
-- Tables that grow by large rows (runs, journal, events, inbox) keep the rowid, so that new rows are appended
-- and a commit writes few pages; small rows that are looked up by their key are stored WITHOUT ROWID.

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    next_at INTEGER,
    calling INTEGER NOT NULL,
    labels TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    retry_of TEXT NOT NULL,
    fault_title TEXT NOT NULL,
    state_version INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
CREATE INDEX runs_due ON runs (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX runs_calling ON runs (id) WHERE calling = 1;
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_workflow ON runs (namespace, name, id);

CREATE TABLE run_labels (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (key, value, run_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX run_labels_by_run ON run_labels (run_id);

CREATE TABLE journal (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (run_id, seq)
) STRICT;

CREATE TABLE run_values (
    run_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, digest)
) WITHOUT ROWID, STRICT;

CREATE TABLE checkpoints (
    run_id TEXT NOT NULL,
    state_version INTEGER NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (run_id, state_version)
) STRICT;

CREATE TABLE start_keys (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (namespace, name, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX start_keys_by_run ON start_keys (run_id);

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    routed INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (source, id)
) STRICT;
CREATE INDEX events_by_type ON events (type, seq);
CREATE INDEX events_of_run ON events (run_id) WHERE run_id <> '';
CREATE INDEX events_unrouted ON events (seq) WHERE routed = 0;
CREATE INDEX events_expiring ON events (expires_at) WHERE routed = 1;

CREATE TABLE deliveries (
    event_seq INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (event_seq, run_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX deliveries_to_run ON deliveries (run_id);

CREATE TABLE subscriptions (
    run_id TEXT NOT NULL,
    entry INTEGER NOT NULL,
    filter INTEGER NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, entry, filter)
) WITHOUT ROWID, STRICT;
CREATE INDEX subscriptions_by_topic ON subscriptions (topic, key);

CREATE TABLE workflows (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    definition BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    resources BLOB NOT NULL,
    metadata BLOB NOT NULL,
    source_text TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, version)
) STRICT;

CREATE TABLE tools (
    name TEXT NOT NULL PRIMARY KEY,
    capability TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) WITHOUT ROWID, STRICT;

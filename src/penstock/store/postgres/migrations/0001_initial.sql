-- The first schema. Instants are milliseconds UTC; bodies are opaque to the store.
--
-- Text compares byte by byte (COLLATE "C"), whatever the database's own collation: pages continue where the last
-- one ended, and prefixes are ranges. `partition` (0 to 63, from the run's id) is for nodes that will share a
-- database; nothing reads it yet.

CREATE TABLE engine_owner (
    one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL
);

CREATE TABLE runs (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    partition smallint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    next_at bigint,
    calling boolean NOT NULL,
    labels text COLLATE "C" NOT NULL,
    parent_id text COLLATE "C" NOT NULL,
    retry_of text COLLATE "C" NOT NULL,
    fault_title text COLLATE "C" NOT NULL,
    state_version bigint NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 70); -- room beside each run for its next version
CREATE INDEX runs_due ON runs (next_at, id) WHERE next_at IS NOT NULL;
CREATE INDEX runs_calling ON runs (id) WHERE calling;
CREATE INDEX runs_by_status ON runs (status, id);
CREATE INDEX runs_by_workflow ON runs (namespace, name, id);
CREATE INDEX runs_ended ON runs (namespace, name, ended_at, id) WHERE ended_at <> 0;

CREATE TABLE run_labels (
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (key, value, run_id)
);
CREATE INDEX run_labels_by_run ON run_labels (run_id);

CREATE TABLE journal (
    run_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE run_values (
    run_id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, digest)
);

CREATE TABLE checkpoints (
    run_id text COLLATE "C" NOT NULL,
    state_version bigint NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (run_id, state_version)
);

CREATE TABLE start_keys (
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_hash bytea NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (namespace, name, key)
);
CREATE INDEX start_keys_by_run ON start_keys (run_id);

CREATE TABLE inbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition smallint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE events (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    expires_at bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    routed boolean NOT NULL DEFAULT false,
    body bytea NOT NULL,
    UNIQUE (source, id)
);
CREATE INDEX events_by_type ON events (type, seq);
CREATE INDEX events_of_run ON events (run_id) WHERE run_id <> '';
CREATE INDEX events_unrouted ON events (seq) WHERE NOT routed;
CREATE INDEX events_expiring ON events (expires_at) WHERE routed;

CREATE TABLE deliveries (
    event_seq bigint NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (event_seq, run_id)
);
CREATE INDEX deliveries_to_run ON deliveries (run_id);

CREATE TABLE subscriptions (
    run_id text COLLATE "C" NOT NULL,
    entry bigint NOT NULL,
    filter bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, entry, filter)
);
CREATE INDEX subscriptions_by_topic ON subscriptions (topic, key);

CREATE TABLE workflows (
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    definition bytea NOT NULL,
    content_hash bytea NOT NULL,
    resources bytea NOT NULL,
    metadata bytea NOT NULL,
    source_text text COLLATE "C" NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (namespace, name, version)
);

CREATE TABLE tools (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    capability text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    body bytea NOT NULL
);

CREATE TABLE secrets (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    sealed bytea NOT NULL
);

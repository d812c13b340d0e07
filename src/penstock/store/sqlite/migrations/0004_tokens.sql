-- API tokens. `digest` is the SHA-256 of a token, which itself is nowhere; instants are 0 for never.
--
-- `scopes` and `namespaces` are names with blanks between them, and `*` for all namespaces.

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    scopes TEXT NOT NULL,
    namespaces TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

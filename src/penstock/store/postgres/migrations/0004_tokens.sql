-- API tokens. `digest` is the SHA-256 of a token, which itself is nowhere; instants are 0 for never.
--
-- `scopes` and `namespaces` are names with blanks between them, and `*` for all namespaces.

CREATE TABLE tokens (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    scopes text COLLATE "C" NOT NULL,
    namespaces text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    last_used_at bigint NOT NULL,
    revoked_at bigint NOT NULL
);

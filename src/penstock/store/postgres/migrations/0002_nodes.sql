-- Several engines over one schema: the members, and who holds which partition. Instants are the server's clock, in
-- milliseconds UTC.
--
-- The row of a member is its fence: a transaction that moves runs holds a key lock on it, and expelling a member is
-- deleting the row, which frees its partitions in the same transaction.

CREATE TABLE nodes (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    name text COLLATE "C" NOT NULL,
    engine boolean NOT NULL,
    session bigint NOT NULL, -- the advisory lock that its connection holds while it lasts
    joined_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    until bigint NOT NULL
) WITH (fillfactor = 50); -- few rows that are updated again and again

CREATE TABLE partitions (
    partition smallint NOT NULL PRIMARY KEY CHECK (partition BETWEEN 0 AND 63),
    owner text COLLATE "C" REFERENCES nodes (id) ON DELETE SET NULL,
    epoch bigint NOT NULL DEFAULT 0, -- how often it was taken
    routed_seq bigint NOT NULL DEFAULT 0 -- events up to this one have been brought to the listeners in it
) WITH (fillfactor = 50);

-- What was routed before an event that was not is done; what lies beyond it is looked at again, which is harmless.
INSERT INTO partitions (partition, routed_seq)
SELECT number, coalesce((SELECT max(seq) FROM events
                         WHERE seq < coalesce((SELECT min(seq) FROM events WHERE NOT routed), 9223372036854775807)), 0)
FROM generate_series(0, 63) AS number;

-- The partition of a run: the last two hexadecimal digits of its id, modulo 64; 0 for an id that ends otherwise.
ALTER TABLE subscriptions ADD COLUMN partition smallint;
UPDATE subscriptions
SET partition = CASE WHEN right(run_id, 2) ~ '^[0-9a-fA-F]{2}$'
                THEN ('x' || right(run_id, 2))::bit(8)::integer % 64 ELSE 0 END;
ALTER TABLE subscriptions ALTER COLUMN partition SET NOT NULL;

-- No index leads with the partition: `runs_due` must give the earliest of all that are held in one look, `runs_calling`
-- and the inbox hold only what is under way, and each index more would cost every turn.

-- An engine that knows one owner only can write nothing more.
DROP TABLE engine_owner;

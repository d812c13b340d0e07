-- What moving asks a SQLite database about itself.

-- name: tables
SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'

-- name: columns
SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid

-- name: unique_key
-- The columns of a unique constraint, for a table that has no primary key.
SELECT name FROM pragma_index_info((SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial LIMIT 1))
ORDER BY seqno

-- name: last_number
SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?

-- name: routed_until
SELECT seq FROM routing WHERE one = 1

-- name: route_after
UPDATE routing SET seq = ? WHERE one = 1

-- name: forget_number
DELETE FROM sqlite_sequence WHERE name = ?

-- name: number_after
INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)

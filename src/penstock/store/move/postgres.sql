-- What moving asks a schema of PostgreSQL about itself.

-- name: columns
SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attidentity <> ''
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum

-- name: keys
SELECT c.relname, a.attname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indrelid
CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS part (attnum, at)
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = part.attnum
WHERE c.relnamespace = to_regnamespace($1) AND i.indisprimary
ORDER BY c.relname, part.at

-- name: last_number
SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(format('%I.%I', $1::text, $2::text), $3)::regclass), 0)

-- name: routed_until
SELECT coalesce(min(routed_seq), 0) FROM partitions

-- name: route_after
UPDATE partitions SET routed_seq = $1

-- name: number_after
SELECT setval(pg_get_serial_sequence(format('%I.%I', $1::text, $2::text), $3)::regclass, greatest($4::bigint, 1), $4 > 0)

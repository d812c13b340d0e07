-- What must be empty when every run has ended, by the rule that it would break.

-- name: inbox_rows
SELECT seq, run_id FROM inbox

-- name: listeners
SELECT run_id, entry, topic FROM subscriptions

-- name: deadlines
SELECT id, next_at FROM runs WHERE next_at IS NOT NULL

-- name: calls
SELECT id FROM runs WHERE calling

-- name: unrouted_events
SELECT seq, type FROM events WHERE seq > (SELECT seq FROM routing)

-- name: inbox_seqs
SELECT seq FROM inbox ORDER BY seq

-- name: inbox_row
SELECT run_id, body FROM inbox WHERE seq = ?

-- name: insert_numbered
-- As `insert_inbox` of the store, with numbers that were taken before.
INSERT INTO inbox (seq, run_id, body) VALUES (?, ?, ?) ...

-- name: event_seq
SELECT seq FROM events WHERE source = ? AND id = ?

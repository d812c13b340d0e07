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

-- name: inbox_after
SELECT seq, run_id, body FROM inbox WHERE seq > ? ORDER BY seq

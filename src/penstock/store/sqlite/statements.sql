-- Every statement of the SQLite store, by name. A row of placeholders followed by `...` is repeated for as many
-- rows as one execution writes (penstock/store/statements.py). Pairs are looked for by `IN (SELECT … FROM (VALUES …))`:
-- by `IN (VALUES …)` alone, more than one pair makes SQLite read the whole table.

-- name: insert_runs
INSERT INTO runs (id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels,
                  parent_id, retry_of, fault_title, state_version, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ...
ON CONFLICT (id) DO NOTHING

-- name: update_runs
-- Columns of VALUES have no other names in SQLite. The last term is the fence.
UPDATE runs
SET state_version = column3, status = column4, updated_at = column5, ended_at = column6, next_at = column7,
    calling = column8, fault_title = column9, state = column10
FROM (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ...)
WHERE id = column1 AND state_version = column2

-- name: insert_labels
INSERT INTO run_labels (key, value, run_id) VALUES (?, ?, ?) ...

-- name: insert_start_keys
INSERT INTO start_keys (namespace, name, key, body_hash, run_id) VALUES (?, ?, ?, ?, ?) ...
ON CONFLICT (namespace, name, key) DO NOTHING

-- name: insert_journal
INSERT INTO journal (run_id, seq, at, body) VALUES (?, ?, ?, ?) ...

-- name: insert_values
INSERT INTO run_values (run_id, digest, body) VALUES (?, ?, ?) ...
ON CONFLICT (run_id, digest) DO NOTHING

-- name: insert_checkpoints
INSERT INTO checkpoints (run_id, state_version, state) VALUES (?, ?, ?) ...
ON CONFLICT (run_id, state_version) DO UPDATE SET state = excluded.state

-- name: insert_inbox
INSERT INTO inbox (run_id, body) VALUES (?, ?) ...

-- name: delete_inbox
DELETE FROM inbox WHERE seq IN (SELECT value FROM json_each(?))

-- name: insert_subscriptions
INSERT INTO subscriptions (run_id, entry, filter, topic, key, body) VALUES (?, ?, ?, ?, ?, ?) ...
ON CONFLICT (run_id, entry, filter) DO UPDATE SET topic = excluded.topic, key = excluded.key, body = excluded.body

-- name: delete_subscriptions
DELETE FROM subscriptions WHERE (run_id, entry) IN (SELECT column1, column2 FROM (VALUES (?, ?) ...))

-- name: delete_subscriptions_of_runs
DELETE FROM subscriptions WHERE run_id IN (SELECT value FROM json_each(?))

-- name: start_key
SELECT namespace, name, key, body_hash, run_id FROM start_keys WHERE namespace = ? AND name = ? AND key = ?

-- name: load_run
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title, state_version, state
FROM runs WHERE id = ?

-- name: load_value
SELECT body FROM run_values WHERE run_id = ? AND digest = ?

-- name: due_runs
SELECT id, next_at FROM runs WHERE next_at <= ? ORDER BY next_at, id LIMIT ?

-- name: next_due_at
SELECT min(next_at) FROM runs WHERE next_at > ?

-- name: calling_runs
SELECT id FROM runs WHERE calling = 1 AND id > ? ORDER BY id LIMIT ?

-- name: inbox
SELECT seq, run_id, body FROM inbox WHERE seq > ? ORDER BY seq LIMIT ?

-- name: inbox_rows
SELECT seq, run_id, body FROM inbox WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq

-- name: list_runs
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs
WHERE id < :before AND id >= :lowest
  AND (:namespace IS NULL OR +namespace = :namespace) AND (:name IS NULL OR +name = :name)
  AND (:status IS NULL OR +status = :status)
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
ORDER BY id DESC LIMIT :limit

-- name: list_runs_by_status
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs INDEXED BY runs_by_status
WHERE status = :status AND id < :before AND id >= :lowest
  AND (:namespace IS NULL OR namespace = :namespace) AND (:name IS NULL OR name = :name)
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
ORDER BY id DESC LIMIT :limit

-- name: list_runs_by_workflow
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs INDEXED BY runs_by_workflow
WHERE namespace = :namespace AND name = :name AND id < :before AND id >= :lowest
  AND (:status IS NULL OR status = :status)
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
ORDER BY id DESC LIMIT :limit

-- name: list_runs_by_label
-- One label leads through its index; :labels (JSON) are the others, each of which the run must have.
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM run_labels AS leading CROSS JOIN runs ON runs.id = leading.run_id
WHERE leading.key = :label_key AND leading.value = :label_value
  AND leading.run_id < :before AND leading.run_id >= :lowest
  AND (:namespace IS NULL OR namespace = :namespace) AND (:name IS NULL OR name = :name)
  AND (:status IS NULL OR status = :status)
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
  AND NOT EXISTS (
      SELECT 1 FROM json_each(:labels) AS wanted
      WHERE NOT EXISTS (
          SELECT 1 FROM run_labels AS held
          WHERE held.key = wanted.key AND held.value = wanted.value AND held.run_id = leading.run_id))
ORDER BY leading.run_id DESC LIMIT :limit

-- name: journal
SELECT seq, at, body FROM journal WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?

-- name: journal_tail
SELECT seq, at, body FROM journal WHERE run_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?

-- name: checkpoint
SELECT state_version, state FROM checkpoints WHERE run_id = ? AND state_version <= ?
ORDER BY state_version DESC LIMIT 1

-- name: ended_runs
SELECT id FROM runs
WHERE id IN (SELECT value FROM json_each(?)) AND status IN ('cancelled', 'faulted', 'completed')

-- name: ended_runs_of_workflow
-- The row that ends the comparison is the newest of those that do not belong to the :keep newest; without one, none go.
SELECT ended_at, id FROM runs INDEXED BY runs_ended
WHERE namespace = :namespace AND name = :name AND ended_at <> 0
  AND (ended_at, id) > (:after_at, :after_id) AND ended_at < :before
  AND (ended_at, id) <= (
      SELECT ended_at, id FROM runs INDEXED BY runs_ended
      WHERE namespace = :namespace AND name = :name AND ended_at <> 0
      ORDER BY ended_at DESC, id DESC LIMIT 1 OFFSET :keep)
  AND NOT EXISTS (SELECT 1 FROM runs AS parent WHERE parent.id = runs.parent_id AND parent.ended_at = 0)
ORDER BY ended_at, id LIMIT :limit

-- name: ended_workflows
-- Hops from workflow to workflow over the index instead of reading every run.
WITH RECURSIVE hops (namespace, name, hop) AS (
    SELECT :namespace, :name, 0
    UNION ALL
    SELECT following.namespace, following.name, hops.hop + 1
    FROM hops CROSS JOIN runs AS following ON following.rowid = (
        SELECT next_one.rowid FROM runs AS next_one INDEXED BY runs_ended
        WHERE next_one.ended_at <> 0 AND (next_one.namespace, next_one.name) > (hops.namespace, hops.name)
        ORDER BY next_one.namespace, next_one.name LIMIT 1)
    LIMIT :limit + 1
)
SELECT namespace, name FROM hops WHERE hop > 0

-- name: delete_runs
DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))

-- name: delete_labels_of_runs
DELETE FROM run_labels WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_journal_of_runs
DELETE FROM journal WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_values_of_runs
DELETE FROM run_values WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_checkpoints_of_runs
DELETE FROM checkpoints WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_start_keys_of_runs
DELETE FROM start_keys WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_inbox_of_runs
-- A scan on purpose: the inbox holds only what waits, and an index would cost every message.
DELETE FROM inbox WHERE run_id IN (SELECT value FROM json_each(?))

-- name: delete_deliveries_to_runs
DELETE FROM deliveries WHERE run_id IN (SELECT value FROM json_each(?))

-- name: known_events
SELECT source, id FROM events WHERE (source, id) IN (SELECT column1, column2 FROM (VALUES (?, ?) ...))

-- name: insert_events
INSERT INTO events (source, id, type, subject, at, expires_at, run_id, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ...

-- name: insert_deliveries
INSERT INTO deliveries (event_seq, run_id) VALUES (?, ?) ...
ON CONFLICT (event_seq, run_id) DO NOTHING
RETURNING event_seq, run_id

-- name: events_after
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?

-- name: routed_until
SELECT seq FROM routing WHERE one = 1

-- name: keep_routed
UPDATE routing SET seq = :seq WHERE one = 1 AND seq < :seq

-- name: events_since
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq > :after_seq AND expires_at > :now ORDER BY seq LIMIT :limit

-- name: events_since_of_type
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events INDEXED BY events_by_type
WHERE type = :type AND seq > :after_seq AND expires_at > :now ORDER BY seq LIMIT :limit

-- name: list_events
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq < :beyond
  AND (:type IS NULL OR +type = :type) AND (:source IS NULL OR +source = :source)
  AND (:subject IS NULL OR subject = :subject)
ORDER BY seq DESC LIMIT :limit

-- name: list_events_of_type
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events INDEXED BY events_by_type
WHERE type = :type AND seq < :beyond
  AND (:source IS NULL OR source = :source) AND (:subject IS NULL OR subject = :subject)
ORDER BY seq DESC LIMIT :limit

-- name: list_events_of_run
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq IN (SELECT seq FROM events INDEXED BY events_of_run WHERE run_id = :run AND run_id <> ''
              UNION SELECT event_seq FROM deliveries WHERE run_id = :run)
  AND seq > :beyond
  AND (:type IS NULL OR +type = :type) AND (:source IS NULL OR +source = :source)
  AND (:subject IS NULL OR subject = :subject)
ORDER BY seq LIMIT :limit

-- name: event
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events WHERE source = ? AND id = ?

-- name: delivered_to
SELECT run_id FROM deliveries WHERE event_seq = ? ORDER BY run_id LIMIT ?

-- name: expired_events
SELECT seq FROM events INDEXED BY events_expiring
WHERE expires_at <= ? AND seq <= (SELECT seq FROM routing WHERE one = 1) ORDER BY expires_at LIMIT ?

-- name: delete_events
DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))

-- name: delete_deliveries_of_events
DELETE FROM deliveries WHERE event_seq IN (SELECT value FROM json_each(?))

-- name: subscriptions
SELECT run_id, entry, filter, topic, key, body FROM subscriptions
WHERE (topic, key) IN (SELECT column1, column2 FROM (VALUES (?, ?) ...))

-- name: subscriptions_of
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE run_id = ? ORDER BY entry, filter

-- name: subscriptions_to
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE topic = ?
ORDER BY key, run_id, entry, filter LIMIT ?

-- name: subscriptions_to_key
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE topic = ? AND key = ?
ORDER BY run_id, entry, filter LIMIT ?

-- name: subscription_topics
-- Hops from topic to topic over the index instead of reading every subscription.
WITH RECURSIVE topics (topic) AS (
    SELECT min(topic) FROM subscriptions
    UNION ALL
    SELECT (SELECT min(topic) FROM subscriptions WHERE topic > topics.topic) FROM topics
    WHERE topics.topic IS NOT NULL
)
SELECT topic FROM topics WHERE topic IS NOT NULL

-- name: put_workflow
-- The same content again makes a deleted version visible again.
INSERT INTO workflows (namespace, name, version, created_at, definition, content_hash, resources, metadata,
                       source_text, deleted)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
ON CONFLICT (namespace, name, version) DO UPDATE SET deleted = 0
WHERE content_hash = excluded.content_hash AND deleted = 1

-- name: get_workflow
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = ? AND name = ? AND version = ? AND deleted = 0

-- name: get_workflow_for_runs
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = ? AND name = ? AND version = ?

-- name: workflow_versions
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = ? AND name = ? AND deleted = 0

-- name: list_workflows
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows
WHERE (namespace, name, version) > (?, ?, ?) AND deleted = 0
ORDER BY namespace, name, version LIMIT ?

-- name: list_workflows_of_namespace
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows
WHERE namespace = ? AND (name, version) > (?, ?) AND deleted = 0
ORDER BY namespace, name, version LIMIT ?

-- name: delete_workflow
UPDATE workflows SET deleted = 1 WHERE namespace = ? AND name = ? AND version = ? AND deleted = 0

-- name: put_tool
INSERT INTO tools (name, capability, created_at, updated_at, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET capability = excluded.capability, updated_at = excluded.updated_at, body = excluded.body

-- name: list_tools
SELECT name, capability, created_at, updated_at, body FROM tools ORDER BY name

-- name: delete_tool
DELETE FROM tools WHERE name = ?

-- name: put_secret
INSERT INTO secrets (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed

-- name: get_secrets
SELECT name, sealed FROM secrets ORDER BY name

-- name: delete_secret
DELETE FROM secrets WHERE name = ?

-- name: put_token
INSERT INTO tokens (id, name, digest, scopes, namespaces, created_at, expires_at, last_used_at, revoked_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, scopes = excluded.scopes, namespaces = excluded.namespaces,
    expires_at = excluded.expires_at,
    revoked_at = CASE WHEN tokens.revoked_at = 0 THEN excluded.revoked_at ELSE tokens.revoked_at END

-- name: list_tokens
SELECT id, name, digest, scopes, namespaces, created_at, expires_at, last_used_at, revoked_at
FROM tokens ORDER BY id

-- name: touch_token
UPDATE tokens SET last_used_at = max(last_used_at, ?) WHERE id = ?

-- name: delete_token
DELETE FROM tokens WHERE id = ?

-- name: free_pages
PRAGMA freelist_count

-- name: all_pages
PRAGMA page_count

-- name: vacuum_mode
PRAGMA auto_vacuum

-- name: release_page
-- One page for each execution: the module steps a statement without columns once.
PRAGMA incremental_vacuum(1)

-- name: insert_work
-- A token is never given twice, so what replaces has no lower one.
INSERT INTO work (call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at,
                  holder, reason, event)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ...
ON CONFLICT (call_id, tool) DO UPDATE
SET run_id = excluded.run_id, capability = excluded.capability, kind = excluded.kind, state = excluded.state,
    token = max(token, excluded.token), attempts = excluded.attempts, due_at = excluded.due_at,
    created_at = excluded.created_at, deadline_at = excluded.deadline_at, holder = excluded.holder,
    reason = excluded.reason, event = excluded.event

-- name: delete_work
DELETE FROM work WHERE call_id IN (SELECT value FROM json_each(?))

-- name: delete_work_of_tools
DELETE FROM work WHERE (call_id, tool) IN (SELECT column1, column2 FROM (VALUES (?, ?) ...))

-- name: delete_work_of_runs
DELETE FROM work WHERE run_id IN (SELECT value FROM json_each(?))

-- name: work_to_lease
-- Two looks along the index, so that leases that last are not read; up to :limit rows of each.
SELECT * FROM (
    SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder,
           reason, event
    FROM work INDEXED BY work_of_tool
    WHERE tool = :tool AND state = 'leased' AND due_at <= :now AND kind = 'pull'
    ORDER BY due_at, call_id LIMIT :limit)
UNION ALL
SELECT * FROM (
    SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder,
           reason, event
    FROM work INDEXED BY work_of_tool
    WHERE tool = :tool AND state = 'waiting' AND due_at <= :now AND kind = 'pull'
    ORDER BY due_at, call_id LIMIT :limit)

-- name: lease_work
UPDATE work SET state = 'leased', token = token + 1, attempts = attempts + 1, due_at = :until, holder = :holder
WHERE call_id IN (SELECT value FROM json_each(:calls)) AND tool = :tool

-- name: next_work_at
SELECT min(due_at) FROM (
    SELECT * FROM (
        SELECT due_at FROM work INDEXED BY work_of_tool
        WHERE tool = :tool AND state = 'leased' AND kind = 'pull' ORDER BY due_at LIMIT 1)
    UNION ALL
    SELECT * FROM (
        SELECT due_at FROM work INDEXED BY work_of_tool
        WHERE tool = :tool AND state = 'waiting' AND kind = 'pull' ORDER BY due_at LIMIT 1))

-- name: renew_work
UPDATE work SET due_at = ? WHERE call_id = ? AND tool = ? AND token = ? AND state = 'leased'

-- name: return_work
UPDATE work SET state = 'waiting', due_at = coalesce(?, created_at), holder = ''
WHERE call_id = ? AND tool = ? AND token = ? AND state = 'leased'

-- name: push_due
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work INDEXED BY work_to_push
WHERE kind = 'push' AND state = 'waiting' AND due_at <= ? ORDER BY due_at, call_id, tool LIMIT ?

-- name: next_push_at
SELECT min(due_at) FROM work INDEXED BY work_to_push WHERE kind = 'push' AND state = 'waiting'

-- name: push_result
UPDATE work SET state = ?, attempts = ?, due_at = ?, reason = ?
WHERE call_id = ? AND tool = ? AND kind = 'push' AND state = 'waiting' AND attempts = ? - 1

-- name: list_work
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work INDEXED BY work_by_age
WHERE (created_at, call_id, tool) > (:created_at, :call_id, :after_tool)
  AND (:tool IS NULL OR tool = :tool) AND (:state IS NULL OR state = :state)
ORDER BY created_at, call_id, tool LIMIT :limit

-- name: list_dead_work
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work INDEXED BY work_dead
WHERE state = 'dead' AND (created_at, call_id, tool) > (:created_at, :call_id, :after_tool)
  AND (:tool IS NULL OR tool = :tool)
ORDER BY created_at, call_id, tool LIMIT :limit

-- name: redeliver
UPDATE work SET state = 'waiting', attempts = 0, due_at = created_at, holder = '', reason = ''
WHERE tool = :tool AND state = 'dead' AND (:call_id IS NULL OR call_id = :call_id)

-- name: count_work
-- Reads the whole index, on purpose.
SELECT tool, state, count(*) FROM work INDEXED BY work_of_tool GROUP BY tool, state

-- Every statement of the PostgreSQL store, by name. One execution carries any number of rows, as one array for each
-- column: the text of a statement never changes, so each connection prepares it once.

-- name: take_lock
SELECT pg_advisory_lock($1)

-- name: lock_holder
SELECT a.pid, coalesce(host(a.client_addr), 'this machine') AS client
FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = $1
LIMIT 1

-- name: share_lock
SELECT pg_advisory_lock_shared($1)

-- name: limit_idle
SELECT set_config('idle_in_transaction_session_timeout', $1, false)

-- name: fence
-- Which partitions this node holds, one bit for each; no row when it was expelled. The key lock lasts until COMMIT:
-- whoever expels this node waits for it, or comes back later. Renewing a lease does not wait.
SELECT (SELECT coalesce(bit_or(1::bigint << partition), 0) FROM partitions WHERE owner = nodes.id)
FROM nodes WHERE id = $1 FOR KEY SHARE

-- name: await_node
-- Waits for a transaction that a lost connection may have left behind.
SELECT 1 FROM nodes WHERE id = $1 FOR UPDATE

-- name: lock_members
SELECT pg_advisory_xact_lock($1)

-- name: members
-- A member is connected as long as its session holds its lock. A server that has just started says nothing about that.
SELECT id, name, engine, joined_at, seen_at, until,
       ARRAY (SELECT partition FROM partitions WHERE owner = nodes.id) AS held,
       session IN (SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
                   WHERE locktype = 'advisory' AND granted AND objsubid = 1
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
           OR pg_postmaster_start_time() > clock_timestamp() - make_interval(secs => $1::bigint / 1000.0) AS connected,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM nodes ORDER BY number

-- name: insert_node
-- The number is never given twice; the random part keeps ids apart from those before a restored backup.
INSERT INTO nodes (number, id, name, engine, session, joined_at, seen_at, until)
OVERRIDING SYSTEM VALUE
SELECT number, number::text || '-' || left(md5(gen_random_uuid()::text), 8), $1, $2, $3, now, now, now + $4
FROM (SELECT nextval(pg_get_serial_sequence('nodes', 'number')) AS number,
             (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS given
RETURNING id

-- name: renew_node
UPDATE nodes SET seen_at = clock.now, until = clock.now + $2
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now) AS clock
WHERE id = $1

-- name: attach_node
UPDATE nodes SET session = $2 WHERE id = $1

-- name: expel_nodes
-- Those that renewed since they were looked at stay; those in a transaction that may still commit wait for next time.
DELETE FROM nodes WHERE id IN (
    SELECT nodes.id FROM nodes JOIN unnest($1::text[], $2::bigint[]) AS gone (id, seen_at)
        ON nodes.id = gone.id AND nodes.seen_at = gone.seen_at
    FOR UPDATE OF nodes SKIP LOCKED)

-- name: name_session
-- By which others know whose session it is.
SELECT set_config('application_name', $1, false)

-- name: end_sessions
-- Of members that are gone, those that have been in a transaction for too long. The server ends idle ones by itself;
-- a session is not idle to it while a statement that was begun is not whole, and a node can freeze just then.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = ANY ($1::text[])
  AND xact_start < clock_timestamp() - make_interval(secs => $2::bigint / 1000.0)

-- name: take_partitions
UPDATE partitions SET owner = $1, epoch = epoch + 1 WHERE partition = ANY ($2::smallint[]) AND owner IS NULL

-- name: release_partitions
UPDATE partitions SET owner = NULL WHERE partition = ANY ($2::smallint[]) AND owner = $1

-- name: delete_node
DELETE FROM nodes WHERE id = $1

-- name: tell
-- Notices need not survive a crash of the server, so nobody waits for its disk.
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload) FROM unnest($2::text[]) AS payload

-- name: insert_runs
INSERT INTO runs (id, partition, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling,
                  labels, parent_id, retry_of, fault_title, state_version, state)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::boolean[], $12::text[], $13::text[], $14::text[],
                     $15::text[], $16::bigint[], $17::bytea[])
ON CONFLICT (id) DO NOTHING
RETURNING id

-- name: update_runs
-- The last term is the fence: a run in another version is not among the returned.
UPDATE runs
SET state_version = turn.version, status = turn.status, updated_at = turn.updated_at, ended_at = turn.ended_at,
    next_at = turn.next_at, calling = turn.calling, fault_title = turn.fault_title, state = turn.state
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
            $8::boolean[], $9::text[], $10::bytea[])
    AS turn (id, expected, version, status, updated_at, ended_at, next_at, calling, fault_title, state)
WHERE runs.id = turn.id AND runs.state_version = turn.expected
RETURNING runs.id

-- name: insert_labels
INSERT INTO run_labels (key, value, run_id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])

-- name: taken_start_keys
SELECT namespace, name, key FROM start_keys
WHERE (namespace, name, key) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))

-- name: insert_start_keys
INSERT INTO start_keys (namespace, name, key, body_hash, run_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])
ON CONFLICT (namespace, name, key) DO NOTHING

-- name: insert_journal
INSERT INTO journal (run_id, seq, at, body) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[])

-- name: insert_values
INSERT INTO run_values (run_id, digest, body) SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
ON CONFLICT (run_id, digest) DO NOTHING

-- name: insert_checkpoints
INSERT INTO checkpoints (run_id, state_version, state) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])
ON CONFLICT (run_id, state_version) DO UPDATE SET state = excluded.state

-- name: insert_inbox
INSERT INTO inbox (run_id, partition, body)
SELECT run_id, partition, body
FROM unnest($1::text[], $2::smallint[], $3::bytea[]) WITH ORDINALITY AS message (run_id, partition, body, place)
ORDER BY place
RETURNING seq

-- name: delete_inbox
DELETE FROM inbox WHERE seq = ANY ($1::bigint[])

-- name: delete_inbox_of
DELETE FROM inbox WHERE seq = ANY ($1::bigint[]) AND partition = ANY ($2::smallint[])

-- name: insert_subscriptions
INSERT INTO subscriptions (run_id, entry, filter, partition, topic, key, body)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[], $6::text[], $7::bytea[])
ON CONFLICT (run_id, entry, filter) DO UPDATE SET topic = excluded.topic, key = excluded.key, body = excluded.body

-- name: delete_subscriptions
DELETE FROM subscriptions USING unnest($1::text[], $2::bigint[]) AS gone (run_id, entry)
WHERE subscriptions.run_id = gone.run_id AND subscriptions.entry = gone.entry

-- name: delete_hopes_of_runs
-- What an ended run still waits for, in one go with each turn that ends one.
WITH gone AS (DELETE FROM work WHERE run_id = ANY ($1::text[]))
DELETE FROM subscriptions WHERE run_id = ANY ($1::text[])

-- name: start_key
SELECT namespace, name, key, body_hash, run_id FROM start_keys WHERE namespace = $1 AND name = $2 AND key = $3

-- name: load_run
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title, state_version, state
FROM runs WHERE id = $1

-- name: load_values
SELECT digest, body FROM run_values WHERE run_id = $1 AND digest = ANY ($2::bytea[])

-- name: due_runs
SELECT id, next_at FROM runs WHERE next_at <= $1 AND partition = ANY ($3::smallint[]) ORDER BY next_at, id LIMIT $2

-- name: next_due_at
SELECT next_at FROM runs WHERE next_at > $1 AND partition = ANY ($2::smallint[]) ORDER BY next_at, id LIMIT 1

-- name: calling_runs
SELECT id FROM runs WHERE calling AND id > $1 AND partition = ANY ($3::smallint[]) ORDER BY id LIMIT $2

-- name: inbox
SELECT seq, run_id, body FROM inbox WHERE seq > $1 AND partition = ANY ($3::smallint[]) ORDER BY seq LIMIT $2

-- name: inbox_rows
SELECT seq, run_id, body FROM inbox WHERE seq = ANY ($1::bigint[]) ORDER BY seq

-- name: list_runs
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs
WHERE id < $1 AND id >= $2
  AND ($3::text IS NULL OR namespace = $3) AND ($4::text IS NULL OR name = $4)
  AND ($5::text IS NULL OR status = $5)
  AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)
ORDER BY id DESC LIMIT $8

-- name: list_runs_by_status
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs
WHERE status = $5 AND id < $1 AND id >= $2
  AND ($3::text IS NULL OR namespace = $3) AND ($4::text IS NULL OR name = $4)
  AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)
ORDER BY id DESC LIMIT $8

-- name: list_runs_by_workflow
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM runs
WHERE namespace = $3 AND name = $4 AND id < $1 AND id >= $2
  AND ($5::text IS NULL OR status = $5)
  AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)
ORDER BY id DESC LIMIT $8

-- name: list_runs_by_label
-- One label ($9, $10) leads through its index; the arrays are the others, each of which the run must have.
SELECT id, namespace, name, version, status, created_at, updated_at, ended_at, next_at, calling, labels, parent_id,
       retry_of, fault_title
FROM run_labels AS by_label JOIN runs ON runs.id = by_label.run_id
WHERE by_label.key = $9 AND by_label.value = $10 AND by_label.run_id < $1 AND by_label.run_id >= $2
  AND ($3::text IS NULL OR namespace = $3) AND ($4::text IS NULL OR name = $4)
  AND ($5::text IS NULL OR status = $5)
  AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)
  AND NOT EXISTS (
      SELECT 1 FROM unnest($11::text[], $12::text[]) AS wanted (key, value)
      WHERE NOT EXISTS (
          SELECT 1 FROM run_labels AS held
          WHERE held.key = wanted.key AND held.value = wanted.value AND held.run_id = by_label.run_id))
ORDER BY by_label.run_id DESC LIMIT $8

-- name: journal
SELECT seq, at, body FROM journal WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: journal_tail
SELECT seq, at, body FROM journal WHERE run_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3

-- name: checkpoint
SELECT state_version, state FROM checkpoints WHERE run_id = $1 AND state_version <= $2
ORDER BY state_version DESC LIMIT 1

-- name: ended_runs
SELECT id FROM runs WHERE id = ANY ($1::text[]) AND status IN ('cancelled', 'faulted', 'completed') FOR UPDATE

-- name: ended_runs_of_workflow
-- The row that ends the comparison is the newest of those that do not belong to the $6 newest; without one, none go.
SELECT ended_at, id FROM runs
WHERE namespace = $1 AND name = $2 AND ended_at <> 0 AND (ended_at, id) > ($3, $4) AND ended_at < $5
  AND (ended_at, id) <= (
      SELECT newest.ended_at, newest.id FROM runs AS newest
      WHERE newest.namespace = $1 AND newest.name = $2 AND newest.ended_at <> 0
      ORDER BY newest.ended_at DESC, newest.id DESC LIMIT 1 OFFSET $6)
  AND NOT EXISTS (SELECT 1 FROM runs AS parent WHERE parent.id = runs.parent_id AND parent.ended_at = 0)
ORDER BY ended_at, id LIMIT $7

-- name: ended_workflows
-- Hops from workflow to workflow over the index instead of reading every run.
WITH RECURSIVE hops (namespace, name, hop) AS (
    SELECT $1::text COLLATE "C", $2::text COLLATE "C", 0
    UNION ALL
    SELECT following.namespace, following.name, hops.hop + 1
    FROM hops CROSS JOIN LATERAL (
        SELECT runs.namespace, runs.name FROM runs
        WHERE runs.ended_at <> 0 AND (runs.namespace, runs.name) > (hops.namespace, hops.name)
        ORDER BY runs.namespace, runs.name LIMIT 1) AS following
    WHERE hops.hop < $3
)
SELECT namespace, name FROM hops WHERE hop > 0

-- name: delete_runs
DELETE FROM runs WHERE id = ANY ($1::text[])

-- name: delete_labels_of_runs
DELETE FROM run_labels WHERE run_id = ANY ($1::text[])

-- name: delete_journal_of_runs
DELETE FROM journal WHERE run_id = ANY ($1::text[])

-- name: delete_values_of_runs
DELETE FROM run_values WHERE run_id = ANY ($1::text[])

-- name: delete_checkpoints_of_runs
DELETE FROM checkpoints WHERE run_id = ANY ($1::text[])

-- name: delete_start_keys_of_runs
DELETE FROM start_keys WHERE run_id = ANY ($1::text[])

-- name: delete_inbox_of_runs
-- A scan on purpose: the inbox holds only what waits, and an index would cost every message.
DELETE FROM inbox WHERE run_id = ANY ($1::text[])

-- name: delete_deliveries_to_runs
DELETE FROM deliveries WHERE run_id = ANY ($1::text[])

-- name: insert_events
INSERT INTO events (source, id, type, subject, at, expires_at, run_id, body)
SELECT source, id, type, subject, at, expires_at, run_id, body
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::bytea[])
    WITH ORDINALITY AS event (source, id, type, subject, at, expires_at, run_id, body, place)
ORDER BY place
ON CONFLICT (source, id) DO NOTHING
RETURNING seq, source, id

-- name: lock_ingestion
-- Until the end of the transaction: whoever inserts events next gets higher numbers and is seen later, so that a
-- reader who goes on behind the highest number that it saw misses none.
SELECT pg_advisory_xact_lock(hashtextextended('penstock/ingestion/' || current_schema(), 0))

-- name: insert_deliveries
INSERT INTO deliveries (event_seq, run_id)
SELECT event_seq, run_id FROM unnest($1::bigint[], $2::text[]) AS delivery (event_seq, run_id)
ON CONFLICT (event_seq, run_id) DO NOTHING
RETURNING event_seq, run_id

-- name: events_after
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events WHERE seq > $1 ORDER BY seq LIMIT $2

-- name: routed_until
SELECT coalesce((SELECT min(routed_seq) FROM partitions WHERE partition = ANY ($1::smallint[])),
                (SELECT max(seq) FROM events), 0)

-- name: keep_routed
UPDATE partitions SET routed_seq = $1 WHERE partition = ANY ($2::smallint[]) AND routed_seq < $1

-- name: events_since
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq > $1 AND expires_at > $2 ORDER BY seq LIMIT $3

-- name: events_since_of_type
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE type = $4 AND seq > $1 AND expires_at > $2 ORDER BY seq LIMIT $3

-- name: list_events
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq < $1
  AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR subject = $4)
ORDER BY seq DESC LIMIT $5

-- name: list_events_of_type
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE type = $2 AND seq < $1 AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR subject = $4)
ORDER BY seq DESC LIMIT $5

-- name: list_events_of_run
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events
WHERE seq IN (SELECT seq FROM events WHERE run_id = $6 AND run_id <> ''
              UNION SELECT event_seq FROM deliveries WHERE run_id = $6)
  AND seq > $1
  AND ($2::text IS NULL OR type = $2) AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR subject = $4)
ORDER BY seq LIMIT $5

-- name: event
SELECT source, id, type, subject, at, expires_at, body, run_id, seq FROM events WHERE source = $1 AND id = $2

-- name: delivered_to
SELECT run_id FROM deliveries WHERE event_seq = $1 ORDER BY run_id LIMIT $2

-- name: delete_expired_events
DELETE FROM events
WHERE seq IN (SELECT seq FROM events
              WHERE expires_at <= $1 AND seq <= (SELECT min(routed_seq) FROM partitions)
              ORDER BY expires_at LIMIT $2)
RETURNING seq

-- name: delete_deliveries_of_events
DELETE FROM deliveries WHERE event_seq = ANY ($1::bigint[])

-- name: subscriptions
SELECT subscriptions.run_id, entry, filter, subscriptions.topic, subscriptions.key, body
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS lookup (topic, key, place)
JOIN subscriptions ON subscriptions.topic = lookup.topic AND subscriptions.key = lookup.key
    AND subscriptions.partition = ANY ($3::smallint[])
ORDER BY place, subscriptions.run_id, entry, filter

-- name: subscriptions_of
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE run_id = $1 ORDER BY entry, filter

-- name: subscriptions_to
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE topic = $1
ORDER BY key, run_id, entry, filter LIMIT $2

-- name: subscriptions_to_key
SELECT run_id, entry, filter, topic, key, body FROM subscriptions WHERE topic = $1 AND key = $2
ORDER BY run_id, entry, filter LIMIT $3

-- name: subscription_topics
-- Hops from topic to topic over the index instead of reading every subscription.
WITH RECURSIVE topics (topic) AS (
    SELECT min(topic) FROM subscriptions
    UNION ALL
    SELECT (SELECT min(s.topic) FROM subscriptions AS s WHERE s.topic > topics.topic) FROM topics
    WHERE topics.topic IS NOT NULL
)
SELECT topic FROM topics WHERE topic IS NOT NULL

-- name: put_workflow
-- The same content again makes a deleted version visible again.
INSERT INTO workflows (namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (namespace, name, version) DO UPDATE SET deleted = false
WHERE workflows.content_hash = excluded.content_hash AND workflows.deleted

-- name: get_workflow
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = $1 AND name = $2 AND version = $3 AND NOT deleted

-- name: get_workflow_for_runs
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = $1 AND name = $2 AND version = $3

-- name: workflow_versions
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows WHERE namespace = $1 AND name = $2 AND NOT deleted

-- name: list_workflows
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows
WHERE (namespace, name, version) > ($1, $2, $3) AND NOT deleted
ORDER BY namespace, name, version LIMIT $4

-- name: list_workflows_of_namespace
SELECT namespace, name, version, created_at, definition, content_hash, resources, metadata, source_text
FROM workflows
WHERE namespace = $1 AND (name, version) > ($2, $3) AND NOT deleted
ORDER BY namespace, name, version LIMIT $4

-- name: delete_workflow
UPDATE workflows SET deleted = true WHERE namespace = $1 AND name = $2 AND version = $3 AND NOT deleted

-- name: put_tool
INSERT INTO tools (name, capability, created_at, updated_at, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE
SET capability = excluded.capability, updated_at = excluded.updated_at, body = excluded.body

-- name: list_tools
SELECT name, capability, created_at, updated_at, body FROM tools ORDER BY name

-- name: delete_tool
DELETE FROM tools WHERE name = $1

-- name: put_secret
INSERT INTO secrets (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed

-- name: get_secrets
SELECT name, sealed FROM secrets ORDER BY name

-- name: delete_secret
DELETE FROM secrets WHERE name = $1

-- name: put_token
INSERT INTO tokens (id, name, digest, scopes, namespaces, created_at, expires_at, last_used_at, revoked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, scopes = excluded.scopes, namespaces = excluded.namespaces,
    expires_at = excluded.expires_at,
    revoked_at = CASE WHEN tokens.revoked_at = 0 THEN excluded.revoked_at ELSE tokens.revoked_at END

-- name: list_tokens
SELECT id, name, digest, scopes, namespaces, created_at, expires_at, last_used_at, revoked_at
FROM tokens ORDER BY id

-- name: touch_token
UPDATE tokens SET last_used_at = greatest(last_used_at, $1) WHERE id = $2

-- name: delete_token
DELETE FROM tokens WHERE id = $1

-- name: schema_exists
SELECT to_regnamespace($1) IS NOT NULL

-- name: table_exists
SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2)

-- name: any_table
SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1)

-- name: lock_migrations
SELECT pg_advisory_xact_lock($1)

-- name: last_migration
SELECT coalesce(max(number), 0) FROM penstock_migrations

-- name: note_migration
INSERT INTO penstock_migrations (number) VALUES ($1)

-- name: create_migrations
CREATE TABLE penstock_migrations (number integer NOT NULL PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())

-- name: insert_work
-- A token is never given twice, so what replaces has no lower one.
INSERT INTO work (call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at,
                  holder, reason, event, partition)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bytea[],
                     $15::smallint[])
ON CONFLICT (call_id, tool) DO UPDATE
SET run_id = excluded.run_id, capability = excluded.capability, kind = excluded.kind, state = excluded.state,
    token = greatest(work.token, excluded.token), attempts = excluded.attempts, due_at = excluded.due_at,
    created_at = excluded.created_at, deadline_at = excluded.deadline_at, holder = excluded.holder,
    reason = excluded.reason, event = excluded.event, partition = excluded.partition

-- name: delete_work
DELETE FROM work WHERE call_id = ANY ($1::text[])

-- name: delete_work_of_tools
-- Here and below the tool (and what else leads to other indexes) is hidden from the planner where the call is known: it
-- may go through all work of the tool otherwise.
DELETE FROM work USING unnest($1::text[], $2::text[]) AS gone (call_id, tool)
WHERE work.call_id = gone.call_id AND work.tool || '' = gone.tool

-- name: work_to_lease
-- Two looks along the index, so that leases that last are not read. What somebody else has locked, to lease it or to
-- withdraw it, is passed over.
WITH ended AS MATERIALIZED (
    SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder,
           reason, event
    FROM work WHERE tool = $1 AND state = 'leased' AND due_at <= $2 AND kind = 'pull'
    ORDER BY due_at, call_id LIMIT $3 FOR UPDATE SKIP LOCKED
), waiting AS MATERIALIZED (
    SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder,
           reason, event
    FROM work WHERE tool = $1 AND state = 'waiting' AND due_at <= $2 AND kind = 'pull'
    ORDER BY due_at, call_id LIMIT $3 - (SELECT count(*) FROM ended) FOR UPDATE SKIP LOCKED
)
SELECT * FROM ended UNION ALL SELECT * FROM waiting

-- name: lease_work
-- Those that the transaction has locked by `work_to_lease`.
UPDATE work SET state = 'leased', token = token + 1, attempts = attempts + 1, due_at = $3, holder = $4
WHERE call_id = ANY ($1::text[]) AND tool || '' = $2

-- name: next_work_at
SELECT least(
    (SELECT due_at FROM work WHERE tool = $1 AND state = 'leased' AND kind = 'pull' ORDER BY due_at, call_id LIMIT 1),
    (SELECT due_at FROM work WHERE tool = $1 AND state = 'waiting' AND kind = 'pull' ORDER BY due_at, call_id LIMIT 1))

-- name: renew_work
UPDATE work SET due_at = $4 WHERE call_id = $1 AND tool || '' = $2 AND token = $3 AND state = 'leased'

-- name: return_work
UPDATE work SET state = 'waiting', due_at = coalesce($4, created_at), holder = ''
WHERE call_id = $1 AND tool || '' = $2 AND token = $3 AND state = 'leased'

-- name: push_due
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work
WHERE kind = 'push' AND state = 'waiting' AND due_at <= $1 AND partition = ANY ($3::smallint[])
ORDER BY due_at, call_id, tool LIMIT $2

-- name: next_push_at
SELECT due_at FROM work
WHERE kind = 'push' AND state = 'waiting' AND partition = ANY ($1::smallint[]) ORDER BY due_at, call_id, tool LIMIT 1

-- name: push_result
UPDATE work SET state = $3, attempts = $4, due_at = $5, reason = $6
WHERE call_id = $1 AND tool || '' = $2 AND kind = 'push' AND state || '' = 'waiting' AND attempts = $4 - 1

-- name: list_work
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work
WHERE (created_at, call_id, tool) > ($1, $2, $3)
  AND ($4::text IS NULL OR tool = $4) AND ($6::text IS NULL OR state = $6)
ORDER BY created_at, call_id, tool LIMIT $5

-- name: list_dead_work
SELECT call_id, tool, run_id, capability, kind, state, token, attempts, due_at, created_at, deadline_at, holder, reason,
       event
FROM work
WHERE state = 'dead' AND (created_at, call_id, tool) > ($1, $2, $3) AND ($4::text IS NULL OR tool = $4)
ORDER BY created_at, call_id, tool LIMIT $5

-- name: redeliver
UPDATE work SET state = 'waiting', attempts = 0, due_at = created_at, holder = '', reason = ''
WHERE tool = $1 AND state = 'dead' AND ($2::text IS NULL OR call_id = $2)

-- name: count_work
-- Reads the whole index, on purpose.
SELECT tool, state, count(*) FROM work GROUP BY tool, state

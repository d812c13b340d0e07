-- Work that tools take by event: one row for each call and each tool that it is offered to.

CREATE TABLE work (
    call_id text COLLATE "C" NOT NULL,
    tool text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    capability text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    attempts bigint NOT NULL,
    due_at bigint NOT NULL,
    created_at bigint NOT NULL,
    deadline_at bigint NOT NULL,
    holder text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    event bytea NOT NULL,
    PRIMARY KEY (call_id, tool)
) WITH (autovacuum_vacuum_scale_factor = 0.02); -- as a queue it is mostly rows that have gone
CREATE INDEX work_of_run ON work (run_id);
CREATE INDEX work_of_tool ON work (tool, state, due_at, call_id);
CREATE INDEX work_to_push ON work (due_at, call_id, tool) WHERE kind = 'push' AND state = 'waiting';
CREATE INDEX work_by_age ON work (created_at, call_id, tool);
CREATE INDEX work_dead ON work (created_at, call_id, tool) WHERE state = 'dead';

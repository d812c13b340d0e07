-- Work that tools take by event: one row for each call and each tool that it is offered to.

CREATE TABLE work (
    call_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    run_id TEXT NOT NULL,
    capability TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    token INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    holder TEXT NOT NULL,
    reason TEXT NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (call_id, tool)
) STRICT;
CREATE INDEX work_of_run ON work (run_id);
CREATE INDEX work_of_tool ON work (tool, state, due_at, call_id);
CREATE INDEX work_to_push ON work (due_at, call_id, tool) WHERE kind = 'push' AND state = 'waiting';
CREATE INDEX work_by_age ON work (created_at, call_id, tool);
CREATE INDEX work_dead ON work (created_at, call_id, tool) WHERE state = 'dead';

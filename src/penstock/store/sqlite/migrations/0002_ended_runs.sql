-- Ended runs by workflow and end, for retention: which may go, the earliest first, and which are the newest.

CREATE INDEX runs_ended ON runs (namespace, name, ended_at, id) WHERE ended_at <> 0;

-- The cursors of the partitions say which events were brought to their listeners; the marks at the events go.

DROP INDEX events_unrouted;
DROP INDEX events_expiring;
ALTER TABLE events DROP COLUMN routed;
CREATE INDEX events_expiring ON events (expires_at);

-- One cursor for the events that were brought to their listeners, in the place of a mark at each of them.
--
-- It begins below the first event that was not routed; later ones that were are looked at again, which is harmless,
-- since no run gets an event twice.

CREATE TABLE routing (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
) STRICT;
INSERT INTO routing (one, seq)
SELECT 1, coalesce((SELECT min(seq) - 1 FROM events WHERE routed = 0), (SELECT max(seq) FROM events), 0);

DROP INDEX events_unrouted;
DROP INDEX events_expiring;
ALTER TABLE events DROP COLUMN routed;
CREATE INDEX events_expiring ON events (expires_at);

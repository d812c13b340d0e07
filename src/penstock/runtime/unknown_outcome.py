"""Whether a commit of unknown outcome took effect."""

from penstock.store.rows import RunCommit, StoredRun


def was_written(commit: RunCommit, stored: StoredRun | None) -> bool:
    """True when the store holds exactly what the commit would have written.

    A state's bytes hold its version, its ids and its instants, so equal bytes are this turn's own work. Anything
    else means that the turn must be made again from what the store holds; messages that were applied meanwhile
    are stale then.
    """
    return stored is not None and stored.version == commit.version and stored.state == commit.state

"""Shares of the runs: every run belongs to one of `PARTITIONS`, by its id alone and for ever."""

from penstock.model.limits import PARTITIONS


def partition_of(run_id: str) -> int:
    """0 to `PARTITIONS` - 1, from the last two hexadecimal digits of the id; 0 for an id that does not end so.

    The end of a run's id is random, so the shares are even.
    """
    try:
        return int(run_id[-2:], 16) % PARTITIONS
    except ValueError:
        return 0

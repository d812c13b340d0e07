"""What leasing makes of work that was found, the same in every store."""

from collections.abc import Iterable

import msgspec

from penstock.store.rows import WorkRow


def first_to_lease(found: Iterable[WorkRow], limit: int) -> list[WorkRow]:
    """Those whose lease ended, then those that wait, each the longest due first."""
    return sorted(found, key=lambda row: (row.state != "leased", row.due_at, row.call_id))[:limit]


def leased(row: WorkRow, until: int, holder: str) -> WorkRow:
    """The row as it is when `holder` has got it: what the statement `lease_work` does to it."""
    return msgspec.structs.replace(
        row, state="leased", token=row.token + 1, attempts=row.attempts + 1, due_at=until, holder=holder
    )

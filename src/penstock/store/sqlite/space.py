"""Disk space of deleted rows. Most of it is used again by what comes; only a file of which much lies idle is cut.

New databases are made with `auto_vacuum = INCREMENTAL`, which costs a few pages and no time that can be measured. In a
database without it free pages are used again, too, but the file never becomes smaller.
"""

from typing import Final

from penstock.model.limits import SPACE_PAGES_KEPT, SPACE_PAGES_PER_STEP
from penstock.store.sqlite.session import Session

_INCREMENTAL: Final = 2
_IDLE_SHARE: Final = 4
"""A quarter of the pages."""


def much_is_free(session: Session) -> bool:
    """Whether more than a quarter of the file, and more than a few MiB, is free and can be given back."""
    (mode,) = session.execute("vacuum_mode").fetchone()
    (free,) = session.execute("free_pages").fetchone()
    (pages,) = session.execute("all_pages").fetchone()
    return mode == _INCREMENTAL and free > max(SPACE_PAGES_KEPT, pages // _IDLE_SHARE)


def release(session: Session) -> bool:
    """Gives a few pages back; True when still much is free."""
    for _ in range(SPACE_PAGES_PER_STEP):
        session.execute("release_page")
    return much_is_free(session)

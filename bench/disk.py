"""How much a subject keeps on the disk, and how much it has written. Standard library only."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from bench.subjects.contract import Disk

POSTGRES_BYTES: Final = (
    "SELECT pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
)
"""One row: the database's size, and what the server has put into its log since it was made."""


def of_postgres(row: Sequence[int]) -> Disk:
    """What was written is the log; that a checkpoint writes the pages later is not counted."""
    return Disk(int(row[0]), int(row[1]))


def of_sqlite(path: Path) -> Disk:
    """Pages in use as a reader sees them, its log included; and what this process made the kernel write."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in PRAGMAS)
    finally:
        connection.close()
    return Disk((pages - free) * size, written_bytes(["self"]))


PRAGMAS: Final = ("page_count", "freelist_count", "page_size")


def written_bytes(processes: Iterable[object]) -> int:
    """What processes made the kernel write; 0 where the system does not tell."""
    total = 0
    for process in processes:
        counters = Path(f"/proc/{process}/io")
        if counters.exists():
            total += int(counters.read_text().split("\nwrite_bytes: ")[1].split()[0])
    return total

"""`penstock move`: a stopped system from one store to another, verified."""

import asyncio
import time
from typing import Final

import click
import msgspec

from penstock.cli.options import dry_run_option, output_option
from penstock.cli.output import Format, emit, emit_rows, talk
from penstock.store.move import MoveReport, Progress
from penstock.store.move import move as move_system

_BETWEEN_LINES_S: Final = 2.0


@click.command()
@click.option("--from", "source", metavar="URL", required=True, help="The store to move: sqlite:PATH or postgresql://…")
@click.option("--to", "target", metavar="URL", required=True, help="An empty store, or one that does not exist yet.")
@dry_run_option
@output_option
def move(source: str, target: str, dry_run: bool, output: Format) -> None:
    """Move a stopped system with all its runs to another store, from SQLite to PostgreSQL or any other way.

    Everything is copied, then read back from both stores and compared. Until that is done no engine opens the target;
    after it none opens the source, whose data stay as they are. Killed at any point, the same command goes on. The key
    that seals secrets is in neither store: take it along.
    """
    report = asyncio.run(move_system(source, target, now=_now, tell=Telling(), dry_run=dry_run))
    if output != "table":
        emit({**msgspec.to_builtins(report), "secrets": report.secrets}, output)
    else:
        emit_rows(("table", "rows", "digest"), [(t.name, str(t.rows), t.digest) for t in report.tables])
    talk(_said(report))


def _now() -> int:
    return time.time_ns() // 1_000_000


def _said(report: MoveReport) -> str:
    rows = f"{sum(table.rows for table in report.tables):,} rows"
    if report.dry_run and not report.repeated:
        return f"would move {rows} from {report.source} to {report.target}"
    if report.repeated:
        return f"{report.source} was moved to {report.target} before, and verified then: {rows}; nothing is left to do"
    keys = f"; the key that opens {report.secrets} secrets has to be carried along" if report.secrets else ""
    return f"moved {rows} to {report.target}, read back and found the same; {report.source} is at rest{keys}"


class Telling:
    """Says on stderr how far it is: a line for each table that is done, and now and then one for a large one."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        at = time.monotonic()
        if progress.done or at - self._said_at >= _BETWEEN_LINES_S:
            self._said_at = at
            more = "" if progress.done else " …"
            did = {"copy": "copied", "verify": "read back"}[progress.step]
            talk(f"{did:9}  {progress.table}  {progress.rows:,}{more}")

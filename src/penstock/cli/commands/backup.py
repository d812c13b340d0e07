"""`penstock backup`: a copy of the database, while an engine works on it or not."""

from pathlib import Path

import click
import msgspec

from penstock.cli.database import database_file, database_options, is_postgres, store_url
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.options import output_option
from penstock.cli.output import Format, emit, emit_rows, talk
from penstock.store.sqlite.backup import BackupReport, back_up


@click.command()
@click.argument("file", metavar="FILE")
@database_options
@output_option
def backup(file: str, store: str | None, config: str | None, output: Format) -> None:
    """Copy the database to a new file, while an engine works on it or not.

    The copy is what the database held at one instant; it is checked, only its owner can read it, and it is written
    to the disk before the command ends. To restore, let an engine begin with it: penstock up --store sqlite:FILE. The
    key that seals secrets is not in it.
    """
    url = store_url(store, config)
    if is_postgres(url):
        raise CommandFailed(
            INVALID, "a PostgreSQL database is not copied by penstock", advice="pg_dump, on that server"
        )
    database = database_file(url, "a store in memory is gone with its process: there is nothing to copy")
    report = back_up(database, Path(file))
    if output != "table":
        emit(msgspec.to_builtins(report), output)
        return
    emit_rows(("rows", "count"), [(table, str(count)) for table, count in report.rows.items()])
    talk(_said(report))


def _said(report: BackupReport) -> str:
    keys = "; keep the key that seals secrets apart from it" if report.rows["secrets"] else ""
    live = f"{report.live_runs} of the runs live"
    return f"{report.path}: {report.size_bytes:,} bytes, schema {report.schema}, {live}; checked, and on disk{keys}"

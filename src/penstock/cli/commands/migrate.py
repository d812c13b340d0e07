"""`penstock migrate`: a database to the schema of this version, without an engine."""

import click
import msgspec

from penstock.cli.database import database_file, database_options, is_postgres, store_url
from penstock.cli.exits import INVALID, CommandFailed
from penstock.cli.options import dry_run_option, output_option
from penstock.cli.output import Format, emit, talk
from penstock.store.sqlite.upgrade import planned_upgrade, upgrade


@click.command()
@database_options
@dry_run_option
@output_option
def migrate(store: str | None, config: str | None, dry_run: bool, output: Format) -> None:
    """Bring a database to the schema of this version, or make it when there is none.

    An engine does this by itself when it starts; here it happens without one. There is no way back: make a backup
    first. A database that an engine works on is a conflict (4), and one with a newer schema is refused.
    """
    url = store_url(store, config)
    if is_postgres(url):
        message = "a PostgreSQL database is brought to its schema by the engine when it starts"
        raise CommandFailed(INVALID, message, advice="penstock up --store URL")
    database = database_file(url, "a store in memory has no schema that outlives it")
    report = planned_upgrade(database) if dry_run else upgrade(database)
    if output != "table":
        emit({"store": url, **msgspec.to_builtins(report), "dry_run": dry_run}, output)
        return
    click.echo(f"{report.before} -> {report.after}")
    if report.before == report.after:
        talk(f"{database} has the newest schema already")
    else:
        will, done = ("make", "made") if report.before == 0 else ("migrate", "migrated")
        talk(f"would {will} {database}" if dry_run else f"{done} {database}")

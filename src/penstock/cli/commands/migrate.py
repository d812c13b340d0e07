"""`penstock migrate`: a database to the schema of this version, without an engine."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import cast

import click
import msgspec

from penstock.cli.database import database_file, store_options, store_url
from penstock.cli.options import dry_run_option, output_option
from penstock.cli.output import Format, emit, talk
from penstock.store import path_of, shown_url
from penstock.store.migrations import MigrationReport
from penstock.store.open import is_postgres, postgres_module
from penstock.store.sqlite.upgrade import planned_upgrade, upgrade


@click.command()
@store_options
@dry_run_option
@output_option
def migrate(store: str | None, config: str | None, dry_run: bool, output: Format) -> None:
    """Bring a database to the schema of this version, or make it when there is none.

    An engine does this by itself when it starts; here it happens without one. There is no way back: make a backup
    first. A database that an engine works on is a conflict (4), and one with a newer schema is refused.
    """
    url = store_url(store, config)
    report = _of_postgres(url, dry_run) if is_postgres(url) else _of_file(url, dry_run)
    if output != "table":
        emit({"store": shown_url(url), **msgspec.to_builtins(report), "dry_run": dry_run}, output)
        return
    place = path_of(url) or shown_url(url)
    click.echo(f"{report.before} -> {report.after}")
    if report.before == report.after:
        talk(f"{place} has the newest schema already")
    else:
        will, done = ("make", "made") if report.before == 0 else ("migrate", "migrated")
        talk(f"would {will} {place}" if dry_run else f"{done} {place}")


def _of_file(url: str, dry_run: bool) -> MigrationReport:
    database = database_file(url, "a store in memory has no schema that outlives it")
    return planned_upgrade(database) if dry_run else upgrade(database)


def _of_postgres(url: str, dry_run: bool) -> MigrationReport:
    name = "planned_upgrade" if dry_run else "upgrade"
    migrating = getattr(postgres_module("penstock.store.postgres.upgrade"), name)
    return asyncio.run(cast("Callable[[str], Coroutine[None, None, MigrationReport]]", migrating)(url))

"""The database that commands work on without a server: that of `--store`, of the settings, or the default one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from penstock.cli.exits import INVALID, CommandFailed
from penstock.errors import CallerError
from penstock.runtime.settings import load_settings
from penstock.store import path_of

Command = TypeVar("Command", bound=Callable[..., Any])


def database_options(command: Command, *, kinds: str = "sqlite:PATH") -> Command:
    """`--store` and `--config`, as the parameters `store` and `config`; `kinds` are the URLs that will do."""
    absent = "PENSTOCK_STORE, or sqlite:.penstock/penstock.db when absent"
    store = click.option("--store", metavar="URL", help=f"{kinds}; {absent}.")
    config = click.option("--config", metavar="FILE", help="A settings file in TOML; PENSTOCK_CONFIG when absent.")
    return store(config(command))


def store_options(command: Command) -> Command:
    """`database_options` of a command that works on every kind of store."""
    return database_options(command, kinds="sqlite:PATH or postgresql://…")


def store_url(store: str | None, config: str | None) -> str:
    """The store that is meant."""
    return load_settings(None, config=config, store=store).store_url


def is_postgres(url: str) -> bool:
    return url.partition(":")[0].partition("+")[0] in {"postgres", "postgresql"}


def database_file(url: str, in_memory: str) -> Path:
    """The file of a SQLite store; `in_memory` says why one in memory will not do."""
    try:
        path = path_of(url)
    except CallerError as error:
        raise CommandFailed(INVALID, f"{error.title.lower()}: {error.detail}") from None
    if path is None:
        raise CommandFailed(INVALID, in_memory, advice="--store sqlite:PATH")
    return path

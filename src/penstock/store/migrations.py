"""Numbered, forward-only migrations: `migrations/NNNN_what.sql` beside the modules of a store."""

import re
from importlib import resources
from typing import Final

import msgspec

from penstock.errors import InfrastructureError

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")


class MigrationReport(msgspec.Struct, frozen=True):
    """The schema before and after; 0 stands for a database, or a schema of PostgreSQL, that did not exist."""

    before: int
    after: int


def read_migrations(package: str) -> tuple[str, ...]:
    """The scripts in order; the script at index N leads to schema N + 1. Gaps are an `InfrastructureError`."""
    folder = resources.files(package).joinpath("migrations")
    found = sorted((m[1], f) for f in folder.iterdir() if (m := _FILE.fullmatch(f.name)))
    numbers = [int(number) for number, _ in found]
    if numbers != list(range(1, len(found) + 1)):
        raise InfrastructureError(f"the migrations in this installation have gaps: {numbers}")
    return tuple(file.read_text(encoding="utf-8") for _, file in found)


def check_known(current: int, known: int, place: str) -> None:
    """Raises `InfrastructureError` if `place` has a schema newer than those that this Penstock knows."""
    if current > known:
        raise InfrastructureError(
            f"{place} has schema {current}, but this Penstock knows schemas up to {known}; "
            "open it with the newer Penstock that wrote it"
        )

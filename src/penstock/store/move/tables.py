"""What the tables of two stores have in common, from their catalogs: nothing is moved that both do not say.

Columns that both have are carried. A column that only one has must be one that a store makes from the others of its
row (`DERIVED`), and a table that only one has must be one that belongs to the place and not to the system
(`LEFT_OUT`). Anything else is an installation whose stores do not fit, and nothing is moved at all.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from penstock.errors import InfrastructureError
from penstock.model.json_value import Json
from penstock.store.marks import MARK_TABLE
from penstock.store.partitions import partition_of

Kind: TypeAlias = Literal["text", "integer", "boolean", "bytes", "other"]
Row: TypeAlias = tuple[Json, ...]
"""Values of a row, or of its key: None, int, str or bytes. A boolean is 0 or 1 here, whatever its store makes of it."""

LEFT_OUT: Final = MappingProxyType(
    {
        MARK_TABLE: "the mark of the move itself",
        "penstock_migrations": "the schema's number, which every store has for itself",
        "engine_owner": "which engine has the schema",
        "nodes": "which engines have the schema open",
        "partitions": "which engine holds which runs; how far events were routed is carried as one number",
        "routing": "how far events were routed, carried as one number",
    }
)
"""Tables that are not moved, and why."""


class Derived(NamedTuple):
    """A column that is made from another one of its row: the first of `sources` that the table has."""

    sources: tuple[str, ...]
    make: Callable[[Json], Json]


DERIVED: Final = MappingProxyType({"partition": Derived(("run_id", "id"), partition_of)})


class Table(msgspec.Struct, frozen=True):
    """A table as its store has it. `numbered` is the column whose values the store gives out, if there is one."""

    name: str
    columns: Mapping[str, Kind]
    key: tuple[str, ...]
    numbered: str | None = None


class Carried(msgspec.Struct, frozen=True):
    """A table that is moved.

    `columns` are those that are carried, the key first and the others by name; `texts` are the positions of those that
    are text, `sized` the names of those that are text or bytes, and `derived` what the target has beyond them.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    texts: tuple[int, ...]
    sized: tuple[str, ...]
    derived: tuple[str, ...] = ()
    numbered: str | None = None

    @property
    def all_columns(self) -> tuple[str, ...]:
        """What a row at the target has."""
        return self.columns + self.derived

    def key_of(self, row: Row) -> Row:
        return row[: len(self.key)]

    def complete(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of the source, as they are to be at the target."""
        if not self.derived:
            return list(rows)
        recipes = [(self._source_of(DERIVED[name]), DERIVED[name].make) for name in self.derived]
        return [row + tuple(make(row[at]) for at, make in recipes) for row in rows]

    def name_row(self, key: Row) -> str:
        """A row for people: the table and the values of its key."""
        values = (value.hex() if isinstance(value, bytes) else repr(value) for value in key)
        return f"{self.name} ({', '.join(f'{name} {value}' for name, value in zip(self.key, values, strict=True))})"

    def _source_of(self, derived: Derived) -> int:
        return next(self.columns.index(name) for name in derived.sources if name in self.columns)


def moved_alone(tables: Mapping[str, Table]) -> list[Carried]:
    """What of a store would be moved, as far as it alone can say."""
    return [_carried(table, table) for name, table in sorted(tables.items()) if name not in LEFT_OUT]


def moved_between(source: Mapping[str, Table], target: Mapping[str, Table]) -> list[Carried]:
    """The tables to be moved. Raises `InfrastructureError` if the stores do not fit each other."""
    if only_one := (source.keys() ^ target.keys()) - LEFT_OUT.keys():
        raise _misfit(f"only one of them has the tables {sorted(only_one)}")
    return [_carried(source[name], target[name]) for name in sorted(source.keys() - LEFT_OUT.keys())]


def _carried(source: Table, target: Table) -> Carried:
    if only_one := (source.columns.keys() ^ target.columns.keys()) - DERIVED.keys():
        raise _misfit(f"only one of them has the columns {sorted(only_one)} of {source.name}")
    if source.key != target.key or not source.key or source.numbered != target.numbered:
        raise _misfit(f"their tables {source.name} have other keys")
    shared = source.columns.keys() - DERIVED.keys()
    if odd := [name for name in shared if not _fits(source.columns[name], target.columns[name])]:
        raise _misfit(f"the columns {sorted(odd)} of {source.name} have other types")
    columns = source.key + tuple(sorted(shared - set(source.key)))
    return Carried(
        name=source.name,
        key=source.key,
        columns=columns,
        texts=tuple(at for at, name in enumerate(columns) if source.columns[name] == "text"),
        sized=tuple(name for name in columns if source.columns[name] in {"text", "bytes"}),
        derived=tuple(sorted(target.columns.keys() & DERIVED.keys())),
        numbered=source.numbered,
    )


def _fits(source: Kind, target: Kind) -> bool:
    return (source == target != "other") or {source, target} == {"integer", "boolean"}


def _misfit(why: str) -> InfrastructureError:
    return InfrastructureError(f"the stores of this installation do not fit each other, so nothing is moved: {why}")

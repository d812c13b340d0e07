"""What the tests of moving share: a store with rows in every table, and looks into both kinds of stores."""

import asyncio
import sqlite3
import threading
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import asyncpg

from penstock.model.json_value import Json
from penstock.store import open_store
from penstock.store.move import Progress
from penstock.store.partitions import partition_of
from penstock.store.postgres.address import parse_address
from penstock.store.rows import ApiToken, Delivery, JournalRow, StartKey, Subscription, Tool
from tests.postgres_fixtures import without_schema
from tests.store.contract_work import work
from tests.store.samples import BEGAN, event, run_id, turn, workflow

RUNS: Final = 40
MOVED_AT: Final = BEGAN + 5_000


def now() -> int:
    return MOVED_AT


def quiet(progress: Progress) -> None:
    """Nobody watches."""


def id_of(number: int) -> str:
    """Ids of every partition."""
    return f"{run_id(number)[:-2]}{number % 256:02x}"


async def fill(path: Path) -> str:
    """A SQLite store with rows in every table, gaps in its numbers and bytes of every kind; returns its URL."""
    url = f"sqlite:{path}"
    store = open_store(url)
    await store.open()
    for number in range(RUNS):
        more: dict[str, Json] = {
            "id": id_of(number),
            "labels": {"color": "grün 🌱", "n": str(number)} if number % 3 else {},
            "next_at": BEGAN + number if number % 2 else None,
            "calling": number % 5 == 0,
        }
        first = turn(
            number,
            run=more,
            checkpoint=True,
            values={bytes([number, 0, 255]): bytes(range(256)) * 40},
            offers=(work(f"call {number}", run_id=id_of(number), token=number, event=b"\x00event"),),
            subscribe=(Subscription(id_of(number), 1, 0, "a.topic", "key", b"\x00body"),),
            journal=tuple(JournalRow(1, BEGAN, bytes([number]) * size) for size in (300,)),
        )
        key = StartKey("default", "demo", f"key {number}", b"\x00hash", id_of(number))
        await store.commit([first], [key] if number < 5 else [])
    events = await store.put_events([event(f"e{number}", subject="ä") for number in range(5)])
    await store.deliver([Delivery(e.seq, id_of(e.seq), b"delivered") for e in events[:2] if e])
    await store.keep_routed(2)
    waiting = await store.send([(id_of(number), b"message") for number in range(6)])
    await store.discard_inbox([waiting[0].seq, waiting[-1].seq])
    await store.put_workflow(workflow("w", source_text="text: ✓\n"))
    await store.put_tool(Tool("t", "cap", BEGAN, BEGAN, b"{}"))
    await store.put_secret("s", b"\x01sealed\x00")
    await store.put_token(ApiToken("id", "ci", b"\x00digest", "trigger", "one two", BEGAN, last_used_at=BEGAN))
    await store.close()
    return url


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Runs a statement on a connection of its own, whatever kind of store it is; returns its rows."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"), isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    return in_thread(_ask(url, statement))


async def _ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(without_schema(url), server_settings={"search_path": parse_address(url).schema})
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def in_thread(work: Coroutine[None, None, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """For use beside a loop that runs."""
    done: list[list[tuple[Any, ...]]] = []
    thread = threading.Thread(target=lambda: done.append(asyncio.run(work)))
    thread.start()
    thread.join()
    return done[0]


def contents(url: str, tables: list[str]) -> dict[str, set[tuple[tuple[str, Any], ...]]]:
    """Every row of the tables, with the names of its columns; partitions apart, booleans as numbers."""
    found: dict[str, set[tuple[tuple[str, Any], ...]]] = {}
    for table in tables:
        columns = sorted(set(columns_of(url, table)) - {"partition"})
        rows = sql(url, f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608 - names of our own tables
        plain = (tuple(int(v) if isinstance(v, bool) else v for v in row) for row in rows)
        found[table] = {tuple(zip(columns, row, strict=True)) for row in plain}
    return found


def columns_of(url: str, table: str) -> list[str]:
    if url.startswith("sqlite:"):
        return [row[0] for row in sql(url, f"SELECT name FROM pragma_table_info('{table}')")]  # noqa: S608 - own names
    schema = parse_address(url).schema
    where = f"table_schema = '{schema}' AND table_name = '{table}'"
    return [row[0] for row in sql(url, f"SELECT column_name FROM information_schema.columns WHERE {where}")]  # noqa: S608


def wrong_partitions(url: str) -> list[tuple[str, int]]:
    """Rows of a PostgreSQL store that do not know their partition."""
    wrong: list[tuple[str, int]] = []
    for table, column in (("runs", "id"), ("inbox", "run_id"), ("subscriptions", "run_id"), ("work", "run_id")):
        rows = sql(url, f"SELECT {column}, partition FROM {table}")  # noqa: S608 - names of our own tables
        assert rows
        wrong += [(run, partition) for run, partition in rows if partition != partition_of(run)]
    return wrong

"""A file of which much lies idle becomes smaller, step by step, beside other writes."""

import os
from pathlib import Path

import pytest

from penstock.model.limits import SPACE_PAGES_KEPT
from penstock.store.sqlite import SqliteStore
from tests.store.samples import BEGAN, run_id, turn

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "penstock.db"


def size(path: Path) -> int:
    return path.stat().st_size


async def filled(path: Path, runs: int) -> SqliteStore:
    """A store with ended runs of some twenty pages each."""
    store = SqliteStore(path)
    await store.open()
    ended = {"status": "completed", "ended_at": BEGAN}
    for first in range(0, runs, 20):
        await store.commit([turn(n, run=ended, values={b"d": os.urandom(20 * PAGE)}) for n in range(first, first + 20)])
    return store


async def test_idle_space_is_given_back_but_for_a_reserve(path: Path) -> None:
    store = await filled(path, 200)
    await store.delete_runs([run_id(n) for n in range(180)])
    steps = 0
    while await store.release_space():
        steps += 1
        assert await store.load_values(run_id(199), [b"d"])
    await store.close()
    assert steps > 10
    pages = size(path) // PAGE
    assert 20 * 20 < pages < 2 * SPACE_PAGES_KEPT


async def test_little_idle_space_is_left_for_what_comes(path: Path) -> None:
    store = await filled(path, 80)
    await store.delete_runs([run_id(n) for n in range(10)])
    assert not await store.release_space()
    await store.close()
    assert size(path) > 70 * 20 * PAGE

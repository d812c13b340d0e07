"""What every store lists: runs by their filters, page by page."""

import pytest

from penstock.model.json_value import Json
from penstock.store import Store
from tests.store.samples import BEGAN, run_id, turn


@pytest.fixture
async def filled(store: Store) -> Store:
    """Ten runs: even ones wait, those of three are of another workflow, the first five are red."""
    await store.commit(
        [
            turn(
                n,
                run={
                    "status": "running" if n % 2 else "waiting",
                    "name": "other" if n % 3 == 0 else "demo",
                    "labels": {"colour": "red" if n < 5 else "blue", "even": str(n % 2 == 0)},
                },
            )
            for n in range(10)
        ]
    )
    return store


async def numbers(store: Store, limit: int = 100, **filters: Json) -> list[int]:
    rows = await store.list_runs(limit=limit, **filters)
    return [int(row.id[9:13], 16) for row in rows]


class ListContract:
    async def test_runs_come_newest_first(self, filled: Store) -> None:
        assert await numbers(filled) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    async def test_pages_continue_below_an_id(self, filled: Store) -> None:
        assert await numbers(filled, 3) == [9, 8, 7]
        assert await numbers(filled, 3, before=run_id(7)) == [6, 5, 4]
        assert await numbers(filled, 3, before=run_id(0)) == []

    @pytest.mark.parametrize(
        ("filters", "wanted"),
        [
            ({"status": "waiting"}, [8, 6, 4, 2, 0]),
            ({"status": "faulted"}, []),
            ({"namespace": "default", "name": "other"}, [9, 6, 3, 0]),
            ({"namespace": "default"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
            ({"namespace": "elsewhere"}, []),
            ({"name": "other", "status": "waiting"}, [6, 0]),
            ({"namespace": "default", "name": "other", "status": "running"}, [9, 3]),
            ({"labels": {"colour": "red"}}, [4, 3, 2, 1, 0]),
            ({"labels": {"colour": "red", "even": "True"}}, [4, 2, 0]),
            ({"labels": {"colour": "green"}}, []),
            ({"labels": {"even": "True"}, "name": "other", "namespace": "default", "status": "waiting"}, [6, 0]),
            ({"since": BEGAN + 7}, [9, 8, 7]),
            ({"until": BEGAN + 2}, [1, 0]),
            ({"since": BEGAN + 2, "until": BEGAN + 5, "status": "waiting"}, [4, 2]),
            ({"since": BEGAN + 2, "labels": {"colour": "red"}}, [4, 3, 2]),
            ({"until": BEGAN + 4, "namespace": "default", "name": "demo"}, [2, 1]),
            ({"id_prefix": run_id(4)[:13]}, [4]),
            ({"id_prefix": run_id(4)[:10]}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
            ({"id_prefix": "0000"}, []),
            ({"id_prefix": run_id(4)[:10], "before": run_id(2), "status": "waiting"}, [0]),
        ],
        ids=str,
    )
    async def test_filters_narrow_the_list(self, filled: Store, filters: dict[str, Json], wanted: list[int]) -> None:
        assert await numbers(filled, **filters) == wanted

    async def test_a_filter_pages_too(self, filled: Store) -> None:
        for filters in ({"status": "waiting"}, {"labels": {"even": "True"}}):
            assert await numbers(filled, 2, **filters) == [8, 6]
            assert await numbers(filled, 2, **filters, before=run_id(6)) == [4, 2]

    async def test_a_status_filter_follows_the_run(self, filled: Store) -> None:
        await filled.commit([turn(1, 2, run={"status": "waiting"})])
        assert await numbers(filled, status="waiting") == [8, 6, 4, 2, 1, 0]

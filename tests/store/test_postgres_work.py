"""Work that several nodes share: whoever asks leases it, whoever holds the run pushes it."""

import asyncio

from penstock.store.rows import WorkRow
from tests.store.contract_work import LATER, SOON, lease, offering, push, work
from tests.store.postgres_faults import At, all_committed
from tests.store.postgres_nodes import joined, share
from tests.store.samples import run_id, turn


async def test_any_node_leases_work_of_runs_that_others_hold(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url, engine=False) as front:
        await a.renew()
        assert all_committed(await a.commit([offering(*(work(f"c{n}") for n in range(4)))]))
        assert await front.next_work_at("t") is not None
        (row,) = await lease(front, holder="front", limit=1)
        assert await a.renew_work(row.call_id, "t", row.token, LATER + 1), "the token is what counts"
        assert len(await lease(a, holder="a")) == 3
        assert await front.return_work(row.call_id, "t", row.token)
        assert [(r.call_id, r.token) for r in await lease(a)] == [(row.call_id, 2)]


async def test_askers_on_different_nodes_never_get_the_same_work(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b, joined(postgres_url, engine=False) as c:
        (mine, *_), *_ = await share(a, b)
        rows = [work(f"c{n:03}", run_id=run_id(1, mine)) for n in range(300)]
        assert all_committed(await a.commit([offering(*rows, end=mine)]))

        async def take(node: int) -> list[WorkRow]:
            got: list[WorkRow] = []
            while found := await lease((a, b, c)[node % 3], holder=str(node), limit=7):
                got += found
            return got

        got = [row for rows in await asyncio.gather(*map(take, range(12))) for row in rows]
        assert sorted(row.call_id for row in got) == [row.call_id for row in rows]
        assert {row.token for row in got} == {1}


async def test_what_a_transaction_is_leasing_is_passed_over(postgres_url: str) -> None:
    at = At()
    async with joined(postgres_url, at) as a, joined(postgres_url) as b:
        (mine, *_), _ = await share(a, b)
        assert all_committed(await a.commit([offering(work("a"), work("b"), end=mine)]))
        found: list[WorkRow] = []

        async def meanwhile() -> None:
            found.extend(await lease(b))

        at.arm("COMMIT", meanwhile)
        assert [row.call_id for row in await lease(a, limit=1)] == ["a"]
        assert [row.call_id for row in found] == ["b"]


async def test_pushes_are_due_where_their_runs_are_held(postgres_url: str) -> None:
    async with joined(postgres_url) as a, joined(postgres_url) as b:
        parts = await share(a, b)
        for node, part in zip((a, b), parts, strict=True):
            turns = [turn(n, end=n, offers=(push(f"c{n}", run_id=run_id(n, n), due_at=SOON + n),)) for n in part]
            assert all_committed(await node.commit(turns))
        for node, part in zip((a, b), parts, strict=True):
            assert [row.call_id for row in await node.push_due(LATER, 99)] == [f"c{n}" for n in sorted(part)]
            assert await node.next_push_at() == SOON + min(part)
            assert len(await node.push_due(LATER, 3)) == 3
            assert await node.count_work() == {("p", "waiting"): 64}

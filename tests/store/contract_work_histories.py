"""Random histories of work, step by step against the model: offers, leases, renewals, pushes, ends of runs."""

from collections import Counter
from random import Random
from typing import Final

import pytest

from penstock.store import Store
from penstock.store.rows import Committed, RunCommit, WorkRow
from tests.store.contract_work import work
from tests.store.samples import BEGAN, ended, run_id, turn
from tests.store.work_model import Key, WorkModel

STEPS: Final = 120
RUNS: Final = 3
PULL: Final = ("t", "u")
PUSH: Final = ("p", "q")


class History:
    """One store, one model, one source of chance."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.model = WorkModel()
        self.random = Random(seed)
        self.versions = dict.fromkeys(range(RUNS), 0)
        self.now = BEGAN
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        steps = (self.turn, self.turn, self.lease, self.lease, self.settle, self.settle, self.push, self.redeliver)
        for _ in range(STEPS):
            self.now += self.random.randrange(20)
            step = self.random.choice(steps)
            await step()
            assert await self.store.list_work(limit=999) == self.model.listed(), step.__name__

    async def turn(self) -> None:
        """Offers and withdrawals by a run that goes on, has ended, or by a turn that is stale."""
        number = self.random.randrange(RUNS)
        stale, ends = self.random.random() < 0.1, self.random.random() < 0.04
        version = self.versions[number] + (3 if stale else 1)
        one = self._turn(number, version, ends)
        holds = isinstance((await self.store.commit([one]))[0], Committed)
        assert holds is not stale
        if not holds:
            return
        self.versions[number] = version
        self.model.withdraw(lambda row: row.call_id in one.withdraw or (row.call_id, row.tool) in one.withdraw_tools)
        for offer in one.offers:
            self.model.offer(offer)
        if ends:
            self.model.withdraw(lambda row: row.run_id == run_id(number))

    def _turn(self, number: int, version: int, ends: bool) -> RunCommit:
        calls = [self._call(number) for _ in range(3)]
        offers = [self._offer(number, call) for call in calls if self.random.random() < 0.8]
        lone = (calls[1], self.random.choice(PULL))
        return (ended if ends else turn)(
            number,
            version,
            offers=tuple(offers),
            withdraw=(self._call(number),) if self.random.random() < 0.3 else (),
            withdraw_tools=(lone,) if self.random.random() < 0.3 else (),
        )

    def _call(self, number: int) -> str:
        return f"{number}.{self.random.randrange(8)}"

    def _offer(self, number: int, call: str) -> WorkRow:
        tool = self.random.choice(PULL + PUSH)
        kind = "pull" if tool in PULL else "push"
        due_at = self.now + self.random.choice((0, 0, 15))
        return work(call, tool, kind=kind, run_id=run_id(number), due_at=due_at, created_at=self.now)

    async def lease(self) -> None:
        tool, limit = self.random.choice(PULL), self.random.randrange(4)
        until, holder = self.now + self.random.randrange(60), f"h{limit}"
        assert await self.store.next_work_at(tool) == self.model.next_work_at(tool)
        got = await self.store.lease_work(tool, now=self.now, until=until, holder=holder, limit=limit)
        assert got == self.model.lease_work(tool, self.now, until, holder, limit)
        self.done["leased"] += len(got)

    async def settle(self) -> None:
        """Renews or returns with a token that may be old."""
        key = self._key(PULL)
        known = self.model.rows.get(key)
        token = (known.token if known else 1) - (self.random.random() < 0.3)
        until = self.now + self.random.randrange(60)
        if self.random.random() < 0.5:
            expected = self.model.renew_work(key, token, until)
            assert await self.store.renew_work(*key, token, until) is expected
        else:
            due_at = self.random.choice((None, until))
            expected = self.model.return_work(key, token, due_at)
            assert await self.store.return_work(*key, token, due_at=due_at) is expected
        self.done["settled"] += expected

    async def push(self) -> None:
        due = self.model.push_due(self.now)
        assert await self.store.push_due(self.now, 999) == due
        everything = self.model.push_due(1 << 60)
        assert await self.store.next_push_at() == (everything[0].due_at if everything else None)
        key = (due[0].call_id, due[0].tool) if due else self._key(PUSH)
        attempts = (self.model.rows[key].attempts if key in self.model.rows else 0) + self.random.choice((1, 1, 1, 0))
        state = self.random.choice(("waiting", "sent", "dead"))
        expected = self.model.push_result(key, state, attempts, self.now + 5)
        call = self.store.push_result(*key, state=state, attempts=attempts, due_at=self.now + 5, reason=state)
        assert await call is expected
        self.done["pushed"] += expected

    async def redeliver(self) -> None:
        tool = self.random.choice(PUSH)
        expected = self.model.redeliver(tool)
        assert await self.store.redeliver(tool=tool) == expected
        self.done["redelivered"] += expected
        counted = Counter((row.tool, row.state) for row in self.model.rows.values())
        assert await self.store.count_work() == counted

    def _key(self, tools: tuple[str, ...]) -> Key:
        """Often one that is there."""
        there = [key for key in self.model.rows if key[1] in tools]
        if there and self.random.random() < 0.9:
            return self.random.choice(sorted(there))
        return self._call(self.random.randrange(RUNS)), self.random.choice(tools)


class WorkHistoryContract:
    @pytest.mark.parametrize("seed", range(6))
    async def test_a_random_history_of_work_goes_as_the_model_says(self, store: Store, seed: int) -> None:
        history = History(store, seed)
        await history.run()
        assert set(history.done) == {"leased", "settled", "pushed", "redelivered"}
        assert min(history.done["leased"], history.done["settled"], history.done["pushed"]) > 2, (
            "the history is a rich one"
        )

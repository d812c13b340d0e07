"""The rule by which members share the partitions, against random histories of members that come, go and fall silent."""

from collections.abc import Collection
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.model.limits import MAX_NODES, NODE_GONE_MS, PARTITIONS
from penstock.store.shares import EVERY_PARTITION, NodeRow, Settlement, settle

LEASE_MS = 10_000


def member(number: int, *, engine: bool = True, seen_at: int = 0, held: frozenset[int] = frozenset()) -> NodeRow:
    return NodeRow(
        id=f"n{number}",
        name="",
        engine=engine,
        joined_at=seen_at,
        seen_at=seen_at,
        until=seen_at + LEASE_MS,
        partitions=held,
    )


class Table:
    """Members and partitions, as a store keeps them; `renew` does what the rule says, as a store does."""

    def __init__(self) -> None:
        self.now = 0
        self.joined = 0
        self.rows: dict[str, NodeRow] = {}
        self.unconnected: set[str] = set()
        self.moves = 0

    def join(self, *, engine: bool = True) -> str:
        row = member(self.joined, engine=engine, seen_at=self.now)
        self.joined += 1
        self.rows[row.id] = row
        return row.id

    def change(self, node: str, **changes: object) -> None:
        self.rows[node] = msgspec.structs.replace(self.rows[node], **changes)

    def renew(self, node: str) -> Settlement:
        self.change(node, seen_at=self.now, until=self.now + LEASE_MS)
        due = settle(list(self.rows.values()), self.unconnected, node, self.now)
        for gone in due.expel:
            del self.rows[gone]
        self.change(node, partitions=self.rows[node].partitions | due.take)
        self.moves += len(due.take)
        return due

    def release(self, node: str, partitions: frozenset[int]) -> None:
        self.change(node, partitions=self.rows[node].partitions - partitions)

    def everybody_renews(self, times: int, but: Collection[str] = ()) -> None:
        """All members but some renew one after the other, and release at once what they have too much."""
        for _ in range(times):
            for node in list(self.rows):
                if node in self.rows and node not in but:
                    self.release(node, self.renew(node).surplus)

    @property
    def engines(self) -> list[NodeRow]:
        return [row for row in self.rows.values() if row.engine]

    def is_even(self) -> bool:
        counts = sorted(len(row.partitions) for row in self.engines)
        return not counts or (sum(counts) == PARTITIONS and counts[-1] - counts[0] <= 1)


@given(st.integers(1, MAX_NODES), st.integers(0, 5))
def test_everybody_has_an_even_part_after_everybody_renewed_and_released_twice(engines: int, others: int) -> None:
    table = Table()
    first = table.join()
    table.renew(first)
    for _ in range(others):
        table.join(engine=False)
    for _ in range(engines - 1):
        table.join()
    table.everybody_renews(2)
    assert table.is_even()
    assert all(not row.partitions for row in table.rows.values() if not row.engine)


@given(st.integers(1, 20), st.data())
def test_what_is_even_stays_as_it_is(engines: int, data: st.DataObject) -> None:
    table = Table()
    for _ in range(engines):
        table.join()
    table.everybody_renews(2)
    before, moves = dict(table.rows), table.moves
    for node in data.draw(st.lists(st.sampled_from(list(table.rows)), max_size=20)):
        due = table.renew(node)
        assert (due.take, due.surplus, due.expel) == (frozenset(), frozenset(), frozenset())
    assert {row.id: row.partitions for row in table.rows.values()} == {n: row.partitions for n, row in before.items()}
    assert table.moves == moves


@given(st.integers(1, 20))
def test_a_newcomer_moves_no_more_than_its_part(engines: int) -> None:
    table = Table()
    for _ in range(engines):
        table.join()
    table.everybody_renews(2)
    moves = table.moves
    new = table.join()
    table.everybody_renews(2)
    assert table.is_even()
    assert table.moves - moves == len(table.rows[new].partitions)


@given(st.integers(2, 20), st.data())
def test_a_member_that_fell_silent_moves_no_more_than_its_part(engines: int, data: st.DataObject) -> None:
    table = Table()
    for _ in range(engines):
        table.join()
    table.everybody_renews(2)
    silent = data.draw(st.sampled_from(list(table.rows)))
    had, moves = table.rows[silent].partitions, table.moves
    table.now += LEASE_MS // 2
    table.everybody_renews(1, but=[silent])
    assert table.moves == moves
    table.now += LEASE_MS // 2
    table.everybody_renews(1, but=[silent])
    assert silent not in table.rows
    assert table.is_even()
    assert table.moves - moves == len(had)


def test_a_silent_member_is_expelled_when_its_time_is_over_and_not_before() -> None:
    rows = [member(0, held=EVERY_PARTITION), member(1)]
    early, late = (settle(rows, (), "n1", now) for now in (LEASE_MS - 1, LEASE_MS))
    assert (early.expel, early.free, early.take, early.engines) == (frozenset(), frozenset(), frozenset(), 2)
    assert (late.expel, late.free, late.take, late.engines) == ({"n0"}, EVERY_PARTITION, EVERY_PARTITION, 1)


def test_a_member_without_its_connection_is_expelled_a_moment_after_it_was_seen() -> None:
    rows = [member(0, held=EVERY_PARTITION), member(1)]
    assert settle(rows, {"n0"}, "n1", NODE_GONE_MS).expel == frozenset()
    assert settle(rows, {"n0"}, "n1", NODE_GONE_MS + 1).expel == {"n0"}


def test_nobody_expels_itself() -> None:
    assert settle([member(0)], {"n0"}, "n0", 10 * LEASE_MS).expel == frozenset()


def test_who_is_not_a_member_expels_and_takes_nothing() -> None:
    due = settle([member(0, held=EVERY_PARTITION)], (), "", LEASE_MS)
    assert (due.expel, due.take, due.surplus, due.engines) == ({"n0"}, frozenset(), frozenset(), 0)


class Sharing(RuleBasedStateMachine):
    """Members join, renew, release, fall silent and lose their connections in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.silent: set[str] = set()

    def living(self) -> list[str]:
        return [node for node in self.table.rows if node not in self.silent]

    @precondition(lambda self: len(self.table.rows) < 8)
    @rule(engine=st.booleans())
    def join(self, engine: bool) -> None:
        self.table.join(engine=engine)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), release=st.booleans())
    def renew(self, data: st.DataObject, release: bool) -> None:
        node = data.draw(st.sampled_from(self.living()))
        had = self.table.rows[node].partitions
        due = self.table.renew(node)
        assert node not in due.expel
        assert due.take <= due.free
        assert len(had | due.take) <= max(len(had), -(-PARTITIONS // max(1, due.engines)))
        if release:
            self.table.release(node, due.surplus)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), connected=st.booleans())
    def fall_silent(self, data: st.DataObject, connected: bool) -> None:
        node = data.draw(st.sampled_from(self.living()))
        self.silent.add(node)
        if not connected:
            self.table.unconnected.add(node)

    @rule(ms=st.integers(1, LEASE_MS // 3))
    def pass_time(self, ms: int) -> None:
        self.table.now += ms

    @invariant()
    def nobody_shares_a_partition(self) -> None:
        parts = [row.partitions for row in self.table.rows.values()]
        assert sum(map(len, parts)) == len(frozenset().union(*parts))

    @invariant()
    def members_that_take_requests_only_hold_nothing(self) -> None:
        assert all(row.engine or not row.partitions for row in self.table.rows.values())

    def teardown(self) -> None:
        """Whatever was: when those who are left go on, everything is held, evenly, after a lease and a few rounds."""
        for _ in range(4):
            self.table.everybody_renews(1, but=self.silent)
            self.table.now += LEASE_MS // 3
        self.table.everybody_renews(2, but=self.silent)
        if self.living():
            assert not self.silent & self.table.rows.keys()
            assert self.table.is_even()


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=30)


def test_the_oldest_members_hold_what_cannot_be_divided() -> None:
    table = Table()
    for _ in range(3):
        table.join()
    table.everybody_renews(2)
    counts = [len(row.partitions) for row in table.engines]
    assert counts == [22, 21, 21]
    assert all(older >= newer for older, newer in pairwise(counts))

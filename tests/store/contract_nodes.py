"""What every store does for nodes, also one that cannot be shared: a member that is alone holds everything."""

from penstock.store import Store
from penstock.store.notices import SharesChanged
from penstock.store.rows import Committed, Stale
from penstock.store.shares import EVERY_PARTITION
from tests.store.samples import committed, run_id, turn


class NodeContract:
    async def test_a_member_that_is_alone_holds_everything(self, store: Store) -> None:
        shares = await store.renew()
        assert (shares.held, shares.surplus, shares.engines) == (EVERY_PARTITION, frozenset(), 1)
        assert shares.node
        assert (await store.renew()).node == shares.node

    async def test_runs_of_every_partition_can_be_moved(self, store: Store) -> None:
        turns = [turn(number, end=number) for number in range(64)]
        assert [type(outcome) for outcome in await store.commit(turns)] == [Committed] * 64
        later = [turn(number, 2, end=number) for number in range(64)]
        assert [type(outcome) for outcome in await store.commit(later)] == [Committed] * 64

    async def test_a_run_may_be_created_for_whoever_holds_it(self, store: Store) -> None:
        committed(await store.commit([turn(1, unowned=True)]))
        stored = await store.load_run(run_id(1))
        assert stored is not None
        assert stored.version == 1
        assert await store.commit([turn(1, unowned=True)]) == [Stale()]
        committed(await store.commit([turn(1, 2)]))

    async def test_messages_are_found_by_their_numbers_until_they_are_consumed(self, store: Store) -> None:
        sent = await store.send([(run_id(1), b"a"), (run_id(2), b"b"), (run_id(1), b"c")])
        seqs = [row.seq for row in sent]
        assert await store.inbox_rows([seqs[2], 999_999, seqs[0]]) == [sent[0], sent[2]]
        await store.commit([turn(1, consumed=(seqs[0],))])
        assert await store.inbox_rows(seqs) == sent[1:]
        assert await store.inbox_rows([]) == []

    async def test_calling_runs_of_some_partitions_are_among_those_of_all(self, store: Store) -> None:
        await store.commit([turn(n, end=n, run={"calling": True}) for n in (1, 2, 3)])
        every = [run_id(n, n) for n in (1, 2, 3)]
        assert await store.calling_runs("", 9) == every
        assert set(await store.calling_runs("", 9, {2})) >= {every[1]}
        assert await store.calling_runs(every[1], 9, {3}) == every[2:]

    async def test_what_is_released_is_held_again_after_the_next_renewal(self, store: Store) -> None:
        await store.release([1, 2])
        await store.release([])
        store.tell(SharesChanged())
        assert (await store.renew()).held == EVERY_PARTITION
        committed(await store.commit([turn(1, end=1)]))

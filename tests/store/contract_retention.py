"""What every store tells of ended runs, so that old ones can be deleted and none that is needed."""

from penstock.model.json_value import Json
from penstock.store import Store
from penstock.store.rows import Delivery, RunCommit, StartKey
from tests.store.samples import BEGAN, event, run_id, turn

FOREVER = 2**53


def over(number: int, after_ms: int, **changes: Json) -> RunCommit:
    """A run that ended so long after `BEGAN`."""
    return turn(number, run={"status": "completed", "ended_at": BEGAN + after_ms, **changes})


def child(number: int, parent: int, after_ms: int) -> RunCommit:
    return over(number, after_ms, parent_id=run_id(parent))


async def ended(store: Store, *, before: int = FOREVER, keep: int = 0, name: str = "demo") -> list[str]:
    """Ids that may go, in pages of two."""
    found: list[tuple[int, str]] = []
    while page := await store.ended_runs(
        "default", name, before=before, keep=keep, after=found[-1] if found else (0, ""), limit=2
    ):
        found += page
    assert found == sorted(found)
    return [identity for _, identity in found]


class RetentionContract:
    async def test_runs_that_ended_before_an_instant_come_the_earliest_first(self, store: Store) -> None:
        await store.commit([over(1, 30), over(2, 10), over(3, 20), turn(4), over(5, 40)])
        assert await ended(store, before=BEGAN + 30) == [run_id(2), run_id(3)]
        assert await ended(store) == [run_id(2), run_id(3), run_id(1), run_id(5)]
        assert await store.ended_runs("default", "demo", before=FOREVER, keep=0, limit=1) == [(BEGAN + 10, run_id(2))]

    async def test_every_end_counts_and_no_other_status(self, store: Store) -> None:
        statuses = ["completed", "faulted", "cancelled"]
        await store.commit([over(n, n, status=status) for n, status in enumerate(statuses)])
        others = ["pending", "running", "waiting", "suspended"]
        await store.commit([turn(n, run={"status": status}) for n, status in enumerate(others, 10)])
        assert await ended(store) == [run_id(n) for n in range(3)]

    async def test_the_runs_that_ended_last_are_kept_by_number(self, store: Store) -> None:
        await store.commit([over(n, 100 - n) for n in range(5)])
        assert await ended(store, keep=2) == [run_id(4), run_id(3), run_id(2)]
        assert await ended(store, keep=2, before=BEGAN + 98) == [run_id(4), run_id(3)]
        assert await ended(store, keep=5) == []
        assert await ended(store, keep=4) == [run_id(4)]

    async def test_runs_that_ended_together_are_kept_by_their_id(self, store: Store) -> None:
        await store.commit([over(n, 7) for n in range(4)])
        assert await ended(store, keep=1) == [run_id(0), run_id(1), run_id(2)]
        assert await ended(store, before=BEGAN + 7) == []

    async def test_workflows_are_apart(self, store: Store) -> None:
        await store.commit([over(1, 1), over(2, 2, name="other"), over(3, 3, namespace="elsewhere")])
        assert await ended(store) == [run_id(1)]
        assert await ended(store, name="other") == [run_id(2)]
        assert await ended(store, name="other", keep=1) == []

    async def test_a_child_of_a_live_run_is_left_out(self, store: Store) -> None:
        await store.commit([turn(1), over(2, 50), child(3, 1, 5), child(4, 2, 6), child(5, 99, 7), over(6, 8)])
        assert await ended(store) == [run_id(4), run_id(5), run_id(6), run_id(2)]
        await store.commit([turn(1, 2, run={"status": "faulted", "ended_at": BEGAN + 60})])
        assert await ended(store) == [run_id(n) for n in (3, 4, 5, 6, 2, 1)]

    async def test_workflows_with_ended_runs_come_in_order(self, store: Store) -> None:
        await store.commit(
            [over(1, 1, name="b"), over(2, 2, name="b"), over(3, 3, name="a"), turn(4, run={"name": "c"})]
        )
        await store.commit([over(5, 5, namespace="another", name="z")])
        everything = [("another", "z"), ("default", "a"), ("default", "b")]
        assert await store.ended_workflows(("", ""), 10) == everything
        assert await store.ended_workflows(("", ""), 2) == everything[:2]
        assert await store.ended_workflows(("default", "a"), 10) == everything[2:]
        assert await store.ended_workflows(("default", "b"), 10) == []

    async def test_what_was_deleted_is_no_longer_told_of(self, store: Store) -> None:
        key = StartKey("default", "demo", "k", b"hash", run_id(1))
        await store.commit([over(1, 1, labels={"a": "b"}), over(2, 2)], [key])
        (stored,) = await store.put_events([event("e")])
        assert stored is not None
        await store.deliver([Delivery(stored.seq, run_id(1), b"m")])
        assert await store.delete_runs(await ended(store, keep=1)) == 1
        assert await ended(store) == [run_id(2)]
        assert await store.start_key("default", "demo", "k") is None
        assert await store.list_events(run=run_id(1), limit=9) == []
        assert [row.id for row in await store.list_events(limit=9)] == ["e"], "events have an expiry of their own"
        await store.delete_runs([run_id(2)])
        assert await store.ended_workflows(("", ""), 10) == []

    async def test_giving_space_back_comes_to_an_end_and_loses_nothing(self, store: Store) -> None:
        await store.commit([over(n, n, fault_title="f" * 200) for n in range(50)])
        assert await store.delete_runs([run_id(n) for n in range(40)]) == 40
        while await store.release_space():
            pass
        assert await ended(store) == [run_id(n) for n in range(40, 50)]

"""The time in a run's id is the time of its creation, however it came to be: lists between two times rely on it."""

from penstock.kernel.ids import first_id, time_of
from penstock.runtime.clock import SystemClock
from penstock.runtime.settings import Settings

from .conftest import document, opened

CHILD = document("child", "  - say: {set: {said: hello}}\n")
PARENT = document("parent", "  - call: {run: {workflow: {namespace: test, name: child, version: '1.0.0'}}}\n")


class HastyClock(SystemClock):
    """A second passes whenever somebody looks, so that no two looks can be taken for one."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def now_ms(self) -> int:
        self._looks += 1
        return super().now_ms() + self._looks * 1000


async def test_runs_children_retries_and_delayed_runs(settings: Settings) -> None:
    async with opened(settings, clock=HastyClock()) as engine:
        for text in (CHILD, PARENT):
            await engine.deploy(text)
        parent = await engine.wait_run((await engine.start_run("test", "parent")).id, 10)
        assert parent.status == "completed"
        await engine.wait_run((await engine.retry(parent.id, "/do/0/call")).id, 10)
        await engine.start_run("test", "child", at=engine.clock.now_ms() + 3_600_000)
        runs = await engine.list_runs()
        assert len(runs) == 5, "two parents, two children, and one to come"
        assert [time_of(run.id) for run in runs] == [run.created_at for run in runs]
        for place, run in enumerate(runs):
            assert await engine.list_runs(since=run.created_at) == runs[: place + 1]
            assert await engine.list_runs(until=run.created_at) == runs[place + 1 :]


def test_the_first_id_of_a_time() -> None:
    assert first_id(time_of("018bcfe5-6800-7000-8000-000000000000")) == "018bcfe5-6800"
    assert first_id(-5) == "00000000-0000"
    assert first_id(1 << 60) == "ffffffff-ffff"

"""Every work of the bench with this engine, tiny: that it counts right, not how long it takes."""

from pathlib import Path

import pytest

from bench.http_service import port_of, serve
from bench.measure import measure
from bench.plan import HEADLINES, TITLES
from bench.plot import plot
from bench.processes import Place
from bench.report import report
from bench.results import Measurement, Results
from bench.works import Sizes

TINY = Sizes(
    seconds=0.2, warm=2, alone=2, concurrent=4, waiting=5, forks=1, timers=3, timer_seconds=1, crashed=7
)  # fmt: skip
COUNTS = {"W3": TINY.waiting, "W4": TINY.forks, "W5": TINY.timers, "W6": TINY.crashed}
"""How many runs a work must have done; of the others it is as many as fit into their time."""

pytestmark = pytest.mark.slow


async def successor(given: dict[str, int]) -> object:
    return {"n": given["n"] + 1}


async def done(name: str, work: str, directory: Path) -> dict[str, float]:
    """The figures of one measurement, in which every result of every run has been compared with what it must be."""
    service = await serve(successor)
    async with service:
        figures, version = await measure(Place(name, work, directory, "", port_of(service), TINY))
    assert version
    return figures


@pytest.mark.parametrize("work", TITLES)
async def test_every_run_of_a_work_ends_with_its_result(work: str, tmp_path: Path) -> None:
    figures = await done("penstock", work, tmp_path)
    assert figures["runs"] == COUNTS.get(work, figures["runs"])
    assert figures["runs"] >= 1
    assert figures[HEADLINES[work][0]] > 0


async def test_after_a_kill_no_step_that_had_ended_runs_again(tmp_path: Path) -> None:
    figures = await done("penstock", "W6", tmp_path)
    assert figures["ended steps again"] == 0


@pytest.mark.parametrize("work", ["W1", "W2", "W4", "W7"])
async def test_the_floor_does_the_same_work(work: str, tmp_path: Path) -> None:
    assert (await done("floor", work, tmp_path))["runs"] >= 1


def test_a_ratio_compares_subjects_of_one_round_and_turns_around_where_less_is_better() -> None:
    results = Results([], "")
    for number, (ours, theirs) in enumerate([(10.0, 2.0), (30.0, 3.0), (50.0, 2.0)]):
        for work, figure in (("W1", "runs/s"), ("W4", "ms")):
            results.measured.append(Measurement(work, "penstock", number, {figure: ours}, 0.0, 1.0, 1.0))
            results.measured.append(Measurement(work, "floor", number, {figure: theirs}, 0.0, 1.0, 1.0))
    faster, slower = results.ratio("W1", "floor"), results.ratio("W4", "floor")
    assert faster is not None and (faster.least, faster.median, faster.most) == (5.0, 10.0, 25.0)
    assert slower is not None and slower.median == pytest.approx(1 / 10)


def test_the_report_names_what_was_left_out_and_why() -> None:
    results = Results([], "")
    results.measured.append(Measurement("W1", "penstock", 0, {"runs/s": 1_234.5}, 0.0, 1.0, 1.0))
    results.skipped["W3", "floor"] = "no events"
    assert "| floor | W3 | no events |" in report(results)
    assert "1,234" in report(results)
    assert plot(results).count("<rect") == 2  # the paper and one bar

"""Every work of the bench with this engine, tiny: that it counts right, not how long it takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.http_service import port_of, serve
from bench.measure import measure
from bench.plan import HEADLINES, TITLES
from bench.plot import plot
from bench.processes import PEERS, Place
from bench.report import report
from bench.restate_program import VARIABLE, RestateProgram, restate_program, why_not
from bench.results import Measurement, Results
from bench.works import Sizes

TINY = Sizes(
    seconds=0.2, warm=2, alone=2, concurrent=4, waiting=5, forks=1, timers=3, timer_seconds=1, crashed=7, window=5
)  # fmt: skip
COUNTS = {"W3": TINY.waiting, "W4": TINY.forks, "W5": TINY.timers, "W6": TINY.crashed}
"""How many runs a work must have done; of the others it is as many as fit into their time."""

pytestmark = pytest.mark.slow


async def successor(given: dict[str, int]) -> object:
    return {"n": given["n"] + 1}


async def done(name: str, work: str, directory: Path, *, size: int = 0, database: str = "") -> dict[str, float]:
    """The figures of one measurement, in which every result of every run has been compared with what it must be."""
    service = await serve(successor)
    async with service:
        figures, version = await measure(
            Place(name, work, directory, database, port_of(service), replace(TINY, size=size))
        )
    assert version
    return figures


@pytest.mark.parametrize("work", TITLES)
async def test_every_run_of_a_work_ends_with_its_result(work: str, tmp_path: Path) -> None:
    figures = await done("penstock", work, tmp_path)
    assert figures["runs"] == COUNTS.get(work, figures["runs"])
    assert figures["runs"] >= 1
    assert figures[HEADLINES[work][0]] > 0


async def test_each_step_is_counted_with_what_it_costs(tmp_path: Path) -> None:
    figures = await done("penstock", "W1", tmp_path)
    assert figures["alone commits/step"] == figures["alone turns/step"] == pytest.approx(1.2)
    assert figures["statements/step"] > 0 < figures["CPU µs/step"]
    assert figures["KB kept/run"] > 0 < figures["KB written/run"]


async def test_runs_are_parked_in_one_process_and_woken_in_the_next(tmp_path: Path) -> None:
    first = await done("penstock", "W8a", tmp_path, size=20)
    second = await done("penstock", "W8a", tmp_path, size=40)
    assert (first["parked"], second["parked"]) == (20, 40)
    assert first["turns/event"] == second["turns/event"] == 1
    assert second["event to end p50 ms"] > 0 < second["KB kept/parked run"]


@pytest.mark.parametrize(
    ("work", "size", "figure"),
    [("W8b", 60, "one more step p50 ms"), ("W8c", 500, "steps/s"), ("W8d", 30, "CPU ms/run")],
)
async def test_a_step_is_measured_by_size(work: str, size: int, figure: str, tmp_path: Path) -> None:
    assert (await done("penstock", work, tmp_path, size=size))[figure] > 0


async def test_nodes_that_share_a_database_do_the_work_of_one(postgres_url: str, tmp_path: Path) -> None:
    for work in ("W9a", "W9b"):
        directory = tmp_path / work
        directory.mkdir()
        figures = await done("penstock-pg", work, directory, size=1, database=postgres_url)
        assert figures["nodes"] == 1 <= figures["runs"]


@pytest.mark.skipif(
    bool(why_not()) or not PEERS.exists(), reason="Restate's server or the bench's environment is missing"
)
@pytest.mark.parametrize("work", ["W1", "W3", "W6", "W7"])
async def test_restate_does_the_same_work(work: str, tmp_path: Path) -> None:
    figures = await done("restate", work, tmp_path)
    assert figures["runs"] == COUNTS.get(work, figures["runs"])
    assert figures.get("ended steps again", 0) == 0


def test_restate_is_found_where_the_environment_says_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "restate-server"
    monkeypatch.setenv(VARIABLE, str(program))
    assert restate_program() is None
    assert f"{VARIABLE}={program}" in why_not()
    program.write_text("#!/bin/sh\necho restate-server 9.8.7\n")
    program.chmod(0o755)
    assert restate_program() == RestateProgram(program, "9.8.7")
    assert why_not() == ""


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


def test_the_report_compares_each_size_with_the_smallest() -> None:
    results = Results([], "")
    for size, figure in ((1_000, 2.0), (10_000, 3.0)):
        figures = {"parked": size, "event to end p50 ms": figure}
        results.measured.append(Measurement("W8a", "penstock", 0, figures, 0.0, 1.0, 1.0, size))
    page = report(results, "results-size", drawn=False)
    assert "| penstock | 1,000 | 10,000 |" in page
    assert "| event to end p50 ms | **2** | **3** (× 1.50) |" in page
    assert "svg" not in page

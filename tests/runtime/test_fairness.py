"""Nobody starves: a long loop beside small runs, many parked runs beside nothing at all."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from penstock.runtime.engine import Engine

from .conftest import document
from .test_events import event

PARKED = 5_000
SOURCES = Path(__file__).resolve().parents[2] / "src"

PARK = """
import asyncio, gc, json, resource, sys, time
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings

def resident_mb():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

async def main(directory, count):
    async with Engine(Settings(store=f"sqlite:{directory}/p.db", data_dir=directory, log_level="error")) as engine:
        await engine.deploy("document: {dsl: '1.0.3', namespace: t, name: p, version: '1.0.0'}\\n"
                            "do:\\n- a: {set: {n: '${ .n }', text: '${ .text }'}}\\n- w: {wait: P1D}\\n")
        for n in range(50):
            await engine.start_run("t", "p", "1.0.0", {"n": n, "text": "x" * 100})
        before = resident_mb()
        for start in range(0, count, 250):
            await asyncio.gather(*(engine.start_run("t", "p", "1.0.0", {"n": n, "text": "x" * 100})
                                   for n in range(start, start + 250)))
        cpu = time.process_time()
        await asyncio.sleep(2)
        print(json.dumps({"cpu_s": time.process_time() - cpu, "mb": resident_mb() - before,
                          "timers": len(engine._parts.timers), "waiting": len(await engine.list_runs(limit=1))}))
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


LONG = """
- a: {set: {items: '${ [range(100000)] | map(1) }'}}
- l: {for: {in: '${ .items }'}, do: [{s: {set: {n: '${ (.n // 0) + 1 }'}}}]}
"""


@pytest.mark.slow
async def test_long_loops_starve_nobody(engine: Engine) -> None:
    """Two loops of a hundred thousand iterations; small runs beside them take their usual moment."""
    await engine.deploy(document("long", LONG.lstrip()))
    await engine.deploy(document("small", "- s: {set: {n: '${ .n }'}}\n"))
    long = [await engine.start_run("test", "long", "latest", {}) for _ in range(2)]
    times: list[float] = []
    while len([row for row in await engine.list_runs(name="long") if not row.ended_at]) == 2:
        began = perf_counter()
        run = await engine.start_run("test", "small", "latest", {"n": len(times)})
        assert (await engine.wait_run(run.id, 30)).output == {"n": len(times)}
        times.append(perf_counter() - began)
    assert len(times) >= 10
    assert sorted(times)[len(times) * 9 // 10] < 1.0
    ended = [await engine.wait_run(run.id, 60) for run in long]
    assert [run.output for run in ended] == [{"n": 100_000}] * 2


@pytest.mark.slow
async def test_parked_runs_cost_no_cpu_and_little_memory(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARK, str(tmp_path), str(PARKED)),
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SOURCES), "PATH": os.defpath},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    measured = json.loads(out)
    assert measured["mb"] < 50
    assert measured["cpu_s"] < 0.1
    assert measured["timers"] == 0


async def test_an_expression_that_never_ends_holds_up_no_other_run(engine: Engine) -> None:
    """Runs that one event moves at the same moment go on one by one, each when it has its own answers."""
    go = "- l: {listen: {to: {one: {with: {type: go}}}}}\n"
    await engine.deploy(document("hostile", go + "- a: {set: {x: '${ last(range(1e13)) }'}}\n"))
    await engine.deploy(document("probe", go + "- a: {set: {x: '${ [.[] | select(. > 1)] | add }'}}\n"))
    names = ["probe"] * 4 + ["hostile"] + ["probe"] * 4
    runs = [await engine.start_run("test", name, "latest", {}) for name in names]
    await engine.publish([event("go", 2)])
    hostile = runs.pop(4)
    for run in runs:
        assert (await engine.wait_run(run.id, 60)).output == {"x": 2}
    assert not (await engine.get_run(hostile.id)).ended
    assert (await engine.wait_run(hostile.id, 60)).status == "faulted"

"""A system with live runs of many kinds is stopped and moved, and goes on to the ends it would have had."""

import itertools
from pathlib import Path
from typing import Final

import pytest

from penstock.model.json_value import Json
from penstock.model.limits import INLINE_VALUE_BYTES
from penstock.runtime.clock import SystemClock
from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings
from penstock.store.move import move
from penstock.tools.contract import HttpTransport, ToolDefinition
from tests.runtime.conftest import document, opened, served
from tests.store.move_samples import quiet

HOUR_MS: Final = 3_600_000
LARGE: Final = {"text": "x" * INLINE_VALUE_BYTES * 3, "n": 7}
KEYED: Final = "{listen: {to: {one: {with: {type: go}, correlate: {k: {from: .data.k, expect: '${ .k }'}}}}}}"
WAIT: Final = "- doze: {wait: {hours: 1}}\n"
WORKFLOWS: Final = {
    "timer": WAIT + "- s: {set: {out: '${ .n * 2 }'}}\n",
    "keyed": f"- l: {KEYED}\n",
    "needs": "- c: {call: checknumber, with: {n: '${ .n }'}, timeout: {after: {hours: 9}}}\n- s: {set: {called: 1}}\n",
    "child": WAIT + "- s: {set: {double: '${ .n * 2 }'}}\n",
    "parent": "- p: {run: {workflow: {namespace: test, name: child, version: latest, input: {n: '${ .n }'}}}}\n",
    "held": WAIT + "- s: {set: {resumed: true}}\n",
    "large": WAIT,
    "later": "- l: {listen: {to: {one: {with: {type: early}}}}}\n",
    "quick": "- s: {set: {ended: '${ .n }'}}\n",
    "fails": "- r: {raise: {error: {type: 'https://example.com/boom', status: 500, title: Boom}}}\n",
}


class Ahead(SystemClock):
    """More than an hour later."""

    def now_ms(self) -> int:
        return super().now_ms() + HOUR_MS + 1_000


def event(type_: str, data: Json, **more: Json) -> dict[str, Json]:
    return {"specversion": "1.0", "id": f"{type_} {data}", "source": "/t", "type": type_, "data": data, **more}


async def begin(engine: Engine) -> dict[str, str]:
    """Starts a run of every kind; returns their ids by name."""
    for name, tasks in WORKFLOWS.items():
        await engine.deploy(document(name, tasks))
    await engine.put_secret("password", "hidden")
    await engine.publish([event("early", {"kept": 1}, penstockttl=7_200)])
    runs: dict[str, str] = {}
    for name in WORKFLOWS.keys() - {"child", "later", "keyed"}:
        given = LARGE if name == "large" else {"n": 7}
        run = await engine.start_run("test", name, "latest", given, labels={"is": name}, idempotency_key=f"k-{name}")
        runs[name] = run.id
    for key in ("a", "b"):
        runs[f"keyed {key}"] = (await engine.start_run("test", "keyed", "latest", {"k": key})).id
    await engine.suspend(runs["held"], "until it was moved")
    for name in ("quick", "fails"):
        assert (await engine.wait_run(runs[name], 20)).ended
    return runs


async def histories(engine: Engine, runs: dict[str, str]) -> dict[str, Json]:
    return {name: (await engine.history(run)).events for name, run in runs.items()}


async def go_on(engine: Engine, runs: dict[str, str], service_url: str) -> dict[str, tuple[str, Json]]:
    """Brings everything to its end; returns statuses and outputs."""
    for name in ("timer", "large", "held", "quick"):
        assert [row.id for row in await engine.list_runs(labels={"is": name})] == [runs[name]]
    for name in ("timer", "quick"):
        again = await engine.start_run(
            "test", name, "latest", {"n": 7}, labels={"is": name}, idempotency_key=f"k-{name}"
        )
        assert again.id == runs[name], "the key of a start still answers with its run"
    assert (await engine.get_run(runs["held"])).status == "suspended"
    await engine.resume(runs["held"])
    await engine.publish([event("go", {"k": "b"}), event("go", {"k": "a"})])
    await engine.put_tool(ToolDefinition("svc", "checknumber", HttpTransport(f"{service_url}/check")))
    runs["later"] = (await engine.start_run("test", "later", "latest", {})).id
    ends: dict[str, tuple[str, Json]] = {}
    for name, run in runs.items():
        view = await engine.wait_run(run, 30)
        ends[name] = (view.status, view.output)
    return ends


EXPECTED: Final[dict[str, tuple[str, Json]]] = {
    "timer": ("completed", {"out": 14}),
    "keyed a": ("completed", [{"k": "a"}]),
    "keyed b": ("completed", [{"k": "b"}]),
    "needs": ("completed", {"called": 1}),
    "parent": ("completed", {"double": 14}),
    "held": ("completed", {"resumed": True}),
    "large": ("completed", LARGE),
    "later": ("completed", [{"kept": 1}]),
    "quick": ("completed", {"ended": 7}),
    "fails": ("faulted", None),
}


@pytest.mark.mission("M129")
@pytest.mark.parametrize("way", ["to postgres", "to a file", "to postgres and back"])
async def test_live_runs_go_on_where_they_were_moved_to(
    way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stores = [f"sqlite:{tmp_path / 'penstock.db'}"]
    if "postgres" in way:
        stores.append(request.getfixturevalue("postgres_url"))
    if way != "to postgres":
        stores.append(f"sqlite:{tmp_path / 'other.db'}")

    def settings(store: str) -> Settings:
        return Settings(store=store, data_dir=str(tmp_path), log_level="error")

    async with opened(settings(stores[0])) as engine:
        runs = await begin(engine)
        before = await histories(engine, runs)
    for source, target in itertools.pairwise(stores):
        await move(source, target, now=lambda: 0, tell=quiet)
    async with served() as service, opened(settings(stores[-1]), clock=Ahead()) as engine:
        after = await histories(engine, runs)
        assert {name: events[: len(before[name])] for name, events in after.items()} == before
        assert await go_on(engine, runs, service.url) == EXPECTED
        assert service.bodies == [{"n": 7}]
        assert await engine.list_secrets() == ["password"]

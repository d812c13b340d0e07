"""What the server says of itself, and how it begins and ends."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import msgspec
import pytest

import penstock
from penstock.errors import InfrastructureError
from penstock.runtime.settings import Settings
from penstock.server.app import RunningServer, run_until_stopped, serve
from penstock.server.refusals import UnsafeBinding
from tests.server.client import Client, client_of, workflow

TOKEN = "a-token-for-a-test"


@pytest.mark.mission("M110")
async def test_health_readiness_and_version(client: Client) -> None:
    assert (await client.get("/healthcheck")).status == 204
    assert (await client.get("/healthz")).body == {"status": "ok"}
    assert (await client.get("/readyz")).body == {"status": "ready"}
    assert (await client.get("/version")).body == {"name": "penstock", "version": penstock.__version__}


async def test_metrics_are_prometheus_text(client: Client) -> None:
    await client.deploy(workflow("counted", [{"nothing": {"set": {"done": True}}}]))
    await client.post("/api/v1/workflows/tests/counted/runs?wait=20", {})
    answer = await client.get("/metrics")
    assert answer.media == "text/plain"
    assert "penstock_runs_started_total 1.0" in answer.body


async def test_requests_are_counted_by_route_and_not_by_what_callers_make_up(client: Client) -> None:
    for number in range(5):
        await client.get(f"/api/v1/runs/{number}")
        await client.get(f"/made-up-{number}")
        await client.send("PATCH", f"/api/v1/runs/{number}")
        await client.send(f"MADEUP{number}", "/healthz")
    told = (await client.get("/metrics")).body
    assert 'penstock_http_requests_total{method="GET",route="/api/v1/runs/{id}",status="404"} 5.0' in told
    assert 'penstock_http_requests_total{method="GET",route="none",status="404"} 5.0' in told
    assert 'penstock_http_requests_total{method="PATCH",route="none",status="405"} 5.0' in told
    assert "penstock_http_requests_in_flight 1.0" in told
    assert 'penstock_http_request_seconds_bucket{le="+Inf"} ' in told
    assert "made-up" not in told and "MADEUP" not in told


async def test_the_store_tells_of_itself(client: Client) -> None:
    await client.deploy(workflow("stored", [{"nothing": {"set": {"done": True}}}]))
    await client.post("/api/v1/workflows/tests/stored/runs?wait=20", {})
    samples = dict(line.rpartition(" ")[::2] for line in (await client.get("/metrics")).body.splitlines())
    assert float(samples["penstock_store_commits_total"]) >= 2
    assert float(samples["penstock_store_turns_total"]) == 1
    assert float(samples["penstock_store_statements_total"]) > 2
    for name in ("retried_batches_total", "failed_batches_total", "queue_length"):
        assert float(samples[f"penstock_store_{name}"]) == 0


async def test_the_page_is_self_contained_and_escapes(client: Client) -> None:
    await client.deploy(workflow("shown", [{"nothing": {"set": {"done": True}}}]))
    run = (await client.post("/api/v1/workflows/tests/shown/runs?wait=20", {})).body
    answer = await client.get("/docs")
    assert (answer.status, answer.media) == (200, "text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert run["id"] in answer.body
    assert "/api/v1/runs/{id}" in answer.body
    assert "<script" not in answer.body
    assert "http://" not in answer.body
    assert "https://" not in answer.body


async def test_a_server_with_a_store_of_its_own_is_the_only_node(client: Client) -> None:
    (node,) = (await client.get("/api/v1/nodes")).body["items"]
    assert (node["engine"], node["partitions"]) == (True, list(range(64)))
    assert node["name"].endswith(f":{os.getpid()}")
    assert node["joined_at"] <= node["seen_at"] < node["lease_until"]


async def test_answers_are_not_sniffed_and_not_stored(client: Client) -> None:
    for path in ("/healthz", "/openapi.json", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


async def test_an_open_address_without_a_token_is_refused(settings: Settings) -> None:
    with pytest.raises(UnsafeBinding, match="token"):
        async with serve(msgspec.structs.replace(settings, host="0.0.0.0")):  # noqa: S104 - must be refused
            pass


async def test_a_taken_port_is_said(settings: Settings, server: RunningServer) -> None:
    port = int(server.base_url.rpartition(":")[2])
    with pytest.raises(InfrastructureError, match=f"127.0.0.1:{port}"):
        async with serve(msgspec.structs.replace(settings, port=port)):
            pass


async def test_with_a_token_every_call_needs_it(settings: Settings) -> None:
    async with serve(msgspec.structs.replace(settings, token=TOKEN)) as server:
        async with client_of(server.base_url) as stranger:
            for path in (
                "/version",
                "/metrics",
                "/docs",
                "/openapi.json",
                "/api/v1/runs",
                "/s",
                "/healthcheck",
            ):
                assert (await stranger.get(path)).status == 401, path
            assert (await stranger.get("/healthz")).status == 200
            assert (await stranger.get("/readyz")).status == 200
        async with client_of(server.base_url, token=TOKEN) as known:
            assert (await known.get("/api/v1/runs")).status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_in_order(settings: Settings, number: signal.Signals) -> None:
    announced: asyncio.Queue[RunningServer] = asyncio.Queue()
    running = asyncio.create_task(run_until_stopped(settings, announced.put_nowait))
    server = await announced.get()
    async with client_of(server.base_url) as client:
        assert (await client.get("/readyz")).status == 200
        os.kill(os.getpid(), number)
        await asyncio.wait_for(running, 20)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.get("/readyz")


async def test_a_waiting_request_and_a_stream_do_not_hold_up_the_stop(settings: Settings) -> None:
    announced: asyncio.Queue[RunningServer] = asyncio.Queue()
    running = asyncio.create_task(run_until_stopped(settings, announced.put_nowait))
    server = await announced.get()
    async with client_of(server.base_url) as client:
        listening = [{"hear": {"listen": {"to": {"one": {"with": {"type": "never"}}}}}}]
        await client.deploy(workflow("held", listening))
        run = (await client.post("/api/v1/workflows/tests/held/runs", {})).body
        frames = client.frames(f"/api/v1/runs/{run['id']}/stream")
        await anext(frames)
        os.kill(os.getpid(), signal.SIGTERM)
        async for _ in frames:  # until the server ends it
            continue
        await asyncio.wait_for(running, 20)


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    settings = Settings(port=0, store=f"sqlite:{tmp_path / 'kept.db'}", data_dir=str(tmp_path))
    async with serve(settings) as server, client_of(server.base_url) as client:
        await client.deploy(workflow("kept", [{"answer": {"set": {"answer": 42}}}]))
        run = (await client.post("/api/v1/workflows/tests/kept/runs?wait=20", {})).body
    async with serve(settings) as server, client_of(server.base_url) as client:
        assert (await client.get(f"/api/v1/runs/{run['id']}")).body == run

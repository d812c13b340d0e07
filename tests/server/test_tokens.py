"""API tokens: what each scope may ask for, in which namespaces, and how a token begins and ends."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from penstock.model.json_value import Json
from penstock.model.limits import TOKEN_AGE_MS, TOKEN_KEPT_MS, TOKEN_TOUCH_MS
from penstock.runtime.clock import ManualClock, SystemIds
from penstock.runtime.settings import Settings
from penstock.runtime.tokens import SCOPES, Grant, Tokens, TokenWish
from penstock.server.app import RunningServer, all_endpoints, serve
from penstock.server.refusals import MissingScope
from penstock.server.scopes import RULES, SCOPES_WITH, require_publishing, require_tool, rule_of
from penstock.store import open_store
from tests.server.client import Answer, Client, client_of, workflow
from tests.server.http_tool import HttpTool, running_http_tool

GOLDEN: Final = Path(__file__).parent / "golden" / "scopes.txt"
"""Written anew by `PENSTOCK_WRITE_GOLDEN=1 pytest tests/server/test_tokens.py`."""
NOBODY: Final = "00000000-0000-7000-8000-000000000000"
EVENT: Final[dict[str, Json]] = {"specversion": "1.0", "id": "1", "source": "/t", "type": "a.finished"}
PLACES: Final = {
    "namespace": "one", "name": "mine", "version": "1.0.0", "id": NOBODY, "workflow": "absent", "token": "t",
    "slug": "s", "source": "%2Fs", "project": "p", "context": "c",
}  # fmt: skip


async def made(client: Client, *scopes: str, **members: Json) -> Json:
    answer = await client.post("/api/v1/tokens", {"name": "a token", "scopes": list(scopes), **members})
    assert answer.status == 201, answer.body
    return answer.body


@pytest.fixture
async def admin(server: RunningServer, client: Client) -> AsyncIterator[Client]:
    """A client with the first token of the server."""
    first = await made(client, "admin")
    async with client_of(server.base_url, token=first["token"]) as connected:
        yield connected


@asynccontextmanager
async def bearing(admin: Client, *scopes: str, **members: Json) -> AsyncIterator[Client]:
    """A client with a token of these scopes."""
    async with client_of(admin.base_url, token=(await made(admin, *scopes, **members))["token"]) as connected:
        yield connected


# The table


def routes(server: RunningServer) -> list[tuple[str, str]]:
    endpoints = all_endpoints(server.engine, asyncio.Event(), server.engine.settings)
    return sorted(((one.method, one.path) for one in endpoints), key=lambda route: (route[1], route[0]))


async def test_every_route_has_an_entry(server: RunningServer) -> None:
    assert [route for route in routes(server) if route not in RULES] == []


async def test_every_route_of_the_openapi_document_has_an_entry(client: Client) -> None:
    paths = (await client.get("/openapi.json")).body["paths"]
    listed = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    assert len(listed) > 40
    assert [route for route in listed if route not in RULES] == []


def test_a_route_without_an_entry_is_for_administrators_of_everything() -> None:
    assert rule_of("POST", "/not/in/the/table") == ("admin", "all")
    assert rule_of("HEAD", "/api/v1/runs") == rule_of("GET", "/api/v1/runs")


def test_the_table_is_the_golden_one() -> None:
    """A change of what a scope may do is a visible line."""
    lines: list[str] = []
    for (method, path), rule in sorted(RULES.items(), key=lambda item: (item[0][1], item[0][0])):
        who = " ".join(SCOPES_WITH.get(rule.right, (rule.right,)))
        extra = {"tool": " tool:NAME", "publish": " tool:NAME"}.get(rule.right, "")
        lines.append(f"{method} {path}: {who}{extra} [{rule.reach}]")
    text = "\n".join(lines) + "\n"
    if os.environ.get("PENSTOCK_WRITE_GOLDEN") == "1":
        GOLDEN.write_text(text, "utf8")
    assert GOLDEN.read_text("utf8") == text


async def asked(client: Client, method: str, path: str) -> Answer:
    if path == "/api/v1/events/stream":
        async with client.opened(path):
            return Answer(200, {}, None)
    return await client.send(method, path)


@pytest.mark.parametrize("scope", [*SCOPES, "tool:mine", "tool:other"])
async def test_a_token_gets_what_its_scope_may_and_nothing_else(
    admin: Client, server: RunningServer, scope: str
) -> None:
    async with bearing(admin, scope) as client:
        for method, path in routes(server):
            rule = rule_of(method, path)
            allowed = (
                rule.right in ("nobody", "anybody")
                or scope in SCOPES_WITH[rule.right]
                or (rule.right == "publish" and scope.startswith("tool:"))
                or (rule.right == "tool" and scope == "tool:mine")
            )
            place = path.format(**PLACES)
            if not allowed:
                answer = await client.send(method, place)
                assert answer.status == 403, (method, place)
                assert answer.body["missing_scopes"]
                assert answer.body["missing_scopes"][0] in answer.body["detail"]
                assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
            else:
                answer = await asked(client, method, place)
                assert answer.status not in (401, 403), (method, place, answer.body)


async def test_without_a_good_token_nothing_but_health_is_answered(admin: Client, server: RunningServer) -> None:
    revoked = await made(admin, "view")
    assert (await admin.send("DELETE", f"/api/v1/tokens/{revoked['id']}")).status == 204
    text = revoked["token"]
    wrong = [
        "",
        text,
        text[:-1],
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        "pnsk_x_y",
        f"pnsk_{'0' * 16}_{'a' * 43}",
    ]
    for given in wrong:
        async with client_of(server.base_url, token=given) as client:
            for method, path in routes(server):
                answer = await client.send(method, path.format(**PLACES))
                assert answer.status == (200 if path in ("/healthz", "/readyz") else 401), (method, path)


# A token's life


async def test_a_token_is_told_once_and_stored_as_a_hash(server: RunningServer, client: Client) -> None:
    first = await made(client, "admin", expires_in="P30D")
    assert first["token"].startswith(f"pnsk_{first['id']}_")
    assert len(first["token"]) == len("pnsk_") + 16 + 1 + 43
    async with client_of(server.base_url, token=first["token"]) as admin:
        listed = (await admin.get("/api/v1/tokens")).body["items"]
    assert [token["id"] for token in listed] == [first["id"]]
    assert listed[0].keys() == first.keys() - {"token"}
    assert listed[0]["expires_at"] is not None
    assert listed[0]["last_used_at"] is not None
    (stored,) = await server.engine.tokens.listed()
    assert len(stored.digest) == 32
    assert first["token"].encode() not in repr(stored).encode()


async def test_the_first_token_ends_development_mode(server: RunningServer, client: Client) -> None:
    assert (await client.get("/api/v1/runs")).status == 200
    assert (await client.get("/openapi.json")).body["security"] == [{}, {"bearer": []}]
    first = await made(client, "admin")
    assert (await client.get("/api/v1/runs")).status == 401
    async with client_of(server.base_url, token=first["token"]) as admin:
        assert (await admin.get("/api/v1/runs", headers={"Host": "example.com"})).status == 200
        assert (await admin.get("/openapi.json")).body["security"] == [{"bearer": []}]


async def test_nobody_is_locked_out(client: Client, server: RunningServer) -> None:
    for wish in ({"scopes": ["view"]}, {"scopes": ["admin"], "namespaces": ["one"]}):
        answer = await client.post("/api/v1/tokens", {"name": "x", **wish})
        assert (answer.status, "only way in" in answer.body["detail"]) == (409, True)
    first = await made(client, "admin")
    async with client_of(server.base_url, token=first["token"]) as admin:
        answer = await admin.send("DELETE", f"/api/v1/tokens/{first['id']}")
        assert (answer.status, "last token" in answer.body["detail"]) == (409, True)
        await made(admin, "admin", "view")
        assert (await admin.send("DELETE", f"/api/v1/tokens/{first['id']}")).status == 204
        assert (await admin.get("/api/v1/tokens")).status == 401


async def test_the_token_of_the_settings_may_everything(settings: Settings) -> None:
    async with serve(replace(settings, token="the-setting")) as running:
        async with client_of(running.base_url, token="the-setting") as setting:
            viewer = await made(setting, "view")
            assert (await setting.get("/api/v1/tokens")).status == 200
            assert (await setting.send("DELETE", f"/api/v1/tokens/{viewer['id']}")).status == 204
            assert (await setting.send("DELETE", f"/api/v1/tokens/{viewer['id']}")).status == 204
            (listed,) = (await setting.get("/api/v1/tokens")).body["items"]
            assert listed["revoked"] is True
        async with client_of(running.base_url) as client:
            assert (await client.get("/api/v1/runs")).status == 401


async def test_tokens_survive_a_restart(settings: Settings, tmp_path: Path) -> None:
    kept = replace(settings, store=f"sqlite:{tmp_path / 'p.db'}")
    async with serve(kept) as running, client_of(running.base_url) as client:
        first = await made(client, "admin")
    async with serve(kept) as running, client_of(running.base_url, token=first["token"]) as admin:
        (listed,) = (await admin.get("/api/v1/tokens")).body["items"]
        assert listed["last_used_at"] is not None
        async with client_of(running.base_url) as client:
            assert (await client.get("/api/v1/runs")).status == 401


WRONG: Final[list[dict[str, Json]]] = [
    {}, {"name": "x"}, {"name": "", "scopes": ["admin"]}, {"name": 1, "scopes": ["admin"]}, {"name": "x", "scopes": []},
    {"name": "x", "scopes": ["root"]}, {"name": "x", "scopes": "admin"}, {"name": "x", "scopes": ["tool:"]},
    {"name": "x", "scopes": ["tool:a b"]}, {"name": "x", "scopes": ["admin view"]}, {"name": "x", "scopes": ["*"]},
    {"name": "x", "scopes": ["admin"], "namespaces": []}, {"name": "x", "scopes": ["admin"], "namespaces": ["*"]},
    {"name": "x", "scopes": ["admin"], "namespaces": ["a b"]}, {"name": "x", "scopes": ["admin"], "expires_in": 0},
    {"name": "x", "scopes": ["admin"], "expires_in": "soon"}, {"name": "x", "scopes": ["admin"], "expires_in": True},
    {"name": "x", "scopes": ["admin"], "namespace": ["one"]}, {"name": "x\n", "scopes": ["admin"]},
    {"name": "x", "scopes": ["admin"], "expires_in": 1e300}, {"name": "x", "scopes": [None]},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG)
async def test_a_wish_that_is_not_understood_makes_nothing(client: Client, body: dict[str, Json]) -> None:
    assert (await client.post("/api/v1/tokens", body)).status == 400
    assert (await client.get("/api/v1/tokens")).body["items"] == []


@pytest.mark.parametrize("wanted", ["0" * 16, "x", "%C3%A4"])
async def test_what_is_not_there_cannot_be_revoked(client: Client, wanted: str) -> None:
    assert (await client.send("DELETE", f"/api/v1/tokens/{wanted}")).status == 404


# Namespaces


def document(namespace: str, name: str = "mine") -> Json:
    made = workflow(name, [{"say": {"set": {"said": namespace}}}])
    made["document"]["namespace"] = namespace
    return made


async def test_a_bound_token_sees_and_moves_its_namespaces_alone(admin: Client) -> None:
    runs: dict[str, str] = {}
    for namespace in ("one", "two", "three"):
        assert (await admin.deploy(document(namespace))).status == 201
        started = await admin.post(f"/api/v1/workflows/{namespace}/mine/runs?wait=10", {})
        runs[namespace] = started.body["id"]
    async with bearing(admin, "author", "operate", "trigger", namespaces=["one", "two"]) as bound:
        for namespace, seen in (("one", True), ("two", True), ("three", False)):
            path, run = f"/api/v1/workflows/{namespace}/mine", f"/api/v1/runs/{runs[namespace]}"
            assert ((await bound.get(path)).status == 200) is seen
            assert ((await bound.get(f"{path}/1.0.0")).status == 200) is seen
            assert (await bound.post(f"{path}/runs", {})).status == (202 if seen else 403)
            assert (await bound.deploy(document(namespace, "new"))).status == (201 if seen else 403)
            assert (await bound.send("DELETE", f"{path}/9.9.9")).status == (404 if seen else 403)
            for part in ("", "/tasks", "/history", "/state"):
                assert (await bound.get(run + part)).status == (200 if seen else 404)
            for what in (":cancel", ":suspend", ":resume"):
                assert (await bound.post(run + what)).status == (409 if seen else 404)
            assert (await bound.get(f"/api/v1/events?run={runs[namespace]}")).status == (200 if seen else 404)
            prune = await bound.post("/api/v1/runs:prune", {"workflow": f"{namespace}/mine", "dry_run": True})
            assert prune.status == (200 if seen else 403)
        assert (await admin.get("/api/v1/workflows/three/new")).status == 404
        assert {run["workflow"]["namespace"] for run in await listed(bound, "/api/v1/runs")} == {"one", "two"}
        newest = [run["id"] for run in await listed(bound, "/api/v1/runs")]
        assert newest == sorted(newest, reverse=True)
        assert len(newest) == 4
        found = [(one["namespace"], one["name"]) for one in await listed(bound, "/api/v1/workflows")]
        assert found == [("one", "mine"), ("one", "new"), ("two", "mine"), ("two", "new")]
        assert await listed(bound, "/api/v1/runs?workflow=three/mine") == []
        assert await listed(bound, "/api/v1/workflows?namespace=three") == []
        assert len(await listed(bound, "/api/v1/workflows?namespace=two")) == 2
        assert runs["three"] not in (await bound.get("/docs")).body


async def listed(client: Client, path: str) -> list[Json]:
    """All items, in pages of one."""
    found: list[Json] = []
    cursor = ""
    while True:
        sign = "&" if "?" in path else "?"
        page = (await client.get(f"{path}{sign}limit=1{cursor}")).body
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


OF_ALL = [(method, path) for (method, path), rule in sorted(RULES.items()) if rule.reach in ("all", "machinery")]


@pytest.mark.parametrize(("method", "path"), OF_ALL)
async def test_what_belongs_to_all_is_not_for_a_bound_token(admin: Client, method: str, path: str) -> None:
    async with bearing(admin, "admin", namespaces=["one"]) as bound:
        assert (await bound.send(method, path.format(**PLACES))).status == 403


async def test_a_bound_token_lists_the_events_of_its_runs_alone(admin: Client) -> None:
    async with bearing(admin, "view", "operate", namespaces=["one"]) as bound:
        assert (await bound.get("/api/v1/events")).status == 403
        assert (await bound.get("/api/v1/events/stream")).status == 403
        assert (await bound.post("/api/v1/runs:prune", {"dry_run": True})).status == 403
        assert (await bound.get(f"/api/v1/events?run={NOBODY}")).status == 404
        assert (await bound.get(f"/api/v1/events/stream?run={NOBODY}")).status == 404


# Tools


async def test_a_tool_publishes_answers_alone(admin: Client) -> None:
    media = "application/cloudevents+json"
    async with bearing(admin, "tool:mine") as tool:
        plain = await tool.send("POST", "/api/v1/events", EVENT, media=media)
        assert (plain.status, plain.body["missing_scopes"]) == (403, ["trigger", "admin"])
        answer = await tool.send(
            "POST", "/api/v1/events", {**EVENT, "triggeredid": "x", "penstocktool": "mine"}, media=media
        )
        assert answer.status == 202
        for speaks_for in ({}, {"penstocktool": "other"}, {"penstocktool": ["mine"]}):
            answer = await tool.send("POST", "/api/v1/events", {**EVENT, "triggeredid": "x", **speaks_for}, media=media)
            assert answer.status in (400, 403)


def test_the_checks_for_tools() -> None:
    mine = Grant(frozenset({"tool:mine"}))
    require_tool(mine, "mine")
    require_tool(Grant(frozenset({"admin"})), "mine")
    require_publishing(mine, [{**EVENT, "triggeredid": "x", "penstocktool": "mine"}])
    require_publishing(Grant(frozenset({"trigger"})), [EVENT])
    for refused in (mine, Grant(frozenset({"operate", "trigger", "view", "author"}))):
        with pytest.raises(MissingScope, match="tool:other"):
            require_tool(refused, "other")
    for events in ([EVENT], [{**EVENT, "triggeredid": "x"}, EVENT], [{**EVENT, "triggeredid": ""}]):
        with pytest.raises(MissingScope):
            require_publishing(mine, events)


# Time and nodes


WISH: Final = TokenWish("x", ("admin",))


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock()


async def test_a_token_ends_at_its_time(clock: ManualClock) -> None:
    store = open_store("memory:")
    await store.open()
    tokens = Tokens(store, clock, SystemIds(), spare=False)
    await tokens.load()
    _, text = await tokens.create(TokenWish("x", ("admin",), expires_in_ms=60_000))
    clock.advance(59_999)
    assert await tokens.find(text) is not None
    clock.advance(1)
    assert await tokens.find(text) is None
    assert tokens.exist
    await store.close()


async def test_uses_are_noted_at_most_once_a_minute(clock: ManualClock) -> None:
    store = open_store("memory:")
    await store.open()
    tokens = Tokens(store, clock, SystemIds(), spare=False)
    await tokens.load()
    _, text = await tokens.create(WISH)
    writes = store.statistics().commits
    for _ in range(100):
        assert await tokens.find(text) is not None
    assert store.statistics().commits == writes
    assert [token.last_used_at for token in await store.list_tokens()] == [0]
    assert [token.last_used_at for token in await tokens.listed()] == [clock.now_ms()]
    await tokens.flush()
    assert [token.last_used_at for token in await store.list_tokens()] == [clock.now_ms()]
    assert TOKEN_TOUCH_MS >= 60_000
    await store.close()


async def test_what_was_spent_long_ago_is_forgotten_and_never_all(clock: ManualClock) -> None:
    store = open_store("memory:")
    await store.open()
    tokens = Tokens(store, clock, SystemIds(), spare=True)
    await tokens.load()
    old, _ = await tokens.create(WISH)
    await tokens.revoke(old.id)
    clock.advance(TOKEN_KEPT_MS - 1)
    recent, _ = await tokens.create(WISH)
    assert len(await tokens.listed()) == 2
    clock.advance(1)
    newest, _ = await tokens.create(WISH)
    assert [token.id for token in await tokens.listed()] == [recent.id, newest.id]
    await store.close()


async def test_a_token_that_another_node_revoked_ends_within_its_time(postgres_url: str, clock: ManualClock) -> None:
    """Without notices: each node trusts what it knows for a named time, and then asks."""
    stores = [open_store(postgres_url), open_store(postgres_url)]
    for store in stores:
        await store.open()
    here, there = (Tokens(store, clock, SystemIds(), spare=True) for store in stores)
    await here.load()
    await there.load()
    token, text = await here.create(WISH)
    clock.advance(TOKEN_AGE_MS)
    assert await there.find(text) is not None
    await here.revoke(token.id)
    assert await here.find(text) is None
    clock.advance(TOKEN_AGE_MS)
    assert await there.find(text) is None
    for store in stores:
        await store.close()


# What workflows may call


async def called(client: Client, tool: HttpTool, name: str) -> Json:
    """The end of a run that calls a service on this machine."""
    call = {"call": "http", "with": {"method": "post", "endpoint": f"{tool.base_url}/a", "body": {}}}
    assert (await client.deploy(workflow(name, [{"ask": call}]))).status == 201
    return (await client.post(f"/api/v1/workflows/tests/{name}/runs?wait=20", {})).body


async def test_the_first_token_closes_private_addresses_to_workflows(server: RunningServer, client: Client) -> None:
    async with running_http_tool() as tool:
        assert (await called(client, tool, "before"))["status"] == "completed"
    first = await made(client, "admin")
    async with running_http_tool() as tool, client_of(server.base_url, token=first["token"]) as admin:
        run = await called(admin, tool, "after")
        assert (run["status"], tool.received) == ("faulted", [])
        assert run["error"]["type"].endswith("/configuration")
        assert "PENSTOCK_ALLOW_HOSTS" in run["error"]["detail"]


async def test_an_operator_opens_a_private_address_by_name(settings: Settings) -> None:
    async with running_http_tool() as tool:
        place = tool.base_url.removeprefix("http://")
        guarded = replace(settings, token="the-setting", allow_hosts=place)
        async with serve(guarded) as running, client_of(running.base_url, token="the-setting") as client:
            assert (await called(client, tool, "allowed"))["status"] == "completed"

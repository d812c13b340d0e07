"""Which scopes let a token do what: one table for every route, and the checks that routes with tools' work use.

A route without an entry is for administrators alone, and a test fails.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from penstock.events.tool_events import TOOL, TRIGGERED_ID
from penstock.model.json_value import Json
from penstock.notations.machinery_document import NAMESPACE as MACHINERY
from penstock.runtime.tokens import ADMIN, TOOL_PREFIX, Grant, OutOfReach
from penstock.server.refusals import Forbidden, MissingScope

Right: TypeAlias = Literal[
    "nobody", "anybody", "view", "runs", "trigger", "publish", "operate", "author", "admin", "tool"
]
"""What a route asks for: no token at all, any good one, or one with a scope that has the right."""
Reach: TypeAlias = Literal["none", "path", "run", "machinery", "all", "handler"]
"""Where its namespace is, for tokens that are bound to some: nowhere, in the path, at the run in the path; it is
`machinery`; it is of all namespaces, so that such tokens are refused; the handler looks itself."""


class Rule(NamedTuple):
    right: Right
    reach: Reach = "none"


SCOPES_WITH: Final[Mapping[Right, tuple[str, ...]]] = MappingProxyType(
    {
        "view": ("view", "author", "operate", ADMIN),
        "runs": ("view", "author", "operate", "trigger", ADMIN),
        "trigger": ("trigger", ADMIN),
        "publish": ("trigger", ADMIN),
        "operate": ("operate", ADMIN),
        "author": ("author", ADMIN),
        "admin": (ADMIN,),
        "tool": (ADMIN,),
    }
)
"""The scopes that have a right. Besides, `tool:NAME` has `tool` at its own NAME, and `publish` for answers."""

_VIEW: Final = Rule("view")
_ADMIN: Final = Rule("admin", "all")

RULES: Final[Mapping[tuple[str, str], Rule]] = MappingProxyType(
    {
        ("GET", "/healthz"): Rule("nobody"),
        ("GET", "/readyz"): Rule("nobody"),
        ("GET", "/version"): Rule("anybody"),
        ("GET", "/openapi.json"): Rule("anybody"),
        ("GET", "/docs"): Rule("view", "handler"),
        ("GET", "/metrics"): Rule("view", "all"),
        ("POST", "/api/v1/workflows"): Rule("author", "handler"),
        ("POST", "/api/v1/workflows:check"): Rule("author"),
        ("GET", "/api/v1/workflows"): Rule("view", "handler"),
        ("GET", "/api/v1/workflows/{namespace}/{name}"): Rule("view", "path"),
        ("GET", "/api/v1/workflows/{namespace}/{name}/{version}"): Rule("view", "path"),
        ("DELETE", "/api/v1/workflows/{namespace}/{name}/{version}"): Rule("author", "path"),
        ("POST", "/api/v1/workflows/{namespace}/{name}/runs"): Rule("trigger", "path"),
        ("GET", "/api/v1/runs"): Rule("runs", "handler"),
        ("GET", "/api/v1/runs/{id}"): Rule("runs", "run"),
        ("GET", "/api/v1/runs/{id}/tasks"): Rule("runs", "run"),
        ("GET", "/api/v1/runs/{id}/history"): Rule("runs", "run"),
        ("GET", "/api/v1/runs/{id}/state"): Rule("runs", "run"),
        ("GET", "/api/v1/runs/{id}/stream"): Rule("runs", "run"),
        ("GET", "/api/v1/runs/{id}/why"): Rule("runs", "run"),
        ("POST", "/api/v1/runs/{id}:cancel"): Rule("operate", "run"),
        ("POST", "/api/v1/runs/{id}:suspend"): Rule("operate", "run"),
        ("POST", "/api/v1/runs/{id}:resume"): Rule("operate", "run"),
        ("POST", "/api/v1/runs/{id}:retry"): Rule("operate", "run"),
        ("DELETE", "/api/v1/runs/{id}"): Rule("operate", "run"),
        ("POST", "/api/v1/runs:prune"): Rule("operate", "handler"),
        ("POST", "/api/v1/events"): Rule("publish"),
        ("GET", "/api/v1/events"): Rule("view", "handler"),
        ("GET", "/api/v1/events/stream"): Rule("view", "handler"),
        ("GET", "/api/v1/events/{source}/{id}/matches"): Rule("view", "all"),
        ("POST", "/api/v1/events/{source}/{id}:resend"): Rule("operate", "all"),
        ("POST", "/api/v1/tools"): Rule("author", "all"),
        ("GET", "/api/v1/tools"): _VIEW,
        ("GET", "/api/v1/tools/{name}"): _VIEW,
        ("PUT", "/api/v1/tools/{name}"): Rule("author", "all"),
        ("DELETE", "/api/v1/tools/{name}"): Rule("author", "all"),
        ("GET", "/api/v1/tools/{name}/work"): Rule("tool"),
        ("GET", "/api/v1/tools/{name}/stream"): Rule("tool"),
        ("POST", "/api/v1/tools/{name}/work/{id}:renew"): Rule("tool"),
        ("POST", "/api/v1/tools/{name}/work/{id}:return"): Rule("tool"),
        ("GET", "/api/v1/tools/{name}/letters"): Rule("view", "all"),
        ("POST", "/api/v1/tools/{name}:redeliver"): Rule("operate", "all"),
        ("GET", "/api/v1/capabilities"): _VIEW,
        ("PUT", "/api/v1/secrets/{name}"): _ADMIN,
        ("GET", "/api/v1/secrets"): Rule("view", "all"),
        ("DELETE", "/api/v1/secrets/{name}"): _ADMIN,
        ("POST", "/api/v1/tokens"): _ADMIN,
        ("GET", "/api/v1/tokens"): _ADMIN,
        ("DELETE", "/api/v1/tokens/{id}"): _ADMIN,
        ("GET", "/api/v1/nodes"): _VIEW,
        ("GET", "/healthcheck"): Rule("anybody"),
        ("POST", "/s"): Rule("author", "all"),
        ("GET", "/s"): _VIEW,
        ("GET", "/s/{id}"): _VIEW,
        ("POST", "/w"): Rule("author", "machinery"),
        ("GET", "/w"): Rule("view", "machinery"),
        ("GET", "/w/{id}"): Rule("view", "machinery"),
        ("POST", "/e/{workflow}"): Rule("trigger", "machinery"),
        # Routes that only say that they are not there.
        ("GET", "/api/v1/inbox"): _ADMIN,
        ("POST", "/api/v1/inbox/{id}:claim"): _ADMIN,
        ("POST", "/api/v1/inbox/{id}:release"): _ADMIN,
        ("POST", "/api/v1/inbox/{id}:complete"): _ADMIN,
        ("POST", "/callbacks/{token}"): _ADMIN,
        ("POST", "/w/{slug}"): _ADMIN,
        ("PUT", "/w/{slug}"): _ADMIN,
        ("POST", "/v1/event"): _ADMIN,
        ("GET", "/v1/event"): _ADMIN,
        ("PUT", "/v1/project/{project}/shipyard"): _ADMIN,
        ("POST", "/v1/sequence/{project}/{context}/control"): _ADMIN,
        ("GET", "/v1/sequence/{project}"): _ADMIN,
    }
)
"""By method and path as they are declared; HEAD is as GET."""


def rule_of(method: str, path: str) -> Rule:
    """The rule of a route."""
    return RULES.get(("GET" if method == "HEAD" else method, path), _ADMIN)


def require_right(grant: Grant, right: Right, *, tool: str = "") -> None:
    """Raises `MissingScope`. `tool` is the NAME in the path of routes with the right `tool`."""
    if right in ("nobody", "anybody"):
        return
    wanted = SCOPES_WITH[right]
    if not grant.scopes.isdisjoint(wanted):
        return
    if right == "publish" and _tools_of(grant):
        return  # the handler asks `require_publishing`
    if right == "tool":
        require_tool(grant, tool)
        return
    raise MissingScope(wanted)


def require_tool(grant: Grant, name: str) -> None:
    """For taking the work of a tool, and answering it. Raises `MissingScope` without `tool:NAME` (or `admin`)."""
    if ADMIN not in grant.scopes and TOOL_PREFIX + name not in grant.scopes:
        raise MissingScope((TOOL_PREFIX + name[:100], ADMIN))


def require_publishing(grant: Grant, events: Sequence[dict[str, Json]]) -> None:
    """For events from outside: tools' tokens publish answers alone, events that carry `triggeredid`.

    Each of these must name a tool of the token (`penstocktool`), and so cannot speak for another. Raises
    `MissingScope`.
    """
    if not grant.scopes.isdisjoint(SCOPES_WITH["publish"]):
        return
    if not all(isinstance(event.get(TRIGGERED_ID), str) and event[TRIGGERED_ID] for event in events):
        raise MissingScope(SCOPES_WITH["publish"])
    for event in events:
        named: Json = event.get(TOOL)
        if not isinstance(named, str) or TOOL_PREFIX + named not in grant.scopes:
            raise Forbidden(f"the token answers for its own tools alone: the event must name one of them in {TOOL}")


def require_all_namespaces(grant: Grant) -> None:
    """Raises `OutOfReach` for a token that is bound to some."""
    if grant.namespaces is not None:
        raise OutOfReach("this belongs to no namespace, and the token is for some namespaces alone")


def require_machinery(grant: Grant) -> None:
    grant.require(MACHINERY)


def _tools_of(grant: Grant) -> list[str]:
    return [scope for scope in grant.scopes if scope.startswith(TOOL_PREFIX)]

"""Which DSL constructs this engine refuses at deployment, found by reading the document.

A workflow that needs one of them must be answered with 422 that names the construct and its
line: never accepted and then failing, never accepted and ignored. To support a construct, take
its row out here and the cases that need it start to run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from penstock.model.json_value import Json

REFUSED_CALLS = frozenset({"grpc", "asyncapi", "mcp", "a2a"})
REFUSED_RUNS = frozenset({"container", "script", "shell"})
REFUSED_AUTHENTICATIONS = frozenset({"digest", "oauth2", "oidc"})
REFUSED_IN_DOCUMENT = {
    "schedule": ("schedule",),
    "catalog": ("use", "catalogs"),
    "extension": ("use", "extensions"),
}

_CATALOGED = re.compile(r"^[^:/@\s]+:\d+\.\d+\.\d+[^@\s]*(@\S+)?$")
_DATA_IN_WITH = frozenset({"body", "headers", "query", "parameters"})


@dataclass(frozen=True)
class Refusal:
    """A refused construct: the word an error must contain, and the JSON Pointer of the place."""

    construct: str
    pointer: str


def refused_constructs(workflow: Json) -> list[Refusal]:
    """Every refused construct that a workflow document uses, in document order; [] when it can run."""
    if not isinstance(workflow, dict):
        return []
    return [
        *_in_document(workflow),
        *_in_authentications(workflow),
        *_in_functions(workflow),
        *_in_schemas(workflow, ""),
        *_in_task_list(workflow.get("do"), "/do"),
    ]


def names_refusal(error: Json, refusal: Refusal) -> bool:
    """Whether a finding is about this construct: it says its word, and stands at, over or under its place."""
    pointer, place = error["pointer"], refusal.pointer
    same_branch = (place + "/").startswith(pointer + "/") or (pointer + "/").startswith(place + "/")
    return same_branch and refusal.construct in f"{error['message']} {pointer}".lower()


def _in_document(workflow: Mapping[str, Json]) -> Iterator[Refusal]:
    for construct, path in REFUSED_IN_DOCUMENT.items():
        place: Json = workflow
        for member in path:
            place = place.get(member) if isinstance(place, dict) else None
        if place is not None:
            yield Refusal(construct, "/" + "/".join(path))


def _in_authentications(workflow: Mapping[str, Json]) -> Iterator[Refusal]:
    use = workflow.get("use")
    policies = use.get("authentications") if isinstance(use, dict) else None
    for name, policy in _members(policies):
        yield from _schemes(policy, f"/use/authentications/{_token(name)}")


def _in_functions(workflow: Mapping[str, Json]) -> Iterator[Refusal]:
    use = workflow.get("use")
    for name, task in _members(use.get("functions") if isinstance(use, dict) else None):
        yield from _in_task(task, f"/use/functions/{_token(name)}")


def _in_task_list(tasks: Json, pointer: str) -> Iterator[Refusal]:
    for index, item in enumerate(tasks if isinstance(tasks, list) else []):
        for name, task in _members(item):
            yield from _in_task(task, f"{pointer}/{index}/{_token(name)}")


def _in_task(task: Json, pointer: str) -> Iterator[Refusal]:
    if not isinstance(task, dict):
        return
    yield from _in_call(task, pointer)
    for kind, _ in _members(task.get("run")):
        if kind in REFUSED_RUNS:
            yield Refusal(kind, f"{pointer}/run/{kind}")
    yield from _in_schemas(task, pointer)
    for path in (("do",), ("try",), ("catch", "do"), ("fork", "branches"), ("foreach", "do")):
        inner: Json = task
        for member in path:
            inner = inner.get(member) if isinstance(inner, dict) else None
        yield from _in_task_list(inner, f"{pointer}/{'/'.join(path)}")


def _in_schemas(holder: Mapping[str, Json], pointer: str) -> Iterator[Refusal]:
    for place in ("input", "output", "export"):
        flow = holder.get(place)
        schema = flow.get("schema") if isinstance(flow, dict) else None
        if isinstance(schema, dict):
            yield from _authentications_below(schema.get("resource"), f"{pointer}/{place}/schema/resource")


def _in_call(task: Mapping[str, Json], pointer: str) -> Iterator[Refusal]:
    called = task.get("call")
    if not isinstance(called, str):
        return
    if called in REFUSED_CALLS:
        yield Refusal(called, f"{pointer}/call")
    elif _CATALOGED.match(called):
        yield Refusal("catalog", f"{pointer}/call")
    if called in {"http", "openapi"}:
        yield from _authentications_below(task.get("with"), f"{pointer}/with")


def _authentications_below(value: Json, pointer: str) -> Iterator[Refusal]:
    """Refused schemes in an endpoint or resource, leaving out members that hold the author's data."""
    for name, member in _members(value):
        if name == "authentication":
            yield from _schemes(member, f"{pointer}/authentication")
        elif name not in _DATA_IN_WITH:
            yield from _authentications_below(member, f"{pointer}/{_token(name)}")


def _schemes(policy: Json, pointer: str) -> Iterator[Refusal]:
    for scheme, _ in _members(policy):
        if scheme in REFUSED_AUTHENTICATIONS:
            yield Refusal(scheme, f"{pointer}/{scheme}")


def _members(value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from value.items()


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")

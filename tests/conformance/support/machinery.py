"""The machinery HTTP cases: reading, what a superset must answer, sending, and judging."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.model.json_value import Json

from .client import Answer, Api
from .http_matchers import body_differences

RECEIPT_PATHS = ("/s", "/w")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class HttpCase:
    """One case of the file; `expect` already says what the superset must do."""

    name: str
    group: str
    target: str
    setup: tuple[Json, ...]
    request: Json
    expect: Json
    capture: Mapping[str, str]


def read_http_cases(path: Path) -> list[HttpCase]:
    """All cases, in the order of the file."""
    return [http_case_of(document) for document in json.loads(path.read_text("utf8"))["cases"]]


def http_case_of(document: Json) -> HttpCase:
    """The case that a JSON document describes."""
    return HttpCase(
        name=document["name"],
        group=document["group"],
        target=document["target"],
        setup=tuple(document.get("setup", ())),
        request=document["request"],
        expect=wanted_of_superset(document["expect"], document.get("superset_should")),
        capture=document.get("capture", {}),
    )


def wanted_of_superset(expect: Json, superset: Json) -> Json:
    """`expect` with its members replaced by those of `superset_should`.

    A body or an `Allow` header that was measured beside another status says nothing about the
    new one, so it falls away when the status is replaced.
    """
    if not superset:
        return expect
    kept = {} if superset.get("status", expect["status"]) != expect["status"] else expect
    return {**kept, **{name: value for name, value in superset.items() if name != "note"}}


def filled_in(value: Json, variables: Mapping[str, str]) -> Json:
    """The value with every `${NAME}` replaced, at every depth; raises KeyError for an unknown one."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: variables[found.group(1)], value)
    if isinstance(value, dict):
        return {name: filled_in(member, variables) for name, member in value.items()}
    if isinstance(value, list):
        return [filled_in(item, variables) for item in value]
    return value


class MachineryRun:
    """Cases sent one after the other against one store, with the variables they capture."""

    def __init__(self, targets: Mapping[str, Api], variables: Mapping[str, str]) -> None:
        self._targets = targets
        self._variables = dict(variables)

    async def play(self, case: HttpCase) -> list[str]:
        """Set the case up (which must succeed), send its request, and return every difference."""
        for step in case.setup:
            problems = await self._step(step)
            if problems:
                return [f"setup {step['request']['path']}: {problem}" for problem in problems]
        return await self._step(
            {"target": case.target, "request": case.request, "expect": case.expect, "capture": case.capture}
        )

    async def _step(self, step: Json) -> list[str]:
        request = filled_in(step["request"], self._variables)
        answer = await send(self._targets[step["target"]], request)
        problems = answer_differences(filled_in(step["expect"], self._variables), answer, request["path"])
        if not problems:
            for variable, member in step.get("capture", {}).items():
                self._variables[variable] = answer.body[member]
        return [f"{problem} ({answer})" for problem in problems]


async def send(api: Api, request: Json) -> Answer:
    """Send a case's request: `json`, or `raw` with its headers, or an empty body without a type."""
    headers = request.get("headers")
    if "json" in request:
        return await api.send_json(request["method"], request["path"], request["json"], headers)
    data = request["raw"].encode() if "raw" in request else None
    return await api.request(request["method"], request["path"], data=data, headers=headers)


def answer_differences(expect: Json, answer: Answer, path: str) -> list[str]:
    """Every way in which the answer is not the expected one."""
    found: list[str] = []
    allowed = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
    if answer.status not in allowed:
        found.append(f"status: expected {expect['status']}, actual {answer.status}")
    if expect.get("empty") and answer.text != "":
        found.append(f"body: expected none, actual {answer.text!r}")
    if "allow" in expect:
        methods = {method.strip() for method in answer.headers.get("allow", "").split(",")}
        if not set(expect["allow"]) <= methods:
            found.append(f"Allow: expected {expect['allow']!r}, actual {sorted(methods)!r}")
    if "body" in expect:
        further = answer.status >= 400 or path.partition("?")[0] in RECEIPT_PATHS
        found += body_differences(expect["body"], answer.body, further_members=further)
    return found

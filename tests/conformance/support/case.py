"""The DSL cases of the corpus as values: reading, placeholders, and what they expect."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.model.json_value import Json

from .harness import substitute

KNOWN_MEMBERS = frozenset(
    {
        "name",
        "kinds",
        "origin",
        "source",
        "license",
        "basis",
        "spec_rev",
        "schema_valid",
        "self_checked",
        "requires",
        "adapted",
        "notes",
        "spec_ref",
        "workflow",
        "subworkflows",
        "input",
        "secrets",
        "http_mocks",
        "grpc_mocks",
        "events_in",
        "actions",
        "observe_ms",
        "expected",
    }
)
"""Members that a case may have. Another one means the corpus grew and this runner did not."""

KNOWN_EXPECTATIONS = frozenset(
    {
        "status",
        "output",
        "error",
        "tasks_run_order",
        "events_out",
        "lifecycle",
        "requests",
        "request_order",
        "intervals",
        "timing",
        "instances",
    }
)


@dataclass(frozen=True)
class Case:
    """One case, its placeholders not yet filled in."""

    name: str
    workflow: Json
    input: Json
    expected: Mapping[str, Json]
    kinds: tuple[str, ...] = ()
    basis: str = "spec"
    subworkflows: list[Json] = field(default_factory=list[Json])
    secrets: Mapping[str, Json] = field(default_factory=dict[str, Json])
    http_mocks: list[Json] = field(default_factory=list[Json])
    events_in: list[Json] = field(default_factory=list[Json])
    actions: list[Json] = field(default_factory=list[Json])
    observe_ms: int = 0

    @property
    def uses_mock_server(self) -> bool:
        """Whether anything in the case refers to the mock server's port."""
        return bool(self.http_mocks) or "{{port}}" in json.dumps([self.workflow, self.subworkflows, self.input])

    @property
    def gates(self) -> bool:
        """False for cases that rest on the behaviour of one runtime alone."""
        return self.basis != "single-runtime"


def case_of(document: Mapping[str, Json]) -> Case:
    """The case that a JSON document describes; refuses members this runner does not know."""
    strange = [*(set(document) - KNOWN_MEMBERS), *(set(document["expected"]) - KNOWN_EXPECTATIONS)]
    if strange:
        raise ValueError(f"case {document.get('name')}: unknown members {sorted(strange)}")
    return Case(
        name=document["name"],
        workflow=document["workflow"],
        input=document["input"],
        expected=document["expected"],
        kinds=tuple(document["kinds"]),
        basis=document["basis"],
        subworkflows=document.get("subworkflows", []),
        secrets=document.get("secrets", {}),
        http_mocks=document.get("http_mocks", []),
        events_in=document.get("events_in", []),
        actions=document.get("actions", []),
        observe_ms=document.get("observe_ms", 0),
    )


def read_cases(folder: Path) -> list[Case]:
    """All cases of a folder, in the order of their file names."""
    return [case_of(json.loads(path.read_text("utf8"))) for path in sorted(folder.glob("*.json"))]


def filled_in(case: Case, ports: Mapping[str, int]) -> Case:
    """The case with its placeholders replaced everywhere but in its mocks (their server does it)."""
    return Case(
        name=case.name,
        workflow=substitute(case.workflow, ports),
        input=substitute(case.input, ports),
        expected=substitute(dict(case.expected), ports),
        kinds=case.kinds,
        basis=case.basis,
        subworkflows=substitute(case.subworkflows, ports),
        secrets=substitute(dict(case.secrets), ports),
        http_mocks=case.http_mocks,
        events_in=substitute(case.events_in, ports),
        actions=case.actions,
        observe_ms=case.observe_ms,
    )


def accepted_statuses(expected: Mapping[str, Json]) -> tuple[str, ...]:
    """The statuses that the case takes: one, or the members of a `$one_of`."""
    status = expected["status"]
    return (status,) if isinstance(status, str) else tuple(status["$one_of"])

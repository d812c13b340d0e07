"""Which constructs of the DSL load, and which of them run: one table, and the refusals that follow from it.

`CONSTRUCTS` is also what `docs/dsl-coverage.md` is written from. A reader notes the name of each construct
that it meets; making one executable is turning its `runs` here.
"""

from types import MappingProxyType
from typing import Final

import msgspec

from penstock.model.diagnostics import Diagnostic
from penstock.model.load import LoadedDocument


class Construct(msgspec.Struct, frozen=True):
    """A construct: how people call it, whether it runs, and what runs it or what to do instead."""

    title: str
    runs: bool
    remark: str


CONSTRUCTS: Final = MappingProxyType[str, Construct](
    {
        "do": Construct("`do`", True, "kernel"),
        "set": Construct("`set`", True, "kernel"),
        "switch": Construct("`switch`", True, "kernel; first case that matches, in order"),
        "for": Construct("`for` (`while`, inline lists)", True, "kernel"),
        "fork": Construct("`fork` (`compete`)", True, "kernel"),
        "raise": Construct("`raise`", True, "kernel"),
        "try": Construct("`try`/`catch` (`catch.do`, `catch.then`)", True, "kernel"),
        "retry": Construct("retry policies (back-off, jitter, limits)", True, "kernel"),
        "wait": Construct("`wait`", True, "kernel, timers"),
        "emit": Construct("`emit`", True, "kernel, bus"),
        "listen": Construct("`listen` (`one`, `all`, `any`, `until`, correlation)", True, "kernel, bus"),
        "listen-foreach": Construct("`listen` with `foreach`", True, "kernel"),
        "call-http": Construct("`call: http`", True, "tools"),
        "call-openapi": Construct("`call: openapi`", True, "tools"),
        "call-function": Construct("`call` of a function under `use.functions`", True, "kernel"),
        "call-capability": Construct("`call` of a capability", True, "tools"),
        "run-workflow": Construct("`run.workflow` (`await`)", True, "kernel"),
        "authentication-basic": Construct("authentication `basic`", True, "tools"),
        "authentication-bearer": Construct("authentication `bearer`", True, "tools"),
        "schema": Construct("schemas in JSON Schema", True, "kernel"),
        "schema-resource": Construct("schemas that lie elsewhere", True, "fetched when deployed, pinned by hash"),
        "evaluate-loose": Construct("`evaluate.mode: loose`", True, "kernel"),
        "call-grpc": Construct("`call: grpc`", False, "call a capability instead"),
        "call-asyncapi": Construct("`call: asyncapi`", False, "use emit and listen, or call a capability"),
        "call-a2a": Construct("`call: a2a`", False, "call a capability instead"),
        "call-mcp": Construct("`call: mcp`", False, "call a capability instead"),
        "call-function-url": Construct("`call` of a function by URL", True, "fetched when deployed, pinned by hash"),
        "call-function-catalog": Construct(
            "`call` of a catalogued function (`name:version`, `@catalog`)", False, "copy it to use.functions"
        ),
        "run-container": Construct("`run.container`", False, "call a capability instead"),
        "run-script": Construct("`run.script`", False, "call a capability instead"),
        "run-shell": Construct("`run.shell`", False, "call a capability instead"),
        "authentication-digest": Construct("authentication `digest`", False, "use basic or bearer"),
        "authentication-oauth2": Construct("authentication `oauth2`", False, "use bearer with a token"),
        "authentication-oidc": Construct("authentication `oidc`", False, "use bearer with a token"),
        "schedule": Construct("`schedule` (`every`, `cron`, `after`, `on`)", False, "start runs by the API"),
        "catalogs": Construct("`use.catalogs`", False, "copy the functions to use.functions"),
        "extensions": Construct("`use.extensions`", False, "write the tasks before and after out"),
        "evaluate-language": Construct("`evaluate.language` other than `jq`", False, "write jq"),
        "schema-format": Construct("schema formats other than `json`", False, "write a JSON Schema"),
        "relative-endpoint": Construct("relative URIs as call endpoints", False, "write the whole URI"),
    }
)


def refusals(loaded: LoadedDocument) -> list[Diagnostic]:
    """An error for each use of a construct that loads but does not run, in the order of the text."""
    found: list[Diagnostic] = []
    for use in loaded.constructs:
        construct = CONSTRUCTS[use.construct]
        if construct.runs:
            continue
        line, column = loaded.source.locate_key(use.pointer)
        message = f"{construct.title} does not run yet; {construct.remark}"
        found.append(Diagnostic("error", use.pointer, message, "not-executable", line, column))
    return sorted(found, key=lambda diagnostic: (diagnostic.line, diagnostic.column))


def coverage_document() -> str:
    """The text of `docs/dsl-coverage.md`."""
    rows = [
        f"| {construct.title} | yes | {'yes' if construct.runs else 'no'} | {construct.remark} |"
        for construct in CONSTRUCTS.values()
    ]
    return "\n".join((*_COVERAGE_HEAD, *rows, ""))


_COVERAGE_HEAD: Final = (
    "# Coverage of the DSL",
    "",
    "Every construct of the Open Workflow Specification (formerly CNCF Serverless Workflow) DSL 1.0.x loads",
    "and is validated. Those marked *no* are refused when a workflow is deployed, with their place in it.",
    "",
    "This page is written from the table in `src/penstock/model/executable.py`; regenerate it with",
    "`PENSTOCK_REGENERATE=1 python -m pytest tests/model/test_coverage_doc.py`.",
    "",
    "| construct | loads | runs | where, or what to do instead |",
    "|---|---|---|---|",
)

"""Reads the definition of a tool as the API takes it. Pure."""

import re
from typing import Final, cast

from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json, check_json
from penstock.model.limits import MAX_PREFIX_CHARACTERS, MAX_TOOL_WEIGHT
from penstock.tools.contract import HttpTransport, ToolDefinition, Transport
from penstock.tools.transports import read_span, read_transport, report_unknown

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MEMBERS: Final = (
    "name",
    "capability",
    "stage",
    "weight",
    "transport",
    "input",
    "output",
    "timeout",
    "metadata",
    "prefix",
    "start_timeout",
)


def read_tool(data: Json) -> ToolDefinition | list[Diagnostic]:
    """The tool that `data` defines, or everything that is wrong with it.

    Shape: `{"name", "capability"?, "stage"?, "weight"?, "transport": T, "input"?, "output"?, "timeout"?, "metadata"?,
    "prefix"?, "start_timeout"?}`, T as `penstock.tools.transports` says; `capability` is the name if it is left out,
    `weight` 0 to 1000, `timeout` (of tools over HTTP) and `start_timeout` (of those that take work by event)
    durations of the DSL.
    """
    reader = _Reader()
    if not isinstance(data, dict):
        reader.report("", "a tool must be an object", "type")
        return reader.found
    if (problem := check_json(data)) is not None:
        reader.report("", f"the tool {problem}", "value")
        return reader.found
    definition = reader.tool(cast("dict[str, Json]", data))
    return reader.found or definition


def is_tool_name(text: str) -> bool:
    """Whether a tool or a capability can be called so."""
    return _NAME.fullmatch(text) is not None


class _Reader:
    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def report(self, pointer: str, message: str, code: str) -> None:
        self.found.append(Diagnostic("error", pointer, message, code))

    def tool(self, data: dict[str, Json]) -> ToolDefinition:
        report_unknown(data, "", _MEMBERS, self.report)
        name = self._name(data, "name", None)
        transport = read_transport(data.get("transport"), self.report)
        if not self.found:
            self._event_members(data, transport)
        return ToolDefinition(
            name=name,
            capability=self._name(data, "capability", name),
            transport=transport,
            stage=self._name(data, "stage", ""),
            weight=self._weight(data.get("weight", 1)),
            input=self._schema(data, "input"),
            output=self._schema(data, "output"),
            timeout_ms=read_span(data, "timeout", "/timeout", self.report, 0),
            metadata=self._metadata(data.get("metadata")),
            prefix=self._prefix(data.get("prefix", "")),
            start_timeout_ms=read_span(data, "start_timeout", "/start_timeout", self.report, 0),
        )

    def _name(self, data: dict[str, Json], member: str, default: str | None) -> str:
        value = data.get(member, default)
        if value is None:
            self.report(f"/{member}", f"{member!r} is missing", "missing")
        elif not isinstance(value, str):
            self.report(f"/{member}", f"{member!r} must be a text", "type")
        elif member in data and not _NAME.fullmatch(value):
            message = f"{member!r} must be 1 to 100 letters, digits, dots, dashes and underscores"
            self.report(f"/{member}", message, "value")
        else:
            return value
        return ""

    def _weight(self, value: Json) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOOL_WEIGHT:
            return value
        self.report("/weight", f"'weight' must be an integer from 0 to {MAX_TOOL_WEIGHT}", "value")
        return 1

    def _schema(self, data: dict[str, Json], member: str) -> Json:
        value: Json = data.get(member)
        if value is not None and not isinstance(value, dict | bool):
            self.report(f"/{member}", f"{member!r} must be a JSON Schema: an object or a boolean", "type")
        return cast("Json", value)

    def _metadata(self, value: Json) -> dict[str, Json]:
        if value is not None and not isinstance(value, dict):
            self.report("/metadata", "'metadata' must be an object", "type")
            return {}
        return cast("dict[str, Json]", value or {})

    def _event_members(self, data: dict[str, Json], transport: Transport) -> None:
        """What is said about events is for tools that take work by event, and the other way round."""
        by_event = not isinstance(transport, HttpTransport)
        for member in ("prefix", "start_timeout") if not by_event else ("timeout",):
            if member in data:
                why = "its task's 'timeout', or 'start_timeout'," if by_event else "the transport push or pull"
                self.report(f"/{member}", f"{member!r} means nothing for this transport; use {why} instead", "value")

    def _prefix(self, value: Json) -> str:
        if isinstance(value, str) and len(value) <= MAX_PREFIX_CHARACTERS and (not value or _PREFIX.fullmatch(value)):
            return value
        message = f"'prefix' must be up to {MAX_PREFIX_CHARACTERS} letters, digits, dots, dashes and underscores"
        self.report("/prefix", message, "value")
        return ""

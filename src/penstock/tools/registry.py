"""Reads the definition of a tool as the API takes it. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from penstock.model.diagnostics import Diagnostic, suggestion
from penstock.model.durations import duration_ms
from penstock.model.json_value import Json, check_json
from penstock.model.limits import MAX_TOOL_WEIGHT
from penstock.tools.contract import HttpTransport, ToolDefinition
from penstock.tools.http_request import InvalidRequest, header_pairs, target_of

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
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
)
_HTTP_MEMBERS: Final = ("kind", "endpoint", "method", "headers", "answer")
_METHODS: Final = ("POST", "PUT", "PATCH")
_PLANNED: Final = ("push", "pull", "nats", "grpc", "command", "container", "python")


def read_tool(data: Json) -> ToolDefinition | list[Diagnostic]:
    """The tool that `data` defines, or everything that is wrong with it.

    Shape: `{"name", "capability"?, "stage"?, "weight"?, "transport": {"kind": "http", "endpoint", "method"?,
    "headers"?, "answer"?}, "input"?, "output"?, "timeout"?, "metadata"?}`; `capability` is the
    name if it is left out, `weight` 0 to 1000, `timeout` a duration of the DSL.
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
        self._known(data, "", _MEMBERS)
        name = self._name(data, "name", None)
        return ToolDefinition(
            name=name,
            capability=self._name(data, "capability", name),
            transport=self._transport(data.get("transport")),
            stage=self._name(data, "stage", ""),
            weight=self._weight(data.get("weight", 1)),
            input=self._schema(data, "input"),
            output=self._schema(data, "output"),
            timeout_ms=self._timeout(data),
            metadata=self._metadata(data.get("metadata")),
        )

    def _known(self, data: Mapping[str, Json], pointer: str, members: tuple[str, ...]) -> None:
        for name in data:
            if name not in members:
                hint = suggestion(name, members)
                self.report(f"{pointer}/{name}", f"there is no member {name[:100]!r} here{hint}", "unknown-member")

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

    def _timeout(self, data: dict[str, Json]) -> int:
        if "timeout" not in data:
            return 0
        length = duration_ms(data["timeout"])
        if isinstance(length, str):
            self.report("/timeout", length, "value")
        elif length == 0:
            self.report("/timeout", "'timeout' must be longer than nothing", "value")
        else:
            return length
        return 0

    def _transport(self, data: Json) -> HttpTransport:
        if not isinstance(data, dict):
            self.report(
                "/transport",
                "'transport' is missing" if data is None else "'transport' must be an object",
                "missing" if data is None else "type",
            )
            return HttpTransport("")
        members = cast("dict[str, Json]", data)
        kind = members.get("kind")
        if kind != "http":
            shown = repr(kind)[:100]
            planned = f"the transport {shown} is not available yet; use 'http'"
            message = planned if kind in _PLANNED else f"there is no transport {shown}; use 'http'"
            self.report("/transport/kind", message, "value")
            return HttpTransport("")
        return self._http(members)

    def _http(self, members: dict[str, Json]) -> HttpTransport:
        self._known(members, "/transport", _HTTP_MEMBERS)
        if "endpoint" not in members:
            self.report("/transport/endpoint", "'endpoint' is missing", "missing")
        else:
            self._checked("/transport/endpoint", lambda: target_of(members["endpoint"]))
        self._checked("/transport/headers", lambda: header_pairs(members.get("headers")))
        method = str(members.get("method", "POST")).upper()
        if method not in _METHODS:
            self.report("/transport/method", f"'method' must be one of {', '.join(_METHODS)}", "value")
        answer = members.get("answer", "any")
        if answer not in ("any", "object"):
            self.report("/transport/answer", "'answer' must be any or object", "value")
        if self.found:
            return HttpTransport("")
        headers = dict(header_pairs(members.get("headers")))
        return HttpTransport(str(members["endpoint"]), method, headers, answer)

    def _checked(self, pointer: str, check: Callable[[], object]) -> None:
        try:
            check()
        except InvalidRequest as error:
            self.report(pointer, str(error), "value")

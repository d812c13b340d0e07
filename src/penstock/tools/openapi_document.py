"""Finds an operation in an OpenAPI 3.0, 3.1 or Swagger 2.0 document. Pure; follows only local `$ref`s."""

from collections.abc import Iterator
from typing import Final, cast
from urllib.parse import unquote, urljoin, urlsplit

import msgspec

from penstock.model.diagnostics import suggestion
from penstock.model.json_value import Json
from penstock.model.limits import MAX_REF_HOPS
from penstock.tools.http_request import InvalidRequest
from penstock.tools.openapi_parameters import Parameter, read_parameter

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class Operation(msgspec.Struct, frozen=True):
    """One operation. `server` is an absolute URI without a slash at its end.

    `bodies` maps the media type of each possible body to its schema, in the order of the document.
    """

    method: str
    path: str
    server: str
    parameters: tuple[Parameter, ...]
    bodies: dict[str, dict[str, Json]]
    body_required: bool


class ApiDocument:
    """An API description that lies at `uri`, against which relative servers are resolved."""

    def __init__(self, data: Json, uri: str) -> None:
        self._data = _object(data)
        self._uri = uri
        self._swagger = str(self._data.get("swagger", "")).startswith("2.")
        if not self._swagger and not str(self._data.get("openapi", "")).startswith("3."):
            raise InvalidRequest("the document is neither OpenAPI 3.x nor Swagger 2.0")

    def operation(self, operation_id: str) -> Operation:
        """The operation of that id; `InvalidRequest` if there is none, or if it cannot be understood."""
        known: list[str] = []
        for path, method, item, operation in self._operations():
            name = operation.get("operationId")
            if name == operation_id:
                return self._read(path, method, item, operation)
            if isinstance(name, str):
                known.append(name)
        raise InvalidRequest(f"the document has no operation {operation_id!r}{suggestion(operation_id, known)}")

    def _operations(self) -> Iterator[tuple[str, str, dict[str, Json], dict[str, Json]]]:
        for path, found in _object(self._data.get("paths")).items():
            item = self.resolve(found)
            for method in _METHODS:
                if method in item:
                    yield path, method, item, self.resolve(item[method])

    def _read(self, path: str, method: str, item: dict[str, Json], operation: dict[str, Json]) -> Operation:
        parameters = self._parameters(item, operation)
        request_body = self.resolve(operation.get("requestBody"))
        bodies = {
            media_type: self.resolve(self.resolve(content).get("schema"))
            for media_type, content in _object(request_body.get("content")).items()
        }
        if self._swagger:
            bodies = self._swagger_bodies(operation, parameters)
        server = self._swagger_server(operation) if self._swagger else self._server(item, operation)
        required = request_body.get("required") is True
        return Operation(method.upper(), path, server.rstrip("/"), parameters, bodies, required)

    def _parameters(self, item: dict[str, Json], operation: dict[str, Json]) -> tuple[Parameter, ...]:
        """Those of the path and those of the operation, which win over them by name and place."""
        found: dict[tuple[str, str], Parameter] = {}
        for data in (*_list(item.get("parameters")), *_list(operation.get("parameters"))):
            resolved = self.resolve(data)
            parameter = read_parameter(resolved, self.resolve(resolved.get("schema")))
            found[parameter.name, parameter.place] = parameter
        return tuple(found.values())

    def _swagger_bodies(
        self, operation: dict[str, Json], parameters: tuple[Parameter, ...]
    ) -> dict[str, dict[str, Json]]:
        places = {parameter.place for parameter in parameters}
        if not places & {"body", "formData"}:
            return {}
        default = "application/json" if "body" in places else "application/x-www-form-urlencoded"
        consumes = _list(operation.get("consumes", self._data.get("consumes"))) or [default]
        return {str(media_type): {} for media_type in consumes}

    def _server(self, item: dict[str, Json], operation: dict[str, Json]) -> str:
        servers = _list(operation.get("servers")) or _list(item.get("servers")) or _list(self._data.get("servers"))
        for data in servers or [{"url": "/"}]:
            server = _object(data)
            url = str(server.get("url", "/"))
            for name, variable in _object(server.get("variables")).items():
                url = url.replace("{" + name + "}", str(_object(variable).get("default", "")))
            absolute = urljoin(self._uri, url)
            if urlsplit(absolute).scheme in ("http", "https"):
                return absolute
        raise InvalidRequest("the document names no server that can be called by http or https")

    def _swagger_server(self, operation: dict[str, Json]) -> str:
        own = urlsplit(self._uri)
        schemes = [s for s in _list(operation.get("schemes", self._data.get("schemes"))) if s in ("http", "https")]
        scheme = own.scheme if not schemes or own.scheme in schemes else "https" if "https" in schemes else "http"
        host = self._data.get("host") or own.netloc
        return f"{scheme}://{host}/" + str(self._data.get("basePath", "")).strip("/")

    def resolve(self, node: Json) -> dict[str, Json]:
        """The object that the node is or refers to; {} when it is no object."""
        for _ in range(MAX_REF_HOPS):
            reference = _object(node).get("$ref")
            if not isinstance(reference, str):
                return _object(node)
            node = self._target(reference)
        raise InvalidRequest(f"the document has more than {MAX_REF_HOPS} `$ref`s one after the other")

    def _target(self, reference: str) -> Json:
        if not reference.startswith("#"):
            raise InvalidRequest(f"the document refers to another one, {reference[:200]!r}, which is not supported")
        node: Json = self._data
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key) < len(cast("list[Json]", node)):
                node = cast("list[Json]", node)[int(key)]
            elif key in _object(node):
                node = _object(node)[key]
            else:
                raise InvalidRequest(f"the document refers to {reference[:200]!r}, which it does not have")
        return node


def _object(value: Json) -> dict[str, Json]:
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return cast("list[Json]", value) if isinstance(value, list) else []

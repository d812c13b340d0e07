"""The OpenAPI 3.1 document, made from the endpoints themselves, so that it cannot tell of others."""

import re
from collections.abc import Sequence
from typing import Final

from penstock.model.json_value import Json
from penstock.server.endpoints import Answer, Endpoint, Parameter
from penstock.server.problems import PROBLEM_TYPE
from penstock.server.schemas import COMPONENTS, ref

_PROBLEM: Final[Json] = {
    "description": "Problem details",
    "content": {PROBLEM_TYPE: {"schema": ref("Problem")}},
}


def openapi_document(endpoints: Sequence[Endpoint], version: str, *, token: bool = False) -> Json:
    """The document of all listed endpoints. `token` says that calls need a bearer token."""
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        if endpoint.listed:
            paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    document: dict[str, Json] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": version,
            "description": "A durable, event-driven workflow engine.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}] if token else [{}, {"bearer": []}],
    }
    return document


def _operation(endpoint: Endpoint) -> Json:
    operation: dict[str, Json] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": _responses(endpoint),
    }
    if (body := endpoint.body) is not None:
        content = {media: {"schema": body.schema} for media in body.media}
        operation["requestBody"] = {"required": body.required, "content": content}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "_", endpoint.path).strip("_") or "root"
    return f"{endpoint.method.lower()}_{words}"


def _parameter(parameter: Parameter) -> Json:
    schema = {"type": "array", "items": parameter.schema} if parameter.repeatable else parameter.schema
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.summary,
        "schema": schema,
    }


def _responses(endpoint: Endpoint) -> dict[str, Json]:
    """A status may have an answer of its own and problem details, too: then it has two media types."""
    responses = {str(answer.status): _response(answer) for answer in endpoint.answers}
    for status in map(str, endpoint.problems):
        own = responses.get(status, _PROBLEM)
        responses[status] = {**own, "content": {**own.get("content", {}), **_PROBLEM["content"]}}
    return {**responses, "default": _PROBLEM}


def _response(answer: Answer) -> Json:
    if answer.schema is None:
        return {"description": answer.summary}
    return {"description": answer.summary, "content": {answer.media: {"schema": answer.schema}}}

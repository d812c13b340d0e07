"""`call: openapi`: from an API description, an operation and its parameters to one HTTP request. Pure."""

import re
from typing import Final, cast

from penstock import errors
from penstock.errors import Fault
from penstock.model.diagnostics import suggestion
from penstock.model.json_value import Json
from penstock.tools.http_request import (
    FORM,
    HttpRequest,
    InvalidRequest,
    header_pairs,
    is_json_type,
    method_of,
    target_of,
    with_body,
)
from penstock.tools.openapi_document import ApiDocument, Operation
from penstock.tools.openapi_parameters import Parameter, header_text, path_text, query_parts

_TEMPLATE: Final = re.compile(r"\{([^{}]*)\}")
_ABSENT: Final = object()


def prepare(document: Json, document_uri: str, operation_id: Json, parameters: Json) -> HttpRequest | Fault:
    """The request for an operation of an OpenAPI 3.0, 3.1 or Swagger 2.0 document; else configuration/400.

    Parameters that the operation declares go where it says; the rest is the request body, as an object. A
    body that is no object is given as the only other parameter, `body`. `security` is not applied:
    credentials come from `authentication` or from a declared parameter.
    """
    try:
        if not isinstance(operation_id, str):
            raise InvalidRequest("`operationId` must be a text")
        if parameters is not None and not isinstance(parameters, dict):
            raise InvalidRequest("`parameters` must be an object")
        operation = ApiDocument(document, document_uri).operation(operation_id)
        return _Assembly(operation, cast("dict[str, Json]", parameters or {})).request()
    except InvalidRequest as error:
        return Fault(errors.CONFIGURATION, 400, "Invalid OpenAPI call", f"{operation_id}: {error}"[:1000])


class _Assembly:
    """Takes the values for one operation apart; what no parameter claims is left for the body."""

    def __init__(self, operation: Operation, values: dict[str, Json]) -> None:
        self._operation = operation
        self._values = values
        self._left = dict(values)

    def request(self) -> HttpRequest:
        operation = self._operation
        taken = [(one, value) for one in operation.parameters if (value := self._take(one)) is not _ABSENT]
        uri = operation.server + self._path(taken)
        query = [part for one, value in taken if one.place == "query" for part in query_parts(one, value)]
        if query:
            uri += ("&" if "?" in uri else "?") + "&".join(query)
        request = HttpRequest(method_of(operation.method), target_of(uri), self._headers(taken))
        return self._with_body(request, taken)

    def _take(self, parameter: Parameter) -> Json:
        """The value for a parameter, `_ABSENT` when there is none."""
        name = self._given_name(parameter)
        if name is not None:
            self._left.pop(name, None)
            if self._values[name] is not None:
                return self._values[name]
        if parameter.default is not None and parameter.required and parameter.place != "body":
            return parameter.default
        # Credentials may come from `authentication`, and a body from the parameters that are left.
        spared = parameter.place == "body" or (parameter.place, parameter.name.lower()) == (
            "header",
            "authorization",
        )
        if parameter.required and not spared:
            raise InvalidRequest(f"the {parameter.place} parameter {parameter.name!r} is required")
        return _ABSENT

    def _given_name(self, parameter: Parameter) -> str | None:
        if parameter.name in self._values:
            return parameter.name
        if parameter.place != "header":
            return None
        return next((name for name in self._values if name.lower() == parameter.name.lower()), None)

    def _path(self, taken: list[tuple[Parameter, Json]]) -> str:
        texts = {one.name: path_text(one, value) for one, value in taken if one.place == "path"}

        def text_of(match: re.Match[str]) -> str:
            if match.group(1) not in texts:
                raise InvalidRequest(f"the path names {match.group(0)}, which is not a declared parameter")
            return texts[match.group(1)]

        return _TEMPLATE.sub(text_of, self._operation.path)

    def _headers(self, taken: list[tuple[Parameter, Json]]) -> tuple[tuple[str, str], ...]:
        headers: dict[str, Json] = {one.name: header_text(one, value) for one, value in taken if one.place == "header"}
        cookies = [part for one, value in taken if one.place == "cookie" for part in query_parts(one, value)]
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        return header_pairs(headers)

    def _with_body(self, request: HttpRequest, taken: list[tuple[Parameter, Json]]) -> HttpRequest:
        operation = self._operation
        form = {one.name: value for one, value in taken if one.place == "formData"}
        if any(one.is_file for one, _ in taken):
            raise InvalidRequest("the operation takes a file, which cannot be sent")
        given = next((value for one, value in taken if one.place == "body"), _ABSENT)
        body_parameter = next((one for one in operation.parameters if one.place == "body"), None)
        if form or given is not _ABSENT:
            self._refuse_rest()
            return self._encoded(request, form or given)
        if not operation.bodies or (form_only(operation) and body_parameter is None):
            self._refuse_rest()
            return request
        body = self._rest()
        if body is not _ABSENT:
            return self._encoded(request, body)
        if operation.body_required or (body_parameter is not None and body_parameter.required):
            raise InvalidRequest("the request body is required; give its members as parameters")
        return request

    def _rest(self) -> Json:
        """The values that are left as a body."""
        if not self._left:
            return _ABSENT
        schemas = self._operation.bodies.values()
        is_member = any("body" in cast("dict[str, Json]", s.get("properties") or {}) for s in schemas)
        if set(self._left) == {"body"} and not is_member:
            return self._left["body"]
        return self._left

    def _refuse_rest(self) -> None:
        if self._left:
            name = next(iter(self._left))
            known = [one.name for one in self._operation.parameters]
            raise InvalidRequest(f"the operation has no parameter {name!r}{suggestion(name, known)}")

    def _encoded(self, request: HttpRequest, body: Json) -> HttpRequest:
        return with_body(request.with_default("Content-Type", _media_type(self._operation, body)), body)


def form_only(operation: Operation) -> bool:
    """True for a Swagger 2 operation whose body is a form of declared parameters."""
    return any(one.place == "formData" for one in operation.parameters)


def _media_type(operation: Operation, body: Json) -> str:
    """The type that the body goes out as: JSON if it may, else a form, else the first for texts."""
    types = list(operation.bodies)
    essences = {name: name.split(";", 1)[0].strip().lower() for name in types}
    if form_only(operation):
        json_types: list[str] = []
    else:
        json_types = [name for name in types if is_json_type(essences[name])]
        json_types += ["application/json" for name in types if essences[name] in ("*/*", "application/*")]
    forms = [name for name in types if essences[name] == FORM and isinstance(body, dict)]
    texts = [name for name in types if isinstance(body, str) and not essences[name].startswith("multipart/")]
    for name in (*json_types, *forms, *texts):
        return name
    raise InvalidRequest(f"a body of the types {', '.join(types)[:200]} cannot be made from these parameters")

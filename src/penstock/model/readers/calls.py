"""Readers of `call` tasks: http, openapi, functions; the calls that do not run yet are in `other_calls`."""

import re
from typing import Final, cast

from penstock.model.data_flow import Endpoint, ExternalResource
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map
from penstock.model.readers.data_flow import is_relative, read_authentication, read_endpoint, read_resource
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.other_calls import READERS
from penstock.model.readers.values import (
    is_expression,
    is_semver,
    note_text,
    read_boolean,
    read_call_data,
    read_call_text,
    read_choice,
    read_data,
    read_name,
)
from penstock.model.tasks import Call, CallFunction, CallHttp, CallOpenApi, CallOther, OutputFormat

BUILT_IN: Final = ("http", "openapi", "grpc", "asyncapi", "a2a", "mcp")
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_ENDPOINT: Final = Endpoint(uri="")


def read_call(task: Fields) -> Call:
    """The call of a task whose keys `call` and `with` are known to be allowed."""
    name = task.read("call", read_name, "")
    if name not in BUILT_IN:
        return _read_function(task, name)
    if not task.has("with"):
        task.node.error(f"'call: {name}' needs the key 'with'", "missing-key", at_key=True)
        return CallFunction(name=name)
    arguments = task.node_of("with")
    task.node.reading.note(f"call-{name}", task.node.pointer)
    if name == "http":
        return _read_http(arguments)
    if name == "openapi":
        return _read_openapi(arguments)
    kind, check = READERS[name]
    check(arguments)
    return CallOther(kind=kind, arguments=arguments.value)


def _read_function(task: Fields, name: str) -> CallFunction:
    reading = task.node.reading
    reading.note(_function_construct(name, local=name in reading.functions), task.node.pointer)
    if not task.has("with"):
        return CallFunction(name=name)
    arguments = task.node_of("with")
    if not is_map(arguments.value):
        arguments.wrong_type("a map")
        return CallFunction(name=name)
    (read_data if name in reading.functions else read_call_data)(arguments)
    return CallFunction(name=name, arguments=arguments.value, has_arguments=True)


def _function_construct(name: str, *, local: bool) -> str:
    if local:
        return "call-function"
    if "://" in name:
        return "call-function-url"
    _, colon, version = name.partition("@")[0].rpartition(":")
    return "call-function-catalog" if "@" in name or (colon and is_semver(version)) else "call-capability"


def _read_http(node: Node) -> CallHttp:
    keys = ("method", "endpoint", "headers", "body", "query", "output", "redirect")
    fields = Fields(node, keys, ("method", "endpoint"))
    endpoint = fields.read("endpoint", read_endpoint, _NO_ENDPOINT)
    if endpoint.uri and is_relative(endpoint.uri):
        node.reading.note("relative-endpoint", fields.node_of("endpoint").pointer)
    return CallHttp(
        method=fields.read("method", _read_method, ""),
        endpoint=endpoint,
        headers=fields.read("headers", _read_headers, None),
        query=fields.read("query", _read_query, None),
        body=fields.read("body", read_call_data, None),
        has_body=fields.has("body"),
        output=fields.read("output", _read_output_format, "content"),
        redirect=fields.read("redirect", read_boolean, False),
    )


def _read_method(node: Node) -> str:
    text = read_call_text(node)
    if isinstance(node.value, str) and not is_expression(text) and not _METHOD.fullmatch(text):
        node.error(f"{text[:40]!r} is no HTTP method", "http-method")
    return text


def _read_output_format(node: Node) -> OutputFormat:
    return cast(OutputFormat, read_choice(node, ("content", "raw", "response")))


def _read_headers(node: Node) -> Json:
    return _read_pairs(node, lists=False)


def _read_query(node: Node) -> Json:
    return _read_pairs(node, lists=True)


def _read_pairs(node: Node, *, lists: bool) -> Json:
    """One expression for all, or a map of scalars; a list in a query repeats its key."""
    if is_expression(node.value):
        note_text(node, "call")
        return node.value
    if not is_map(node.value):
        node.wrong_type("a map or a ${ } expression")
        return None
    for _, member in node.members():
        if is_map(member.value) or (is_list(member.value) and not lists):
            member.wrong_type("a text")
        read_call_data(member)
    return node.value


def _read_openapi(node: Node) -> CallOpenApi:
    keys = ("document", "operationId", "parameters", "authentication", "output", "redirect")
    fields = Fields(node, keys, ("document", "operationId"))
    parameters = fields.node_of("parameters")
    if fields.has("parameters"):
        if is_map(parameters.value):
            read_call_data(parameters)
        else:
            parameters.wrong_type("a map")
    return CallOpenApi(
        document=fields.read("document", read_resource, ExternalResource(endpoint=_NO_ENDPOINT)),
        operation_id=fields.read("operationId", read_call_text, ""),
        parameters=parameters.value if is_map(parameters.value) else {},
        authentication=fields.read("authentication", read_authentication, None),
        output=fields.read("output", _read_output_format, "content"),
        redirect=fields.read("redirect", read_boolean, False),
    )

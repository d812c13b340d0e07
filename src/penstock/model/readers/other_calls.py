"""Checks the arguments of calls that load but do not run yet: grpc, asyncapi, a2a, mcp."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Literal

from penstock.model.readers.data_flow import read_authentication, read_endpoint, read_output, read_resource
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.values import (
    is_expression,
    read_call_data,
    read_call_text,
    read_choice,
    read_condition,
    read_duration,
    read_integer,
    read_object,
    read_text,
    read_variable,
)

Kind = Literal["asyncapi", "grpc", "a2a", "mcp"]

_A2A_METHODS: Final = (
    "message/send", "message/stream", "tasks/get", "tasks/list", "tasks/cancel", "tasks/resubscribe",
    "tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/get",
    "tasks/pushNotificationConfig/list", "tasks/pushNotificationConfig/delete",
    "agent/getAuthenticatedExtendedCard",
)  # fmt: skip
_MCP_METHODS: Final = (
    "tools/list", "tools/call", "prompts/list", "prompts/get",
    "resources/list", "resources/read", "resources/templates/list",
)  # fmt: skip
_PROTOCOLS: Final = (
    "amqp", "amqp1", "anypointmq", "googlepubsub", "http", "ibmmq", "jms", "kafka", "mercure", "mqtt",
    "mqtt5", "nats", "pulsar", "redis", "sns", "solace", "sqs", "stomp", "ws",
)  # fmt: skip


def _read_map(node: Node) -> None:
    if read_object(node):
        read_call_data(node)


def _read_map_or_expression(node: Node) -> None:
    if is_expression(node.value):
        read_call_data(node)
    else:
        _read_map(node)


def _check_grpc(node: Node) -> None:
    required = ("proto", "service", "method")
    fields = Fields(node, (*required, "arguments", "authentication"), required)
    fields.read("proto", read_resource, None)
    fields.read("method", read_call_text, "")
    fields.read("arguments", _read_map_or_expression, None)
    fields.read("authentication", read_authentication, None)
    if not fields.has("service"):
        return
    service = Fields(fields.node_of("service"), ("name", "host", "port", "authentication"), ("name", "host"))
    service.read("name", read_call_text, "")
    service.read("host", read_call_text, "")
    service.read("port", _read_port, None)
    service.read("authentication", read_authentication, None)


def _read_port(node: Node) -> None:
    if not is_expression(node.value) and not 0 <= read_integer(node) <= 65535:
        node.error("a port lies between 0 and 65535", "range")


def _check_a2a(node: Node) -> None:
    fields = Fields(node, ("agentCard", "server", "method", "parameters"), ("method",))
    fields.read("agentCard", read_resource, None)
    fields.read("server", read_endpoint, None)
    fields.read("method", lambda member: read_choice(member, _A2A_METHODS), "")
    fields.read("parameters", _read_map_or_expression, None)


def _check_mcp(node: Node) -> None:
    keys = ("protocolVersion", "method", "parameters", "timeout", "transport", "client")
    fields = Fields(node, keys, ("method", "transport"), open_=True)
    fields.read("protocolVersion", read_call_text, "")
    fields.read("method", lambda member: read_choice(member, _MCP_METHODS), "")
    fields.read("parameters", _read_map_or_expression, None)
    fields.read("timeout", read_duration, None)
    fields.read("transport", _check_transport, None)
    fields.read("client", _check_client, None)


def _check_client(node: Node) -> None:
    fields = Fields(node, ("name", "version", "description"), ("name", "version"), open_=True)
    for key in ("name", "version", "description"):
        fields.read(key, read_call_text, "")


def _check_transport(node: Node) -> None:
    fields = Fields(node, ("http", "stdio", "options"), open_=True)
    if fields.has("http") == fields.has("stdio"):
        node.error("a transport is either 'http' or 'stdio'", "choice")
    fields.read("options", _read_map, None)
    if fields.has("http"):
        http = Fields(fields.node_of("http"), ("endpoint", "headers"), ("endpoint",), open_=True)
        http.read("endpoint", read_endpoint, None)
        http.read("headers", _read_map, None)
    if fields.has("stdio"):
        keys = ("command", "arguments", "environment")
        stdio = Fields(fields.node_of("stdio"), keys, ("command",), open_=True)
        stdio.read("command", read_call_text, "")
        stdio.read("arguments", _read_texts, None)
        stdio.read("environment", _read_map, None)


def _read_texts(node: Node) -> None:
    for item in node.items():
        read_call_text(item)


def _check_asyncapi(node: Node) -> None:
    keys = (
        "document",
        "channel",
        "operation",
        "server",
        "protocol",
        "message",
        "subscription",
        "authentication",
    )
    fields = Fields(node, keys, ("document",))
    if fields.has("operation") == fields.has("channel"):
        node.error("an asyncapi call names either 'operation' (version 3) or 'channel' (version 2)", "choice")
    if fields.has("message") == fields.has("subscription"):
        node.error("an asyncapi call has either 'message' or 'subscription'", "choice")
    fields.read("document", read_resource, None)
    for key in ("channel", "operation"):
        fields.read(key, read_call_text, "")
    fields.read("server", _check_server, None)
    fields.read("protocol", lambda member: read_choice(member, _PROTOCOLS), "")
    fields.read("message", _check_message, None)
    fields.read("subscription", _check_subscription, None)
    fields.read("authentication", read_authentication, None)


def _check_server(node: Node) -> None:
    fields = Fields(node, ("name", "variables"), ("name",))
    fields.read("name", read_text, "")
    fields.read("variables", _read_map, None)


def _check_message(node: Node) -> None:
    fields = Fields(node, ("payload", "headers"))
    for key in ("payload", "headers"):
        fields.read(key, _read_map_or_expression, None)


def _check_subscription(node: Node) -> None:
    fields = Fields(node, ("filter", "consume", "foreach"), ("consume",))
    fields.read("filter", read_condition, "")
    fields.read("consume", _check_consumption, None)
    fields.read("foreach", _check_iterator, None)


def _check_consumption(node: Node) -> None:
    fields = Fields(node, ("for", "amount", "while", "until"))
    if sum(fields.has(key) for key in ("amount", "while", "until")) != 1:
        node.error("exactly one of amount, while, until says how many messages are consumed", "choice")
    fields.read("for", read_duration, None)
    fields.read("amount", read_integer, 0)
    for key in ("while", "until"):
        fields.read(key, read_condition, "")


def _check_iterator(node: Node) -> None:
    """Its task list is read by `tasks` once asyncapi runs; here its shape only."""
    fields = Fields(node, ("item", "at", "do", "output", "export"))
    for key in ("item", "at"):
        fields.read(key, read_variable, "")
    for key in ("output", "export"):
        fields.read(key, read_output, None)
    for item in fields.node_of("do").items() if fields.has("do") else ():
        read_object(item)


READERS: Final = MappingProxyType[str, tuple[Kind, Callable[[Node], None]]](
    {
        "asyncapi": ("asyncapi", _check_asyncapi),
        "grpc": ("grpc", _check_grpc),
        "a2a": ("a2a", _check_a2a),
        "mcp": ("mcp", _check_mcp),
    }
)

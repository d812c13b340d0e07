"""Readers of errors, error filters, retry policies and time-outs, inline or by name."""

from typing import Literal, TypeVar

from penstock.model.durations import Duration
from penstock.model.limits import MAX_RETRIES
from penstock.model.plain_data import is_map
from penstock.model.policies import ErrorDefinition, ErrorFilter, RetryPolicy
from penstock.model.readers.data_flow import read_uri
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.values import (
    is_expression,
    read_condition,
    read_duration,
    read_integer,
    read_text,
    read_value_text,
)

T = TypeVar("T")

Backoff = Literal["constant", "linear", "exponential"]


def _by_name(node: Node, known: dict[str, T], kind: str, stand_in: T) -> T:
    name = node.value
    if name in known:
        return known[name]
    node.error(
        f"no {kind} {name[:100]!r} under use.{kind_key(kind)}{node.reading.suggest(name, known)}",
        "unknown-reference",
    )
    return stand_in


def kind_key(kind: str) -> str:
    """The key under `use` that holds the definitions of a kind."""
    return "retries" if kind == "retry" else f"{kind}s"


def read_timeout(node: Node) -> Duration:
    """`{after: …}`, or the name of a time-out under `use.timeouts`."""
    if isinstance(node.value, str):
        return _by_name(node, node.reading.timeouts, "timeout", Duration(ms=0))
    return Fields(node, ("after",), ("after",)).read("after", read_duration, Duration(ms=0))


def read_error(node: Node) -> ErrorDefinition:
    """An error written out, or the name of one under `use.errors`."""
    if isinstance(node.value, str):
        return _by_name(node, node.reading.errors, "error", ErrorDefinition(type="", status=0))
    fields = Fields(node, ("type", "status", "title", "detail", "instance"), ("type", "status"))
    return ErrorDefinition(
        type=fields.read("type", read_uri, ""),
        status=fields.read("status", read_integer, 0),
        title=fields.read("title", read_value_text, ""),
        detail=fields.read("detail", read_value_text, ""),
        instance=fields.read("instance", _read_instance, ""),
    )


def _read_instance(node: Node) -> str:
    text = read_value_text(node)
    if text and not text.startswith("/") and not is_expression(text):
        node.error(f"{text[:100]!r} is no JSON Pointer", "json-pointer")
    return text


def read_error_filter(node: Node) -> ErrorFilter:
    """`detail` is the newer spelling of `details`; both are read."""
    fields = Fields(node, ("type", "status", "instance", "title", "detail", "details"))
    if fields.has("detail") and fields.has("details"):
        fields.node_of("details").error("'detail' and 'details' are the same; write one", "choice", at_key=True)
    if node.value == {}:
        node.error("an error filter names at least one member", "empty")
    return ErrorFilter(
        type=fields.read("type", read_text, None),
        status=fields.read("status", read_integer, None),
        instance=fields.read("instance", read_text, None),
        title=fields.read("title", read_text, None),
        detail=fields.read("detail" if fields.has("detail") else "details", read_text, None),
    )


def read_retry(node: Node) -> RetryPolicy:
    """A retry policy written out, or the name of one under `use.retries`."""
    if isinstance(node.value, str):
        return _by_name(node, node.reading.retries, "retry", RetryPolicy())
    fields = Fields(node, ("when", "exceptWhen", "delay", "backoff", "limit", "jitter"))
    limit = Fields(fields.node_of("limit"), ("attempt", "duration")) if fields.has("limit") else None
    attempt = (
        Fields(limit.node_of("attempt"), ("count", "duration")) if limit is not None and limit.has("attempt") else None
    )
    jitter = Fields(fields.node_of("jitter"), ("from", "to"), ("from", "to")) if fields.has("jitter") else None
    return RetryPolicy(
        when=fields.read("when", read_condition, None),
        except_when=fields.read("exceptWhen", read_condition, None),
        delay=fields.read("delay", read_duration, None),
        backoff=fields.read("backoff", _read_backoff, "constant"),
        jitter_from=jitter.read("from", read_duration, None) if jitter else None,
        jitter_to=jitter.read("to", read_duration, None) if jitter else None,
        attempt_count=attempt.read("count", _read_count, None) if attempt else None,
        attempt_duration=attempt.read("duration", read_duration, None) if attempt else None,
        duration=limit.read("duration", read_duration, None) if limit else None,
    )


def _read_count(node: Node) -> int:
    count = read_integer(node)
    if not 0 <= count <= MAX_RETRIES:
        node.error(f"the number of attempts must lie between 0 and {MAX_RETRIES}", "range")
    return count


def _read_backoff(node: Node) -> Backoff:
    kinds: tuple[Backoff, ...] = ("constant", "linear", "exponential")
    fields = Fields(node, kinds)
    chosen: list[Backoff] = [kind for kind in kinds if fields.has(kind)]
    if len(chosen) != 1:
        if is_map(node.value):
            node.error("a backoff is exactly one of constant, linear, exponential", "choice")
        return "constant"
    Fields(fields.node_of(chosen[0]), (), open_=True)
    return chosen[0]

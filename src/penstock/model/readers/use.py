"""Reader of `use`: what tasks refer to by name is read first, so that every reference can be checked."""

from collections.abc import Callable
from typing import Final, TypeVar

from penstock.model.durations import Duration
from penstock.model.json_value import Json
from penstock.model.plain_data import is_map
from penstock.model.policies import ErrorDefinition, RetryPolicy
from penstock.model.readers.data_flow import read_endpoint, read_policy
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.policies import read_error, read_retry, read_timeout
from penstock.model.readers.tasks import read_task, read_task_list
from penstock.model.readers.values import read_choice, read_condition, read_name
from penstock.model.workflow import Extension, Use

T = TypeVar("T")

_KEYS: Final = (
    "authentications", "catalogs", "errors", "extensions", "functions", "retries", "secrets", "timeouts",
)  # fmt: skip
_EXTENDED: Final = (
    "all", "call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait",
)  # fmt: skip


def read_use(node: Node) -> Use:
    reading = node.reading
    fields = Fields(node, _KEYS)
    secrets = reading.secrets = fields.read("secrets", _read_secrets, ())
    before = len(reading.constructs)
    reading.authentications = {
        name: policy
        for name, policy in fields.read("authentications", _reader_of(read_policy), {}).items()
        if policy is not None
    }
    del reading.constructs[before:]  # a policy counts where it is used
    reading.errors = fields.read("errors", _reader_of(_inline(read_error, ErrorDefinition("", 0))), {})
    reading.timeouts = fields.read("timeouts", _reader_of(_inline(read_timeout, Duration(ms=0))), {})
    reading.retries = fields.read("retries", _reader_of(_inline(read_retry, RetryPolicy())), {})
    functions = fields.plain("functions")
    reading.functions = frozenset(functions) if is_map(functions) else ()
    return Use(
        authentications=reading.authentications,
        catalogs=fields.read("catalogs", _read_catalogs, {}),
        errors=reading.errors,
        extensions=fields.read("extensions", _read_extensions, ()),
        functions=fields.read("functions", _reader_of(lambda member: read_task(member, ())), {}),
        retries=reading.retries,
        secrets=secrets,
        timeouts=reading.timeouts,
    )


def _reader_of(reader: Callable[[Node], T]) -> Callable[[Node], dict[str, T]]:
    """A reader of a map from names to what `reader` reads."""
    return lambda node: {name: reader(member) for name, member in node.members()}


def _inline(reader: Callable[[Node], T], stand_in: T) -> Callable[[Node], T]:
    """A definition stands written out; a name there would refer to itself or to what is not read yet."""

    def read(node: Node) -> T:
        if isinstance(node.value, str):
            node.wrong_type("a map")
            return stand_in
        return reader(node)

    return read


def _read_secrets(node: Node) -> tuple[str, ...]:
    return tuple(read_name(item) for item in node.items())


def _read_catalogs(node: Node) -> dict[str, Json]:
    for _, member in node.members():
        node.reading.note("catalogs", member.pointer)
        Fields(member, ("endpoint",), ("endpoint",)).read("endpoint", read_endpoint, None)
    return node.value if is_map(node.value) else {}


def _read_extensions(node: Node) -> tuple[Extension, ...]:
    extensions: list[Extension] = []
    for item in node.items():
        if not is_map(item.value) or len(item.value) != 1:
            item.error("an item of the extensions is a map with exactly one key, the extension's name", "item")
            continue
        extensions.extend(_read_extension(name, member) for name, member in item.members())
    return tuple(extensions)


def _read_extension(name: str, node: Node) -> Extension:
    node.reading.note("extensions", node.pointer)
    fields = Fields(node, ("extend", "when", "before", "after"), ("extend",))
    return Extension(
        name=name,
        extend=fields.read("extend", lambda member: read_choice(member, _EXTENDED), "all"),
        when=fields.read("when", read_condition, None),
        before=fields.read("before", read_task_list, None),
        after=fields.read("after", read_task_list, None),
    )

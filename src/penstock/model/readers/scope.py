"""Flow directives: `continue`, `exit`, `end`, or a task of the same list."""

from collections.abc import Collection
from typing import Final, TypeAlias

from penstock.model.readers.node import Node
from penstock.model.readers.values import read_text

Scope: TypeAlias = Collection[str]

DIRECTIVES: Final = ("continue", "exit", "end")


def read_then(node: Node, scope: Scope) -> str:
    """A directive, or the name of a task in `scope`; anything else is an error (dsl: same scope only)."""
    target = read_text(node)
    if isinstance(node.value, str) and target not in DIRECTIVES and target not in scope:
        hint = node.reading.suggest(target, (*scope, *DIRECTIVES))
        node.error(f"no task {target[:100]!r} in this list to go on with{hint}", "unknown-target")
    return target

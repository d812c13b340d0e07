"""Bounds, from a JSON Schema alone, how often it can look at one place of a value.

Two shapes make validation exponential, and a validator cannot be interrupted: references that fan out in
place (`allOf: [a, a]`, where `a` is `allOf: [b, b]` …), and recursion that visits the same child more than once
(`anyOf` of two alternatives that both recurse into it). The first is refused when compiling; for the second,
`Cost.max_depth` says how deeply nested a value may be.

The schema is a graph of subschemas; an edge applies *in place*, or to the children under a key. A reference
that is not understood here counts as one to the whole document, which is the worst case.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias, cast
from urllib.parse import unquote

from penstock.expressions.errors import SchemaError
from penstock.model import limits
from penstock.model.json_value import Json

_ANY_KEY: Final = None
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_IN_PLACE_MAPS: Final = ("dependentSchemas", "dependencies")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_CHILDREN: Final = (
    *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
    *("additionalProperties", "unevaluatedProperties"),
)
_Object: TypeAlias = dict[str, Json]
_Key: TypeAlias = str | None


class Cost(NamedTuple):
    """`max_depth` is the nesting up to which validation stays cheap, None when every value is cheap."""

    max_depth: int | None


class _Edge(NamedTuple):
    """`in_place`, or to the children under `key` (`_ANY_KEY`: under any)."""

    in_place: bool
    key: _Key
    target: _Object


def schema_cost(document: Json, resources: Mapping[str, Json]) -> Cost:
    """The cost of a schema. Raises `SchemaError` when it can visit one place too often."""
    if not isinstance(document, dict):
        return Cost(None)
    try:
        branching = _Graph(cast("_Object", document), resources).branching()
    except RecursionError:
        raise SchemaError("the references of the schema are nested too deeply") from None
    if branching < 2:
        return Cost(None)
    return Cost(int(math.log(limits.MAX_RECURSIVE_SCHEMA_VISITS, branching)))


class _Graph:
    def __init__(self, document: _Object, resources: Mapping[str, Json]) -> None:
        self._document = document
        self._resources = resources
        self._edges: dict[int, list[_Edge]] = {}
        self._explore()
        self._looping = self._loops()
        self._visits: dict[int, int] = {}
        self._under: dict[int, Counter[_Key]] = {}

    def branching(self) -> int:
        """How often, at most, one visit of a value leads to recursive visits of the same child."""
        most = 0
        for node in self._edges:
            under = self._count(node)
            anywhere = under[_ANY_KEY]
            most = max(most, anywhere, *(anywhere + count for key, count in under.items() if key is not None))
        return most

    def _explore(self) -> None:
        pending: list[tuple[_Object, Json]] = [(self._document, self._document)]
        while pending:
            node, root = pending.pop()
            if id(node) not in self._edges:
                edges = self._edges[id(node)] = []
                for edge, new_root in self._edges_of(node, root):
                    edges.append(edge)
                    pending.append((edge.target, new_root))

    def _edges_of(self, node: _Object, root: Json) -> Iterator[tuple[_Edge, Json]]:
        for name in _REFERENCES:
            if isinstance(reference := node.get(name), str):
                target, new_root = self._resolve(reference, root)
                if isinstance(target, dict):
                    yield _Edge(True, None, cast("_Object", target)), new_root
        for name in _IN_PLACE:
            yield from ((_Edge(True, None, part), root) for part in _schemas(node.get(name)))
        for name in _IN_PLACE_MAPS:
            yield from ((_Edge(True, None, part), root) for _, part in _named(node.get(name)))
        for name in _CHILDREN:
            yield from ((_Edge(False, _ANY_KEY, part), root) for part in _schemas(node.get(name)))
        yield from ((_Edge(False, key, part), root) for key, part in _named(node.get("properties")))
        yield from ((_Edge(False, _ANY_KEY, part), root) for _, part in _named(node.get("patternProperties")))

    def _resolve(self, reference: str, root: Json) -> tuple[Json, Json]:
        uri, _, pointer = reference.partition("#")
        if uri:
            root = self._resources.get(uri, self._document)
        if pointer and not pointer.startswith("/"):
            return self._document, self._document
        target = root
        for step in pointer.split("/")[1:]:
            target = _child(target, unquote(step).replace("~1", "/").replace("~0", "~"))
            if target is None:
                return self._document, self._document
        return target, root

    def _loops(self) -> set[int]:
        """Subschemas on a loop, or between two: what remains when ends and beginnings are peeled off."""
        forward = {node: [id(edge.target) for edge in edges] for node, edges in self._edges.items()}
        backward: dict[int, list[int]] = defaultdict(list)
        for node, targets in forward.items():
            for target in targets:
                backward[target].append(node)
        left = set(forward)
        for outgoing, incoming in ((forward, backward), (backward, forward)):
            degree = {node: sum(target in left for target in outgoing.get(node, ())) for node in left}
            ends = [node for node in left if not degree[node]]
            while ends:
                end = ends.pop()
                left.discard(end)
                for node in incoming.get(end, ()):
                    if node in left:
                        degree[node] -= 1
                        if not degree[node]:
                            ends.append(node)
        return left

    def _count(self, node: int) -> Counter[_Key]:
        """Per key, the child visits by recursive subschemas, through everything that applies in place."""
        if node in self._under:
            return self._under[node]
        self._under[node] = Counter()  # what a loop in place meets
        self._visits[node] = 1
        total: Counter[_Key] = Counter()
        visits = 1
        for edge in self._edges[node]:
            if edge.in_place:
                total.update(self._count(id(edge.target)))
                visits += self._visits[id(edge.target)]
            elif id(edge.target) in self._looping:
                total[edge.key] += 1
        if visits > limits.MAX_SCHEMA_VISITS:
            raise SchemaError(f"more than {limits.MAX_SCHEMA_VISITS} subschemas apply to one place of a value")
        self._under[node], self._visits[node] = total, visits
        return total


def _schemas(part: Json) -> Iterator[_Object]:
    """The subschemas in a keyword that holds one or a list of them."""
    for item in cast("list[Json]", part) if isinstance(part, list) else (part,):
        if isinstance(item, dict):
            yield cast("_Object", item)


def _named(part: Json) -> Iterator[tuple[str, _Object]]:
    if isinstance(part, dict):
        for key, item in cast("_Object", part).items():
            if isinstance(item, dict):
                yield key, cast("_Object", item)


def _child(value: Json, step: str) -> Json:
    if isinstance(value, dict):
        return cast("_Object", value).get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(cast("list[Json]", value)):
        return cast("list[Json]", value)[int(step)]
    return None

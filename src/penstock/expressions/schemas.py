"""JSON Schema, compiled once, with nothing ever fetched: every reference must be pinned.

Draft 2020-12 unless `$schema` says otherwise; formats are asserted; patterns run on an engine without
backtracking, so a pattern costs linear time (one that needs look-around or back-references is refused).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final, Protocol, TypeAlias

import jsonschema_rs

from penstock.expressions.errors import SchemaError
from penstock.expressions.schema_cost import schema_cost
from penstock.model import limits
from penstock.model.json_value import Json, is_deeper

_NOTHING: Final[Mapping[str, Json]] = {}


class Schema:
    """A compiled schema."""

    __slots__ = ("_max_depth", "_validator")

    def __init__(self, validator: "_Validator", max_depth: int | None) -> None:
        self._validator = validator
        self._max_depth = max_depth

    def validate(self, value: Json) -> str | None:
        """None when `value` is valid; else what is wrong, each error with its place in the value.

        At most `limits.MAX_SCHEMA_ERRORS` errors, joined by "; ". Never raises for JSON values. A value that
        is too deep for a schema whose recursion branches (see `schema_cost`) is refused without a look.
        """
        if self._max_depth is not None and is_deeper(value, self._max_depth):
            return f"nested deeper than {self._max_depth} levels, the most for this recursive schema"
        if self._validator.is_valid(value):
            return None
        errors = list(islice(self._validator.iter_errors(value), limits.MAX_SCHEMA_ERRORS + 1))
        told = [_describe(error) for error in errors[: limits.MAX_SCHEMA_ERRORS]]
        return "; ".join([*told, "and more"] if len(errors) > limits.MAX_SCHEMA_ERRORS else told)


class _Validator(Protocol):
    def is_valid(self, instance: Json) -> bool: ...
    def iter_errors(self, instance: Json) -> Iterator[jsonschema_rs.ValidationError]: ...


def compile_schema(document: Json, resources: Mapping[str, Json] = _NOTHING) -> Schema:
    """Compile a JSON Schema (an object, or `true`/`false`).

    `resources` are the pinned documents by absolute URI; any other reference out of the document raises.
    Raises `SchemaError`; reads no file and opens no connection.
    """
    cost = schema_cost(document, resources)
    try:
        validator = jsonschema_rs.validator_for(
            document,
            validate_formats=True,
            retriever=partial(_pinned, resources),
            pattern_options=jsonschema_rs.RegexOptions(size_limit=limits.MAX_SCHEMA_PATTERN_BYTES),
        )
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not a usable JSON Schema: {_shorten(_reason(error))}") from None
    return Schema(validator, cost.max_depth)


def _pinned(resources: Mapping[str, Json], uri: str) -> Json:
    """The library asks here for every document that it does not have."""
    for spelling in (uri, uri.rstrip("#")):
        if spelling in resources:
            return resources[spelling]
    raise LookupError(f"{uri} is not pinned")


def _reason(error: Exception) -> str:
    if not isinstance(error, jsonschema_rs.ValidationError):
        return str(error)
    place = _pointer(error.instance_path)
    return f"at {place}: {error.message}" if place else error.message


def _describe(error: jsonschema_rs.ValidationError) -> str:
    place = _pointer(error.instance_path)
    return f"at {place}: {_shorten(error.message)}" if place else _shorten(error.message)


def _pointer(path: "_Path") -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _shorten(message: str) -> str:
    limit = limits.MAX_SCHEMA_MESSAGE_CHARS
    return message if len(message) <= limit else message[:limit] + "…"


_Path: TypeAlias = list[str | int]

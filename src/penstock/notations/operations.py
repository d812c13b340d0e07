"""`operations` of a machinery workflow: how data fields are mapped around a service.

Two forms; `{}`, `[]` and null map nothing:
- a map from a service's name to its mapping, which holds for every call of that service:
  `{"space-counter": {"inputs": {"message": "text"}, "outputs": {"space_count": "message"}}}`;
- a list of mappings, each with `service`: a name that `services` holds once, or an index into `services`.

`inputs` picks and renames for the request (request field ← data key), `outputs` for the result (result key ←
answer field). A mapping that is given is complete: what it does not name is not sent, or not kept.
"""

from typing import Final

from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map
from penstock.notations.error_maps import (
    MISSING,
    NO_STRING,
    UNKNOWN,
    WRONG_INPUT,
    ErrorMap,
    as_map,
)
from penstock.notations.machinery_types import Operation

_MAPPINGS: Final = ("inputs", "outputs")
_NO_SERVICE: Final = "Unknown service."
_AMBIGUOUS: Final = "The service is called more than once; give its index in services."
_TWICE: Final = "There is already an operation for this service."


def read_operations(value: Json, services: tuple[str, ...]) -> tuple[tuple[Operation, ...], Json]:
    """The operations, and the errors: empty when there is none."""
    if value is None or (isinstance(value, dict | list) and not value):
        return (), {}
    if is_map(value):
        return _read_map(value, services)
    if is_list(value):
        return _read_list(value, services)
    return (), [WRONG_INPUT]


def _read_map(value: dict[str, Json], services: tuple[str, ...]) -> tuple[tuple[Operation, ...], ErrorMap]:
    operations: list[Operation] = []
    errors: ErrorMap = {}
    for name, mapping in value.items():
        indexes = [index for index, service in enumerate(services) if service == name]
        found = [_NO_SERVICE] if not indexes else _mapping_errors(mapping, _MAPPINGS)
        if found:
            errors[name] = found
            continue
        operations.extend(_operation(index, mapping) for index in indexes)
    return tuple(operations), errors


def _read_list(value: list[Json], services: tuple[str, ...]) -> tuple[tuple[Operation, ...], ErrorMap]:
    operations: dict[int, Operation] = {}
    errors: ErrorMap = {}
    for position, mapping in enumerate(value):
        found = _mapping_errors(mapping, (*_MAPPINGS, "service"))
        index = _index_of(mapping.get("service"), services) if is_map(mapping) and "service" in mapping else MISSING
        if isinstance(index, int) and index in operations:
            index = _TWICE
        if isinstance(index, str) and is_map(mapping):
            found = {**found, "service": [index]} if is_map(found) else found
        if found:
            errors[str(position)] = found
        elif isinstance(index, int):
            operations[index] = _operation(index, mapping)
    return tuple(operations.values()), errors


def _index_of(service: Json, services: tuple[str, ...]) -> int | str:
    """The index that a name or a number means, or what is wrong with it."""
    if isinstance(service, int) and not isinstance(service, bool):
        return service if 0 <= service < len(services) else _NO_SERVICE
    if not isinstance(service, str) or service not in services:
        return _NO_SERVICE
    return services.index(service) if services.count(service) == 1 else _AMBIGUOUS


def _mapping_errors(mapping: Json, known: tuple[str, ...]) -> Json:
    if not is_map(mapping):
        return {"_schema": [WRONG_INPUT]}
    errors: ErrorMap = {key: [UNKNOWN] for key in mapping if key not in known}
    for key in _MAPPINGS:
        if key not in mapping:
            continue
        pairs = as_map(mapping[key])
        wrong = [pairs] if isinstance(pairs, str) else _pair_errors(pairs)
        if wrong:
            errors[key] = wrong
    return errors


def _pair_errors(pairs: dict[str, Json]) -> ErrorMap:
    return {field: [NO_STRING] for field, source in pairs.items() if not isinstance(source, str)}


def _operation(index: int, mapping: dict[str, Json]) -> Operation:
    return Operation(index, mapping.get("inputs"), mapping.get("outputs"))

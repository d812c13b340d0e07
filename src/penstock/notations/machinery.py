"""The machinery notation: services, and workflows that call them one after the other.

Definitions come in three shapes (`spec` with maps, flat maps, flat lists); all read to the same values. What
is wrong is told by an error map, field by field. Unknown fields are refused in services
and dropped in workflows.
"""

from typing import Final

from penstock.model.json_value import Json
from penstock.model.limits import MAX_TASKS
from penstock.model.plain_data import is_list, is_map
from penstock.notations import error_maps
from penstock.notations.error_maps import ErrorMap, Members, as_list
from penstock.notations.machinery_types import DataField, ServiceDefinition, WorkflowDefinition
from penstock.notations.operations import read_operations

_SPEC_OF_SERVICE: Final = ("inputs", "outputs")
_WRONG_SHAPE: Final[ErrorMap] = {"_schema": [error_maps.WRONG_INPUT]}


def read_service(data: Json) -> ServiceDefinition | ErrorMap:
    """A service's definition, or why it is none."""
    if not is_map(data):
        return dict(_WRONG_SHAPE)
    errors: ErrorMap = {}
    members = Members(data, errors)
    members.refuse_unknown(("name", "address", "spec", *_SPEC_OF_SERVICE))
    service_name = members.required("name", error_maps.name)
    service_address = members.required("address", error_maps.address)
    spec, spec_errors = _spec_of(data, errors)
    if spec is not data:
        Members(spec, spec_errors).refuse_unknown(_SPEC_OF_SERVICE)
    inputs = _read_fields("inputs", spec, spec_errors)
    outputs = _read_fields("outputs", spec, spec_errors)
    if spec_errors and spec_errors is not errors:
        errors["spec"] = spec_errors
    return errors or ServiceDefinition(service_name, service_address, inputs, outputs)


def read_workflow(data: Json) -> WorkflowDefinition | ErrorMap:
    """A workflow's definition, or why it is none. Whether its services exist is for the caller to know."""
    if not is_map(data):
        return dict(_WRONG_SHAPE)
    errors: ErrorMap = {}
    workflow_name = Members(data, errors).required("name", error_maps.name)
    spec, spec_errors = _spec_of(data, errors)
    services = _read_services(spec, spec_errors) if "spec" not in errors else ()
    inputs = _read_fields("inputs", spec, spec_errors)
    outputs = _read_fields("outputs", spec, spec_errors)
    operations, wrong = read_operations(spec.get("operations"), services)
    if wrong and "services" not in spec_errors:
        spec_errors["operations"] = wrong
    if spec_errors and spec_errors is not errors:
        errors["spec"] = spec_errors
    return errors or WorkflowDefinition(workflow_name, services, inputs, outputs, operations)


def _spec_of(data: dict[str, Json], errors: ErrorMap) -> tuple[dict[str, Json], ErrorMap]:
    """Where inputs, outputs, services and operations stand, and where their errors go."""
    if "spec" not in data:
        return data, errors
    spec = error_maps.as_map(data["spec"])
    if isinstance(spec, str):
        errors["spec"] = [spec]
        return {}, {}
    return spec, {}


def _read_services(spec: dict[str, Json], errors: ErrorMap) -> tuple[str, ...]:
    if "services" not in spec:
        errors["services"] = [error_maps.MISSING]
        return ()
    listed = as_list(spec["services"])
    if isinstance(listed, str):
        errors["services"] = [listed]
        return ()
    if len(listed) > MAX_TASKS:
        errors["services"] = [error_maps.TOO_LONG]
        return ()
    wrong = {str(index): [why] for index, item in enumerate(listed) if (why := error_maps.name(item))}
    if wrong:
        errors["services"] = wrong
        return ()
    return tuple(listed)


def _read_fields(key: str, spec: dict[str, Json], errors: ErrorMap) -> tuple[DataField, ...]:
    """`inputs` or `outputs`: a list of fields, or a map from names to the rest of them."""
    if key not in spec:
        return ()
    value = spec[key]
    if is_map(value):
        entries = [(name, field, name) for name, field in value.items()]
    elif is_list(value):
        entries = [(str(index), field, None) for index, field in enumerate(value)]
    else:
        errors[key] = [error_maps.NULL if value is None else error_maps.NO_LIST]
        return ()
    fields: list[DataField] = []
    wrong: ErrorMap = {}
    for place, entry, given_name in entries:
        field = _read_field(entry, given_name)
        if isinstance(field, DataField):
            fields.append(field)
        else:
            wrong[place] = field
    if wrong:
        errors[key] = wrong
    return tuple(fields)


def _read_field(entry: Json, given_name: str | None) -> DataField | ErrorMap:
    if not is_map(entry):
        return dict(_WRONG_SHAPE)
    errors: ErrorMap = {}
    members = Members(entry, errors)
    members.refuse_unknown(("name", "type", "description") if given_name is None else ("type", "description"))
    name = members.required("name", error_maps.name) if given_name is None else given_name
    type_ = members.required("type", error_maps.text)
    description = members.optional("description", error_maps.text)
    return errors or DataField(name, type_, description)

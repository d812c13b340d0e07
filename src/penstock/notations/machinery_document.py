"""From a machinery workflow to an Open Workflow document.

Names. A service is a capability, and a document names it by `label_of(service name)`: the name itself when it
is a DNS label that `call` gives no meaning of its own, else a derived label that begins with `machinery--`.
Whoever registers a service registers its capability under the same label. The workflow's own name goes the
same way; the names as people wrote them stand in `metadata` (`machinery.name` of the document, `service` of a
task).

Data. The first service gets the event. Each answer, an object, is merged over the outputs so far, and these
are the inputs of the next service and in the end the output of the run.
"""

import json
from typing import Final

from penstock.model.json_value import Json
from penstock.model.plain_data import is_map
from penstock.notations.labels import label_of
from penstock.notations.machinery_types import Operation, WorkflowDefinition

NAMESPACE: Final = "machinery"
_DSL: Final = "1.0.3"
_OBJECT: Final = {"document": {"type": "object"}}


def to_document(definition: WorkflowDefinition, version: str) -> dict[str, Json]:
    """The document that runs the workflow, as plain data."""
    operations = {operation.index: operation for operation in definition.operations}
    names = _task_names(definition.services)
    tasks: list[Json] = [
        {name: _task(service, operations.get(index), first=index == 0)}
        for index, (name, service) in enumerate(zip(names, definition.services, strict=True))
    ]
    document: dict[str, Json] = {
        "document": {
            "dsl": _DSL,
            "namespace": NAMESPACE,
            "name": label_of(definition.name),
            "version": version,
            "metadata": {"machinery": {"name": definition.name}},
        },
        "do": tasks,
    }
    if not tasks:
        document["output"] = {"as": "${ {} }"}
    return document


def unwrap_event(definition: WorkflowDefinition, body: Json) -> Json:
    """The event's data: what is under `data` when that is all there is and it is an object, else the body.

    A workflow that declares an input `data` gets the body as it is.
    """
    wrapped = is_map(body) and len(body) == 1 and is_map(body.get("data"))
    declared = any(field.name == "data" for field in definition.inputs)
    return body["data"] if wrapped and not declared else body


def missing_inputs(definition: WorkflowDefinition, event: Json) -> list[str]:
    """The declared inputs that an event does not hold, in order; all of them when it is no object."""
    present = event if is_map(event) else {}
    return [field.name for field in definition.inputs if field.name not in present]


def _task_names(services: tuple[str, ...]) -> list[str]:
    """The services' names, made different where a service is called again."""
    taken: set[str] = set()
    names: list[str] = []
    for service in services:
        name, number = service, 1
        while name in taken:
            number += 1
            name = f"{service} ({number})"
        taken.add(name)
        names.append(name)
    return names


def _task(service: str, operation: Operation | None, *, first: bool) -> dict[str, Json]:
    task: dict[str, Json] = {"call": label_of(service)}
    if operation is not None and operation.inputs is not None:
        task["with"] = {field: f"${{ {_member(key)} }}" for field, key in operation.inputs.items()}
    answer = "." if operation is None or operation.outputs is None else _picked(operation.outputs)
    # A schema would look at the merged outputs; an answer that is no object fails here, before it is merged.
    task["output"] = {"schema": _OBJECT, "as": f"${{ {answer} }}" if first else f"${{ $input + {answer} }}"}
    task["metadata"] = {"service": service}
    return task


def _picked(outputs: dict[str, str]) -> str:
    pairs = (f"{_text(key)}: {_member(field)}" for key, field in outputs.items())
    return "{" + ", ".join(pairs) + "}"


def _member(key: str) -> str:
    return f".[{_text(key)}]"


def _text(text: str) -> str:
    """A jq string: JSON's, whose doubled backslashes also keep `\\(` from being an interpolation."""
    return json.dumps(text, ensure_ascii=False)

"""Definitions of the machinery notation, the same for all three shapes in which they come."""

import msgspec


class DataField(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input or an output. `type` is free text and is not enforced."""

    name: str
    type: str
    description: str = ""


class ServiceDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service: an address that takes the inputs as a JSON object and answers with one."""

    name: str
    address: str
    inputs: tuple[DataField, ...] = ()
    outputs: tuple[DataField, ...] = ()


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mapping around the service at `index` of the workflow's services.

    `inputs`: request field ← data key; `outputs`: result key ← answer field. None: all, as they are named.
    """

    index: int
    inputs: dict[str, str] | None = None
    outputs: dict[str, str] | None = None


class WorkflowDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """Services called in order, each with the merged outputs so far."""

    name: str
    services: tuple[str, ...]
    inputs: tuple[DataField, ...] = ()
    outputs: tuple[DataField, ...] = ()
    operations: tuple[Operation, ...] = ()

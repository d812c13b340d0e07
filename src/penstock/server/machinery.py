"""The machinery surface: services, workflows that call them in order, and events that start these.

A service is a tool whose capability has the service's label; a workflow is one in the namespace `machinery`.
Ids belong to names: the same name has the same id, whatever its content and on whatever server.
"""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Final, Literal, TypeVar, cast

import msgspec

from penstock.errors import Conflict, InfrastructureError, NotFound, Unprocessable
from penstock.model.json_value import Json
from penstock.model.limits import MAX_MACHINERY_IDS, MAX_PAGE_ITEMS, MAX_UPSERT_ATTEMPTS
from penstock.notations.error_maps import NO_URL
from penstock.notations.labels import label_of
from penstock.notations.machinery import read_service, read_workflow
from penstock.notations.machinery_document import NAMESPACE, to_document
from penstock.notations.machinery_types import ServiceDefinition, WorkflowDefinition
from penstock.runtime.engine import Engine
from penstock.runtime.views import StoredTool
from penstock.server.tool_bodies import definition_of
from penstock.store.rows import StoredWorkflow

_ID_CHARACTERS: Final = 24
_ID: Final = re.compile(r"[0-9a-f]{24}", re.ASCII)
_FIRST_VERSION: Final = "1.0.0"
_ABOVE_ALL: Final = "\U0010ffff"
"""Sorts after every version."""
_MEMBER: Final = "machinery"
"""Under which a definition lies in the metadata of its document or tool."""

Definition = TypeVar("Definition", ServiceDefinition, WorkflowDefinition)


class MissingServices(Conflict):
    """A workflow names services that nobody registered."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("not all services exist")
        self.names = names


class InvalidDefinition(Conflict):
    """A definition is wrong; `fields` is the error map of this notation."""

    def __init__(self, fields: dict[str, Json]) -> None:
        super().__init__("the definition is invalid")
        self.fields = fields


class RegisteredService(msgspec.Struct, frozen=True):
    id: str
    definition: ServiceDefinition
    created_at: int
    updated_at: int


class RegisteredWorkflow(msgspec.Struct, frozen=True):
    """`label` and `version` are the stored workflow's."""

    id: str
    definition: WorkflowDefinition
    label: str
    version: str
    created_at: int


def id_of(kind: Literal["service", "workflow"], name: str) -> str:
    """The id of a name: 24 hexadecimal digits."""
    return sha256(f"{kind}\0{name}".encode()).hexdigest()[:_ID_CHARACTERS]


class Machinery:
    """Definitions of this notation in the engine's terms."""

    def __init__(self, engine: Engine, most_ids: int = MAX_MACHINERY_IDS) -> None:
        self._engine = engine
        self._most_ids = most_ids
        self._labels: dict[str, str] = {}
        """Where the workflow with an id may be, the label found last at the end. What is found there is looked at, so
        that nothing has to be told when workflows change, here or on another node."""

    async def register_service(self, data: Json) -> RegisteredService:
        """Stores a service; one of the same name is replaced. `InvalidDefinition` says what is wrong."""
        definition = read_service(data)
        if not isinstance(definition, ServiceDefinition):
            raise InvalidDefinition(definition)
        label = label_of(definition.name)
        transport = {"kind": "http", "endpoint": definition.address, "answer": "object"}
        metadata = {_MEMBER: plain(definition)}
        tool = {"name": label, "transport": transport, "metadata": metadata}
        try:
            stored = await self._engine.put_tool(definition_of(tool))
        except Unprocessable as error:  # an address that reads well and can still not be called
            if any(place.pointer == "/transport/endpoint" for place in error.errors):
                raise InvalidDefinition({"address": [NO_URL]}) from error
            raise
        return _registered_service(stored, definition)

    async def services(self) -> list[RegisteredService]:
        """Every service, by name."""
        found = [
            _registered_service(tool, definition)
            for tool in await self._engine.list_tools()
            if (definition := _read(tool.definition.metadata.get(_MEMBER), ServiceDefinition)) is not None
        ]
        return sorted(found, key=lambda service: service.definition.name)

    async def register_workflow(self, data: Json) -> RegisteredWorkflow:
        """Stores a workflow: other content than the latest version's becomes the next patch version.

        Stores nothing when it is wrong (`InvalidDefinition`) or names unknown services (`MissingServices`).
        """
        definition = read_workflow(data)
        if not isinstance(definition, WorkflowDefinition):
            raise InvalidDefinition(definition)
        known = {service.definition.name for service in await self.services()}
        if missing := [name for name in dict.fromkeys(definition.services) if name not in known]:
            raise MissingServices(missing)
        for _ in range(MAX_UPSERT_ATTEMPTS):
            try:
                stored = await self._store(definition)
                self._note(stored.id, stored.label)
                return stored
            except Conflict:
                continue  # somebody else took this version between our look and our write
        raise InfrastructureError(f"workflow {definition.name!r} is being changed by too many at once")

    async def _store(self, definition: WorkflowDefinition) -> RegisteredWorkflow:
        latest = await self._latest(label_of(definition.name))
        if latest is not None and (there := _registered(latest)) is not None and there.definition == definition:
            return there
        document = to_document(definition, _FIRST_VERSION if latest is None else _next_patch(latest.version))
        document["document"]["metadata"][_MEMBER]["definition"] = plain(definition)
        result = await self._engine.deploy(document)
        stored = _registered(result.stored)
        assert stored is not None, "what was just stored has its definition"
        return stored

    async def workflows(self, after: str, most: int) -> list[RegisteredWorkflow]:
        """The latest versions of at most `most` workflows by label, from the one after the label `after`."""
        found: list[RegisteredWorkflow] = []
        label = after
        async for stored in self._versions(after, most):
            if stored.name != label:
                label = stored.name
                if (registered := await self._at(label)) is not None:
                    found.append(registered)
                    if len(found) == most:
                        break
        return found

    async def workflow(self, reference: str) -> RegisteredWorkflow:
        """The latest version of a workflow by id or name; `NotFound`."""
        if _ID.fullmatch(reference) and (found := await self._with_id(reference)) is not None:
            return found
        registered = await self._at(label_of(reference)) if reference else None
        if registered is None or registered.definition.name != reference:
            raise NotFound(f"there is no workflow {reference[:100]!r}")
        return registered

    async def _with_id(self, wanted: str) -> RegisteredWorkflow | None:
        found = await self._at(self._labels.get(wanted, ""))
        if found is None or found.id != wanted:
            found = await self._at(await self._look_through(wanted))
        return found if found is not None and found.id == wanted else None

    async def _look_through(self, wanted: str) -> str:
        """Notes where workflows are; returns where the wanted one is, "" for nowhere."""
        place = ""
        async for stored in self._versions("", MAX_PAGE_ITEMS):
            if (registered := _registered(stored)) is not None:
                self._note(registered.id, registered.label)
                place = registered.label if registered.id == wanted else place
        return place

    def _note(self, workflow_id: str, label: str) -> None:
        self._labels.pop(workflow_id, None)
        self._labels[workflow_id] = label
        if len(self._labels) > self._most_ids:
            del self._labels[next(iter(self._labels))]

    async def _versions(self, after: str, at_once: int) -> AsyncIterator[StoredWorkflow]:
        """Every version of the workflows after a label, by label, so many read at once."""
        place = (NAMESPACE, after, _ABOVE_ALL) if after else None
        while listed := await self._engine.list_workflows(namespace=NAMESPACE, after=place, limit=at_once):
            for stored in listed:
                yield stored
            place = (listed[-1].namespace, listed[-1].name, listed[-1].version)

    async def _at(self, label: str) -> RegisteredWorkflow | None:
        """The latest version of the workflow with a label, if it is one of this notation."""
        latest = await self._latest(label) if label else None
        return None if latest is None else _registered(latest)

    async def _latest(self, label: str) -> StoredWorkflow | None:
        try:
            return await self._engine.get_workflow(NAMESPACE, label)
        except NotFound:
            return None


def plain(definition: ServiceDefinition | WorkflowDefinition) -> dict[str, Json]:
    """A definition as JSON data."""
    return msgspec.json.decode(msgspec.json.encode(definition))


def _registered_service(tool: StoredTool, definition: ServiceDefinition) -> RegisteredService:
    service_id = id_of("service", definition.name)
    return RegisteredService(service_id, definition, tool.created_at, tool.updated_at)


def _registered(stored: StoredWorkflow) -> RegisteredWorkflow | None:
    """The workflow of this notation that was stored so; None for one that was written in another."""
    document = msgspec.json.decode(stored.definition)["document"]
    member = _object(_object(document.get("metadata")).get(_MEMBER))
    definition = _read(member.get("definition"), WorkflowDefinition)
    if definition is None:
        return None
    workflow_id = id_of("workflow", definition.name)
    return RegisteredWorkflow(workflow_id, definition, stored.name, stored.version, stored.created_at)


def _object(value: Json) -> dict[str, Json]:
    return cast("dict[str, Json]", value) if isinstance(value, dict) else {}


def _read(data: Json, shape: type[Definition]) -> Definition | None:
    """A definition out of metadata, which anybody may have written: None when it is none."""
    try:
        return None if data is None else msgspec.convert(data, shape)
    except msgspec.ValidationError:
        return None


def _next_patch(version: str) -> str:
    major, minor, patch = version.partition("-")[0].partition("+")[0].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"

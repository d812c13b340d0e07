"""Checking, storing and finding workflows."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from penstock.errors import Conflict, NotFound, Unprocessable
from penstock.kernel import Resources
from penstock.model import LoadedDocument, Workflow, bounds, load_data, load_document
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_DEFINITIONS_IN_MEMORY
from penstock.model.source import UnreadableDocument, read_source, source_of_data
from penstock.notations.detect import detect, refusal
from penstock.runtime.checking import compile_findings, errors_in, findings_of, placed
from penstock.runtime.clock import Clock
from penstock.runtime.directory import Directory
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.pinning import Pinning
from penstock.runtime.translating import translated
from penstock.runtime.versions import latest
from penstock.runtime.views import CheckResult, DeployResult
from penstock.store.protocol import Store
from penstock.store.rows import StoredWorkflow

_canonical: Final = msgspec.json.Encoder(order="sorted").encode
_encode: Final = msgspec.json.Encoder().encode


class Definitions:
    """Definitions are immutable: a version has one content for ever."""

    def __init__(
        self, store: Store, *, evaluator: Evaluator, directory: Directory, pinning: Pinning, clock: Clock
    ) -> None:
        self._store = store
        self._evaluator = evaluator
        self._directory = directory
        self._pinning = pinning
        self._clock = clock
        self._known: dict[tuple[str, str, str], StoredWorkflow] = {}
        self._changes = 0

    async def check(self, document: str | bytes | dict[str, Json], *, notation: str | None, name: str) -> CheckResult:
        """Everything that is to be said about a document; stores and fetches nothing."""
        loaded = _load(document, notation, name)
        found = await self._findings(loaded)
        workflow = loaded.workflow
        valid = workflow is not None and not errors_in(found)
        limits = None if workflow is None else msgspec.to_builtins(bounds(workflow))
        return CheckResult(valid, tuple(found), limits)

    async def deploy(
        self,
        document: str | bytes | dict[str, Json],
        *,
        notation: str | None,
        source_text: str | None,
        allow: Callable[[str], None] | None = None,
    ) -> DeployResult:
        """Stores a definition with what it refers to.

        Raises `Unprocessable` with the diagnostics, `Conflict` for a version that has another content, and what `allow`
        raises for the namespace.
        """
        loaded = _load(document, notation, "document")
        found = await self._findings(loaded)
        workflow = loaded.workflow
        if workflow is None or errors_in(found):
            raise _invalid(found)
        identity = workflow.identity
        if allow is not None:
            allow(identity.namespace)
        there = await self._store.get_workflow(identity.namespace, identity.name, identity.version)
        if there is not None:
            if there.content_hash != _hash(workflow):
                raise _taken(workflow)
            return DeployResult(there, False, tuple(found), msgspec.to_builtins(bounds(workflow)))
        try:
            resources = await self._pinning.fetch(workflow)
        except Unprocessable as error:
            raise _invalid(placed(loaded, error)) from None
        if problems := compile_findings(loaded, workflow, Resources(resources)):
            raise _invalid(problems)
        wanted = self._row(workflow, resources, source_text or _text_of(document))
        try:
            put = await self._store.put_workflow(wanted)
        finally:
            self._changed()
        if put.workflow.content_hash != wanted.content_hash:
            raise _taken(workflow)
        return DeployResult(put.workflow, put.created, tuple(found), msgspec.to_builtins(bounds(workflow)))

    async def get(self, namespace: str, name: str, version: str = "latest") -> StoredWorkflow:
        """Raises `NotFound`."""
        key = (namespace, name, version)
        if (known := self._known.get(key)) is not None:
            return known
        changes = self._changes
        found = await self._read(namespace, name, version)
        if self._store.exclusive and changes == self._changes and len(self._known) < MAX_DEFINITIONS_IN_MEMORY:
            self._known[key] = found
        return found

    async def _read(self, namespace: str, name: str, version: str) -> StoredWorkflow:
        if version == "latest":
            found = latest(await self._store.workflow_versions(namespace, name))
        else:
            found = await self._store.get_workflow(namespace, name, version)
        if found is None:
            raise NotFound(f"there is no workflow {namespace}/{name}:{version}")
        return found

    async def delete(self, namespace: str, name: str, version: str) -> None:
        """Hides one version; its runs go on. Raises `NotFound`."""
        found = await self.get(namespace, name, version)
        try:
            deleted = await self._store.delete_workflow(namespace, name, found.version)
        finally:
            self._changed()
        if not deleted:
            raise NotFound(f"there is no workflow {namespace}/{name}:{version}")

    def _changed(self) -> None:
        """Forgets what was found, also by reads that are still under way."""
        self._changes += 1
        self._known.clear()

    async def _findings(self, loaded: LoadedDocument) -> list[Diagnostic]:
        known = self._directory.capabilities().keys()
        return await findings_of(loaded, known_capabilities=known, check_texts=self._evaluator.check)

    def _row(self, workflow: Workflow, resources: Mapping[str, Json], text: str) -> StoredWorkflow:
        identity = workflow.identity
        return StoredWorkflow(
            namespace=identity.namespace,
            name=identity.name,
            version=identity.version,
            created_at=self._clock.now_ms(),
            definition=_encode(workflow.definition),
            content_hash=_hash(workflow),
            resources=_encode(resources) if resources else b"",
            source_text=text,
        )


def _hash(workflow: Workflow) -> bytes:
    """Of the content, whatever the order of its members."""
    return blake2b(_canonical(workflow.definition), digest_size=20).digest()


def _taken(workflow: Workflow) -> Conflict:
    return Conflict(f"{workflow.identity} is stored with another content; give it another version")


def _load(document: str | bytes | dict[str, Json], notation: str | None, name: str) -> LoadedDocument:
    """The document as a workflow, translated from its notation where it has another."""
    try:
        source = source_of_data(document) if isinstance(document, dict) else read_source(document, name=name)
    except UnreadableDocument:
        return load_data(document) if isinstance(document, dict) else load_document(document, name=name)
    written_in = notation or detect(source.data)
    if written_in in (None, "dsl", "open-workflow", "serverless-workflow"):
        return load_data(document) if isinstance(document, dict) else load_document(document, name=name)
    reason = refusal(written_in) if written_in in ("shipyard", "node-graph") else None  # type: ignore[arg-type]
    if reason is not None:
        raise Unprocessable(reason, errors=(Diagnostic("error", "", reason, "notation", 1, 1),))
    return load_data(translated(written_in, source.data), name=name)


def _invalid(found: list[Diagnostic]) -> Unprocessable:
    errors = errors_in(found)
    return Unprocessable(f"the document is not valid: {errors[0].message}", errors=tuple(errors))


def _text_of(document: str | bytes | dict[str, Json]) -> str:
    match document:
        case str():
            return document
        case bytes():
            return document.decode("utf-8", "replace")
        case _:
            return _encode(document).decode()

"""Checks one document as deploying it would, without a server and without fetching anything."""

import asyncio
from collections.abc import Collection
from typing import Final, NamedTuple

import msgspec

from penstock.model import LoadedDocument, bounds, load_data, load_document
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list, is_map
from penstock.model.pointers import join
from penstock.model.source import Source, UnreadableDocument, read_source
from penstock.notations import detect, read_service, read_workflow, refusal, to_document
from penstock.notations.machinery_types import WorkflowDefinition
from penstock.runtime.checking import findings_of

_VERSION: Final = "1.0.0"
"""The first version that a machinery workflow gets when it is stored."""


class Checked(NamedTuple):
    """What there is to say about a document. `definition` (the DSL document) and `bounds` are None without one."""

    name: str
    notation: str
    findings: tuple[Diagnostic, ...]
    definition: Json = None
    bounds: Json = None

    @property
    def valid(self) -> bool:
        return all(found.severity != "error" for found in self.findings)


def check_text(text: bytes, name: str, known: Collection[str] | None = None) -> Checked:
    """Everything that can be said about a document of any notation. Never raises for what the text says.

    `known` are the capabilities that somebody provides; None says that this is not known.
    """
    try:
        source = read_source(text, name=name)
    except UnreadableDocument:
        return _check_dsl(load_document(text, name=name), name, "dsl", known)
    notation = detect(source.data)
    if notation is None or notation == "dsl":
        return _check_dsl(load_document(text, name=name), name, "dsl", known)
    if (reason := refusal(notation)) is not None:
        return Checked(name, notation, (Diagnostic("error", "", reason, "notation", *source.locate("")),))
    if notation == "machinery-service":
        service = read_service(source.data)
        return Checked(name, notation, _mapped(service, source) if is_map(service) else ())
    workflow = read_workflow(source.data)
    if not isinstance(workflow, WorkflowDefinition):
        return Checked(name, notation, _mapped(workflow, source))
    return _check_dsl(load_data(to_document(workflow, _VERSION), name=name), name, notation, known)


def _check_dsl(loaded: LoadedDocument, name: str, notation: str, known: Collection[str] | None) -> Checked:
    found = tuple(asyncio.run(findings_of(loaded, known_capabilities=known, check_texts=_compiled)))
    workflow = loaded.workflow
    if workflow is None:
        return Checked(name, notation, found)
    return Checked(name, notation, found, workflow.definition, msgspec.to_builtins(bounds(workflow)))


async def _compiled(texts: list[str]) -> list[str | None]:
    from penstock.runtime.workers import ExpressionWorkers  # noqa: PLC0415 - most documents need no worker

    workers = ExpressionWorkers()
    await workers.start()
    try:
        return await workers.check(texts)
    finally:
        await workers.stop()


def _mapped(errors: Json, source: Source) -> tuple[Diagnostic, ...]:
    """The findings of an error map of the machinery notation, each at its place in the text."""
    found: list[Diagnostic] = []

    def walk(value: Json, pointer: str) -> None:
        if is_map(value):
            for key, inner in value.items():
                walk(inner, pointer if key == "_schema" else join(pointer, key))
        elif is_list(value):
            field = pointer.rpartition("/")[2]
            for text in value:
                message = f"{field}: {text}" if field else str(text)
                found.append(Diagnostic("error", pointer, message, "machinery", *source.locate_key(pointer)))

    walk(errors, "")
    return tuple(sorted(found, key=lambda one: (one.line, one.column)))

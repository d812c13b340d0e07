"""From a document's text or data to a `Workflow`, with every mistake found on the way."""

import re
from typing import Final

import msgspec

from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.readers.node import ConstructUse, ExpressionSite, Node, Reading, TextSite
from penstock.model.readers.workflow import read_workflow
from penstock.model.source import Source, UnreadableDocument, read_source, source_of_data
from penstock.model.workflow import Workflow

_SECRET: Final = re.compile(r"\$secrets?\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|(?:\.\s*)?\[\s*\"([^\"\\]+)\"\s*\])")


class LoadedDocument(msgspec.Struct, frozen=True):
    """`workflow` is None exactly when there are errors.

    `expressions`, `texts` and `constructs` are what was met on the way, in document order per construct: the
    places of expressions, literals that look like expressions, and the DSL constructs in use.
    """

    workflow: Workflow | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source
    expressions: tuple[ExpressionSite, ...] = ()
    texts: tuple[TextSite, ...] = ()
    constructs: tuple[ConstructUse, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity == "error")

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        return tuple(found for found in self.diagnostics if found.severity == "warning")

    @property
    def valid(self) -> bool:
        return self.workflow is not None


def load_document(text: str | bytes, *, name: str = "<document>") -> LoadedDocument:
    """Reads YAML 1.2 or JSON text. Never raises for what the text says: mistakes are diagnostics."""
    try:
        source = read_source(text, name=name)
    except UnreadableDocument as error:
        return _unreadable(error, name)
    return _load(source)


def load_data(data: Json, *, name: str = "<data>") -> LoadedDocument:
    """Reads a document that is already plain data (from the store, from a notation); positions are 0."""
    try:
        source = source_of_data(data, name=name)
    except UnreadableDocument as error:
        return _unreadable(error, name)
    return _load(source)


def _unreadable(error: UnreadableDocument, name: str) -> LoadedDocument:
    found = Diagnostic("error", "", error.detail, error.code, error.line, error.column)
    return LoadedDocument(None, (found,), Source(None, name, None))


def _load(source: Source) -> LoadedDocument:
    reading = Reading(source)
    workflow = read_workflow(Node(source.data, "", reading))
    _check_secrets(reading)
    ordered = sorted(reading.diagnostics, key=lambda found: (found.line, found.column))
    return LoadedDocument(
        workflow=None if reading.failed else workflow,
        diagnostics=tuple(ordered),
        source=source,
        expressions=tuple(reading.expressions),
        texts=tuple(reading.texts),
        constructs=tuple(reading.constructs),
    )


def _check_secrets(reading: Reading) -> None:
    """`$secrets.NAME` in an expression must be declared under `use.secrets`; a lexical look, no parse."""
    for site in reading.expressions:
        for match in _SECRET.finditer(site.text):
            name = match.group(1) or match.group(2)
            if name not in reading.secrets:
                hint = reading.suggest(name, reading.secrets)
                reading.report(
                    "error",
                    site.pointer,
                    f"no secret {name[:100]!r} under use.secrets{hint}",
                    "unknown-secret",
                )

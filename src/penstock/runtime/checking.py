"""Everything that is to be said about a document before it is stored; the same for a server and for the shell."""

from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from penstock.errors import Unprocessable
from penstock.expressions import ExpressionError, compile_expression
from penstock.kernel import Resources, compile_program, external_resources
from penstock.model import LoadedDocument, Workflow, refusals
from penstock.model.diagnostics import Diagnostic
from penstock.model.retention import Retention, read_retention
from penstock.notations.check import check_workflow, expressions_of

CheckTexts = Callable[[list[str]], Awaitable[list[str | None]]]
"""Compiles expressions with libjq: for each text what is wrong with it, or None."""


async def findings_of(
    loaded: LoadedDocument, *, known_capabilities: Collection[str] | None, check_texts: CheckTexts
) -> list[Diagnostic]:
    """Findings in the order of the text: the shape, what does not run yet, expressions, and what libjq says.

    The program is compiled, too, unless that needs documents from elsewhere. Fetches nothing.
    """
    found = [*loaded.diagnostics, *refusals(loaded)]
    found += check_workflow(loaded, known_capabilities=known_capabilities)
    workflow = loaded.workflow
    if workflow is not None:
        found += _said_of_retention(loaded, workflow)
    if workflow is not None and not errors_in(found):
        found += await _said_by_libjq(loaded, workflow, check_texts)
    if workflow is not None and not errors_in(found) and not external_resources(workflow):
        found += compile_findings(loaded, workflow, Resources())
    return sorted(found, key=lambda one: (one.line, one.column))


def errors_in(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    return [one for one in found if one.severity == "error"]


def compile_findings(loaded: LoadedDocument, workflow: Workflow, resources: Resources) -> list[Diagnostic]:
    """What keeps a workflow from becoming a program, with the documents that it refers to."""
    try:
        compile_program(workflow, resources)
    except Unprocessable as error:
        return placed(loaded, error)
    return []


def placed(loaded: LoadedDocument, refused: Unprocessable) -> list[Diagnostic]:
    """What a refusal says, as findings with their places in the text. Never empty."""
    said = refused.errors or ({"pointer": "", "message": refused.detail},)
    found = [
        one if isinstance(one, Diagnostic) else Diagnostic("error", one["pointer"], one["message"], "program")
        for one in said
    ]
    places = [loaded.source.locate(one.pointer) for one in found]
    return [
        msgspec.structs.replace(one, line=line, column=column)
        for one, (line, column) in zip(found, places, strict=True)
    ]


def _said_of_retention(loaded: LoadedDocument, workflow: Workflow) -> list[Diagnostic]:
    """What is wrong with how long the workflow's runs shall be kept, where it stands in the text."""
    asked = read_retention(workflow.metadata)
    if isinstance(asked, Retention):
        return []
    places = [loaded.source.locate(one.pointer) for one in asked]
    return [
        msgspec.structs.replace(one, line=line, column=column)
        for one, (line, column) in zip(asked, places, strict=True)
    ]


async def _said_by_libjq(loaded: LoadedDocument, workflow: Workflow, check_texts: CheckTexts) -> list[Diagnostic]:
    """Of the expressions outside the native subset. In mode `loose` what does not compile is a text."""
    sites = [(pointer, text) for pointer, text in expressions_of(workflow) if not _is_native(text)]
    if not sites or workflow.mode != "strict":
        return []
    texts = list(dict.fromkeys(text for _, text in sites))
    said = dict(zip(texts, await check_texts(texts), strict=True))
    return [
        Diagnostic("error", pointer, f"the expression {reason}", "expression", *loaded.source.locate(pointer))
        for pointer, text in sites
        if (reason := said[text]) is not None
    ]


def _is_native(text: str) -> bool:
    try:
        return compile_expression(text).native
    except ExpressionError:
        return True  # the check of the document has said so already

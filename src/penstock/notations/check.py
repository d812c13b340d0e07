"""What a loaded document says beyond its shape: expressions that cannot work, and what is probably not meant.

Errors are certain; warnings are advice and never keep a workflow from being deployed.
"""

from collections.abc import Collection, Iterator
from typing import Final

from penstock.expressions import ExpressionError, compile_expression, looks_like_expression, strip_wrapper
from penstock.model.diagnostics import Diagnostic, Severity, suggestion
from penstock.model.event_filters import EventStrategy
from penstock.model.load import LoadedDocument, load_data
from penstock.model.pointers import join
from penstock.model.readers.calls import BUILT_IN
from penstock.model.readers.values import is_expression
from penstock.model.tasks import CallFunction, CallTask, ListenTask
from penstock.model.walk import sequences_of, tasks_of
from penstock.model.workflow import Workflow
from penstock.notations.reachability import unreachable

_SECRETS: Final = frozenset(("secrets", "secret", "authorization"))


def check_workflow(loaded: LoadedDocument, *, known_capabilities: Collection[str] | None = None) -> list[Diagnostic]:
    """Findings in the order of the text. Of a document that did not load only its expressions and texts are looked at.

    `known_capabilities` are the names that somebody provides; None says that this is not known.
    """
    check = _Check(loaded)
    check.expressions()
    check.texts()
    if loaded.workflow is not None:
        check.reachability(loaded.workflow)
        check.filters(loaded.workflow)
        check.capabilities(loaded.workflow, known_capabilities)
    return sorted(check.found, key=lambda diagnostic: (diagnostic.line, diagnostic.column))


def expressions_of(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """Every expression of a workflow: its JSON Pointer, and its text without `${ }`."""
    for site in load_data(workflow.definition).expressions:
        yield site.pointer, _bare(site.text)


def _bare(text: str) -> str:
    inside = strip_wrapper(text)
    return text.strip() if inside is None else inside


class _Check:
    def __init__(self, loaded: LoadedDocument) -> None:
        self.found: list[Diagnostic] = []
        self._loaded = loaded

    def _report(self, severity: Severity, pointer: str, message: str, code: str, *, at_key: bool = False) -> None:
        source = self._loaded.source
        line, column = source.locate_key(pointer) if at_key else source.locate(pointer)
        self.found.append(Diagnostic(severity, pointer, message, code, line, column))

    def expressions(self) -> None:
        for site in self._loaded.expressions:
            try:
                expression = compile_expression(_bare(site.text))
            except ExpressionError as error:
                where = "" if error.position is None else f" (at character {error.position + 1})"
                self._report("error", site.pointer, f"the expression {error.message}{where}", "expression")
                continue
            if site.kind != "call" and not _SECRETS.isdisjoint(expression.names):
                message = "a secret outside a call: its value becomes data of the run, and is stored with it"
                self._report("warning", site.pointer, message, "secret-in-data")

    def texts(self) -> None:
        for site in self._loaded.texts:
            if looks_like_expression(site.text):
                shown = repr(site.text[:80])
                message = f"{shown} is a plain text; write ${{ … }} around the whole of it to evaluate it"
                self._report("warning", site.pointer, message, "not-an-expression")

    def reachability(self, workflow: Workflow) -> None:
        for tasks in sequences_of(workflow):
            for named in unreachable(tasks):
                message = f"the task {named.name[:80]!r} is never reached"
                self._report("warning", named.pointer, message, "unreachable", at_key=True)

    def filters(self, workflow: Workflow) -> None:
        for pointer, task in tasks_of(workflow):
            if isinstance(task, ListenTask):
                self._strategy(f"{pointer}/listen/to", task.to)
        schedule = workflow.schedule
        if schedule is not None and schedule.on is not None:
            self._strategy("/schedule/on", schedule.on)

    def _strategy(self, pointer: str, strategy: EventStrategy) -> None:
        for index, event_filter in enumerate(strategy.filters):
            place = join(pointer, strategy.mode)
            place = place if strategy.mode == "one" else join(place, index)
            if is_expression(event_filter.attributes.get("data")) and not event_filter.correlate:
                message = "a predicate over data without 'correlate' is tried on every event of its type"
                self._report("warning", f"{place}/with/data", message, "predicate-without-key", at_key=True)
        if strategy.until_strategy is not None:
            self._strategy(f"{pointer}/until", strategy.until_strategy)

    def capabilities(self, workflow: Workflow, known: Collection[str] | None) -> None:
        if known is None:
            return
        functions = workflow.use.functions
        calls = {use.pointer for use in self._loaded.constructs if use.construct == "call-capability"}
        for pointer, task in tasks_of(workflow):
            if not isinstance(task, CallTask) or not isinstance(task.call, CallFunction):
                continue
            name = task.call.name
            if pointer in calls and name not in known:
                hint = suggestion(name, (*functions, *known, *BUILT_IN))
                message = f"nobody provides the capability {name[:80]!r} yet{hint}"
                self._report("warning", f"{pointer}/call", message, "unknown-capability")

"""Documents in another notation than the DSL, translated to it."""

from penstock.errors import Unprocessable
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.notations.machinery import WorkflowDefinition, read_workflow
from penstock.notations.machinery_document import to_document

_FIRST_VERSION = "1.0.0"


def translated(notation: str, data: Json) -> dict[str, Json]:
    """The DSL document of a definition in `notation`. Raises `Unprocessable` when there is none."""
    if notation not in ("machinery-workflow", "machinery"):
        raise _refused(f"a definition of the notation {notation!r} is no workflow")
    definition = read_workflow(data)
    if not isinstance(definition, WorkflowDefinition):
        raise _refused(f"the machinery workflow is not valid: {definition}")
    return to_document(definition, _FIRST_VERSION)


def _refused(reason: str) -> Unprocessable:
    return Unprocessable(reason, errors=(Diagnostic("error", "", reason, "notation", 1, 1),))

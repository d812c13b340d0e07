"""Reader of `catch`."""

from collections.abc import Callable

from penstock.model.policies import ErrorFilter
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.policies import read_error_filter, read_retry
from penstock.model.readers.scope import Scope, read_then
from penstock.model.readers.values import read_condition, read_variable
from penstock.model.tasks import Catch, TaskList


def read_catch(node: Node, scope: Scope, read_task_list: Callable[[Node], TaskList]) -> Catch:
    """What a `try` catches; `scope` is that of the `try` task, for `catch.then`."""
    fields = Fields(node, ("errors", "as", "when", "exceptWhen", "retry", "do", "then"))
    if fields.has("retry"):
        node.reading.note("retry", fields.node_of("retry").pointer)
    return Catch(
        errors=fields.read("errors", _read_errors, None),
        as_=fields.read("as", read_variable, "error"),
        when=fields.read("when", read_condition, None),
        except_when=fields.read("exceptWhen", read_condition, None),
        retry=fields.read("retry", read_retry, None),
        do=fields.read("do", read_task_list, None),
        then=fields.read("then", lambda member: read_then(member, scope), None),
    )


def _read_errors(node: Node) -> ErrorFilter | None:
    return Fields(node, ("with",)).read("with", read_error_filter, None)

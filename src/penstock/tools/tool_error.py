"""The exception by which a function that is a tool says how it failed."""

from penstock import errors
from penstock.errors import Fault, PenstockError


class ToolError(PenstockError):
    """Raised by a tool: `catch` in the workflow sees `status`, `title`, `detail` and `type` as they stand here.

    `type` is a URI, by default that of a runtime error. `unknown_outcome` says that the effect may have happened: a
    retry then carries the same key, while a retry after a definite failure carries a new one.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        type: str = errors.RUNTIME,  # noqa: A002 - the member of problem details
        unknown_outcome: bool = False,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}" if detail else f"{status} {title}")
        self.fault = Fault(type, status, title, detail, unknown_outcome=unknown_outcome)

"""The one exception tree, and `Fault`: an error of a workflow as a value.

Three families, by whose fault it is:
- `CallerError`: the request was wrong (4xx); repeating it does not help.
- `Fault`: the workflow or the world it calls failed. Never raised across a public function: it is data
  (RFC 9457 problem details, DSL "Errors") that a `try` task may catch and a run may end with.
- `InfrastructureError`: the engine's surroundings failed; the work is safe and can be tried again.
"""

from typing import Any, Final

import msgspec

ERROR_BASE: Final = "https://serverlessworkflow.io/spec/1.0.0/errors/"
"""The base of the standard error types that Penstock emits (DSL reference, "Standard Error Types")."""

CONFIGURATION: Final = ERROR_BASE + "configuration"
VALIDATION: Final = ERROR_BASE + "validation"
EXPRESSION: Final = ERROR_BASE + "expression"
AUTHENTICATION: Final = ERROR_BASE + "authentication"
AUTHORIZATION: Final = ERROR_BASE + "authorization"
TIMEOUT: Final = ERROR_BASE + "timeout"
COMMUNICATION: Final = ERROR_BASE + "communication"
RUNTIME: Final = ERROR_BASE + "runtime"

_ALIASES: Final = (
    ERROR_BASE,
    "https://open-workflow-specification.org/spec/1.0.0/errors/",
    "https://serverlessworkflow.io/dsl/errors/types/",
    "https://open-workflow-specification.org/dsl/errors/types/",
)


def canonical_error_type(uri: str) -> str:
    """The spelling that Penstock emits for a standard error type; any other URI unchanged.

    Every base in use counts as the same (docs/dsl-decisions.md), so compare types only in this form.
    """
    for base in _ALIASES:
        if uri.startswith(base):
            return ERROR_BASE + uri[len(base) :]
    return uri


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error of a run, as RFC 9457 problem details.

    `instance` is the JSON Pointer of the task that it came from ("" until the kernel knows it);
    `extra` holds further members of a raised or received problem document.
    `unknown_outcome` says that the effect may have happened (time-out, lost connection): the same key is sent again.
    """

    type: str
    status: int
    title: str
    detail: str = ""
    instance: str = ""
    unknown_outcome: bool = False
    extra: dict[str, Any] = {}

    def as_json(self) -> dict[str, Any]:
        """The problem document that users, `catch` and lifecycle events see."""
        document: dict[str, Any] = {**self.extra, "type": self.type, "status": self.status, "title": self.title}
        if self.detail:
            document["detail"] = self.detail
        if self.instance:
            document["instance"] = self.instance
        return document


class PenstockError(Exception):
    """Root of all exceptions that Penstock raises on purpose. The message is for people."""


class CallerError(PenstockError):
    """The caller's mistake. `status` is the HTTP status, `title` a short name, `errors` places in a document."""

    status = 400
    title = "Bad request"

    def __init__(self, detail: str, *, errors: tuple[Any, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class NotFound(CallerError):
    """What was asked for does not exist."""

    status = 404
    title = "Not found"


class Conflict(CallerError):
    """The request contradicts what is stored."""

    status = 409
    title = "Conflict"


class TooLarge(CallerError):
    """A named limit on size was exceeded."""

    status = 413
    title = "Too large"


class Unprocessable(CallerError):
    """The document is well-formed but wrong; `errors` says where."""

    status = 422
    title = "Invalid document"


class InfrastructureError(PenstockError):
    """The store, a worker or the network of the engine failed; nothing was lost, the same may be tried again."""


class StoreInUse(InfrastructureError):
    """Another engine already owns this store."""


class SchemaRefused(InfrastructureError):
    """This schema of a database cannot be Penstock's; another one can."""

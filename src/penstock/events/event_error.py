"""What is wrong with an event that came from outside."""

from penstock.errors import CallerError
from penstock.model.diagnostics import Diagnostic


class EventError(CallerError):
    """The request holds no valid CloudEvent. `errors` is one `Diagnostic` whose pointer says where."""

    title = "Invalid event"

    def __init__(self, message: str, pointer: str = "") -> None:
        shown = f"{pointer}: {message}" if pointer else message
        super().__init__(shown, errors=(Diagnostic("error", pointer, message, "event"),))
        self.pointer = pointer


class EventTooLarge(EventError):
    """A limit on size or number was exceeded."""

    status = 413
    title = "Event too large"


class EventTypeUnsupported(EventError):
    """The Content-Type is none that can hold an event."""

    status = 415
    title = "Unsupported media type"

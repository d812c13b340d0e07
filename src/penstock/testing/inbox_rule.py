"""The rule that an answer which was stored before a crash beats its time-out."""

from penstock.kernel.messages import ChildFinished, EventArrived, Message
from penstock.kernel.state import ChildWork, ListenWork, RunState
from penstock.runtime.envelopes import unpack_message
from penstock.testing.store import SimulatedDisk


class InboxRule:
    """Knows the rows that waited when an engine was started, by looking at the disk after every transaction."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._last = 0
        self._waiting: dict[int, tuple[str, Message]] = {}
        self._old: dict[str, dict[int, Message]] = {}

    def look(self) -> None:
        """Takes notice of new rows."""
        for seq, run_id, body in self._disk.look("inbox_after", self._last):
            self._last = seq
            self._waiting[seq] = (run_id, unpack_message(body)[0])

    def booted(self) -> None:
        """A new engine takes up what is there."""
        self._old = {}
        for seq, (run_id, message) in self._waiting.items():
            self._old.setdefault(run_id, {})[seq] = message

    def consumed(self, seqs: tuple[int, ...]) -> None:
        """These rows are gone."""
        for seq in seqs:
            self._waiting.pop(seq, None)

    def overtaken(self, run_id: str, before: RunState | None) -> str | None:
        """The answer that the first turn of a run since the boot must not let a timer overtake."""
        for seq, message in self._old.get(run_id, {}).items():
            if before is not None and _awaited(before, message):
                return f"row {seq}, {type(message).__name__}"
        return None

    def moved(self, run_id: str) -> None:
        """The run has had its first turn."""
        self._old.pop(run_id, None)


def _awaited(state: RunState, message: Message) -> bool:
    match message:
        case ChildFinished(entry=entry, child_id=child_id):
            frame = state.frames.get(entry)
            return frame is not None and isinstance(frame.work, ChildWork) and frame.work.child_id == child_id
        case EventArrived(matches=matches):
            return any(_open(state, match.entry) for match in matches)
        case _:
            return False


def _open(state: RunState, entry: int) -> bool:
    frame = state.frames.get(entry)
    if frame is None or not isinstance(frame.work, ListenWork):
        return False
    return not frame.work.closed and not frame.work.met and not frame.work.arrived and not frame.work.until_met

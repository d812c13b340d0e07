"""The rule that an answer which was stored before a crash beats its time-out."""

from collections.abc import Collection

from penstock.kernel.messages import ChildFinished, EventArrived, EventMatch, Message
from penstock.kernel.state import ChildWork, ListenWork, RunState
from penstock.runtime.envelopes import unpack_message
from penstock.store.partitions import partition_of
from penstock.store.shares import EVERY_PARTITION
from penstock.testing.store import SimulatedDisk


class InboxRule:
    """Knows the rows that waited when an engine took runs up, by looking at the disk after every transaction."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._waiting: dict[int, tuple[str, Message]] = {}
        self._old: dict[str, dict[int, Message]] = {}

    def look(self) -> None:
        """Takes notice of new rows."""
        for (seq,) in self._disk.look("inbox_seqs"):
            if seq not in self._waiting:
                ((run_id, body),) = self._disk.look("inbox_row", seq)
                self._waiting[seq] = (run_id, unpack_message(body)[0])

    def taken_up(self, partitions: Collection[int] = EVERY_PARTITION) -> None:
        """An engine begins with the runs of these partitions, and with what waits for them."""
        self._old = {run_id: rows for run_id, rows in self._old.items() if partition_of(run_id) not in partitions}
        for seq, (run_id, message) in self._waiting.items():
            if partition_of(run_id) in partitions:
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
            return any(_open(state, match.entry) and _agrees(state, match) for match in matches)
        case _:
            return False


def _agrees(state: RunState, match: EventMatch) -> bool:
    """False when another event fixed a correlation value of the run after this one was delivered."""
    return all(name not in state.keys or state.keys[name].data == value.data for name, value in match.keys.items())


def _open(state: RunState, entry: int) -> bool:
    frame = state.frames.get(entry)
    if frame is None or not isinstance(frame.work, ListenWork):
        return False
    return not frame.work.closed and not frame.work.met and not frame.work.arrived and not frame.work.until_met

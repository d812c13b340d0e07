"""What waits for each run, in order; which runs are ready for a turn; and who is having one."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from penstock.model.limits import MAX_HELD_EVENTS, MAX_MESSAGES_PER_TURN
from penstock.runtime.mail import Queued


@dataclass(slots=True, eq=False)
class Mailbox:
    """`wake`: look at the deadlines. `held`: events that no listener of the run took yet. `poisoned`: messages that
    the engine could not apply; resuming the run offers them again."""

    waiting: deque[Queued] = field(default_factory=deque[Queued])
    wake: bool = False
    busy: bool = False
    ready: bool = False
    held: list[Queued] = field(default_factory=list[Queued])
    poisoned: list[Queued] = field(default_factory=list[Queued])

    @property
    def empty(self) -> bool:
        return not (self.waiting or self.wake or self.busy or self.held or self.poisoned)


class Mailboxes:
    """A run is in at most one turn at a time; `open` and `close` bracket it."""

    def __init__(self) -> None:
        self._boxes: dict[str, Mailbox] = {}
        self._ready: deque[str] = deque()
        self._yielding: deque[str] = deque()
        self.some_ready = asyncio.Event()

    @property
    def ready_count(self) -> int:
        return len(self._ready) + len(self._yielding)

    @property
    def busy_count(self) -> int:
        return sum(box.busy for box in self._boxes.values())

    def add(self, run_id: str, item: Queued) -> None:
        """Puts a message behind the others; inbox messages keep the order of their sequence."""
        box = self._boxes.setdefault(run_id, Mailbox())
        waiting = box.waiting
        if item.inbox_seq and waiting and waiting[-1].inbox_seq > item.inbox_seq:
            place = next(i for i, other in enumerate(waiting) if other.inbox_seq > item.inbox_seq)
            waiting.insert(place, item)
        else:
            waiting.append(item)
        self._make_ready(run_id, box)

    def wake(self, run_id: str, *, yielding: bool = False) -> None:
        """Asks for a look at the run's deadlines; `yielding` puts it behind runs that have messages."""
        box = self._boxes.setdefault(run_id, Mailbox())
        box.wake = True
        self._make_ready(run_id, box, yielding=yielding)

    def put_back(self, run_id: str, items: Sequence[Queued], *, wake: bool = False) -> None:
        """Puts messages before the others again."""
        box = self._boxes.setdefault(run_id, Mailbox())
        box.waiting.extendleft(reversed(items))
        box.wake = box.wake or wake

    def take(self, most: int) -> list[str]:
        """Runs that may have a turn now: those with messages, and one that gave way before."""
        found: list[str] = []
        while self._ready and len(found) < most:
            found.append(self._ready.popleft())
        if self._yielding:
            found.append(self._yielding.popleft())
        if not self._ready and not self._yielding:
            self.some_ready.clear()
        return found

    def open(self, run_id: str) -> tuple[list[Queued], bool]:
        """Begins the run's turn: its messages and whether to look at its deadlines.

        With messages left behind, the look has to wait: they were there first.
        """
        box = self._boxes[run_id]
        box.ready, box.busy = False, True
        mail = [box.waiting.popleft() for _ in range(min(len(box.waiting), MAX_MESSAGES_PER_TURN))]
        wake = box.wake and not box.waiting
        if wake:
            box.wake = False
        return mail, wake

    def close(self, run_id: str) -> None:
        """Ends the run's turn; it is ready again if something waits."""
        box = self._boxes[run_id]
        box.busy = False
        if box.waiting or box.wake:
            self._make_ready(run_id, box)
        elif box.empty:
            del self._boxes[run_id]

    def hold(self, run_id: str, items: Sequence[Queued]) -> list[Queued]:
        """Keeps events for a later listener; returns those that there is no room for."""
        if not items:
            return []
        box = self._boxes.setdefault(run_id, Mailbox())
        box.held.extend(items)
        dropped = box.held[:-MAX_HELD_EVENTS] if len(box.held) > MAX_HELD_EVENTS else []
        box.held = box.held[-MAX_HELD_EVENTS:]
        return dropped

    def release_held(self, run_id: str) -> list[Queued]:
        """Takes the held events out."""
        if (box := self._boxes.get(run_id)) is None:
            return []
        items, box.held = box.held, []
        return self._released(run_id, box, items)

    def turn_out(self, leaves: Callable[[str], bool]) -> list[tuple[str, list[Queued]]]:
        """Empties the boxes of runs that leave; a turn under way goes on."""
        leaving = [run_id for run_id in self._boxes if leaves(run_id)]
        found = [(run_id, self.empty(run_id)) for run_id in leaving]
        gone = {run_id for run_id in leaving if not self._boxes[run_id].busy}
        for run_id in gone:
            del self._boxes[run_id]
        self._ready = deque(run_id for run_id in self._ready if run_id not in gone)
        self._yielding = deque(run_id for run_id in self._yielding if run_id not in gone)
        return found

    def empty(self, run_id: str) -> list[Queued]:
        """Takes everything out that waits for the run."""
        box = self._boxes[run_id]
        items = [*box.waiting, *box.held, *box.poisoned]
        box.waiting.clear()
        box.held, box.poisoned, box.wake = [], [], False
        return items

    def any_busy(self, among: Callable[[str], bool]) -> bool:
        """Whether one of these runs has a turn under way."""
        return any(box.busy and among(run_id) for run_id, box in self._boxes.items())

    def expects(self, run_id: str) -> bool:
        """Whether the run has a turn under way, or messages for one."""
        box = self._boxes.get(run_id)
        return box is not None and (box.busy or bool(box.waiting))

    def poison(self, run_id: str, items: Sequence[Queued]) -> None:
        self._boxes[run_id].poisoned.extend(items)

    def release_poisoned(self, run_id: str) -> list[Queued]:
        """Takes the messages out that could not be applied."""
        if (box := self._boxes.get(run_id)) is None:
            return []
        items, box.poisoned = box.poisoned, []
        return self._released(run_id, box, items)

    def holds(self, run_id: str) -> bool:
        box = self._boxes.get(run_id)
        return box is not None and bool(box.held)

    def holding(self) -> list[str]:
        """Runs for which events are held."""
        return [run_id for run_id, box in self._boxes.items() if box.held]

    def _released(self, run_id: str, box: Mailbox, items: list[Queued]) -> list[Queued]:
        if box.empty:
            del self._boxes[run_id]
        return items

    def _make_ready(self, run_id: str, box: Mailbox, *, yielding: bool = False) -> None:
        if box.ready or box.busy:
            return
        box.ready = True
        (self._yielding if yielding else self._ready).append(run_id)
        self.some_ready.set()

"""From a turn that is done to the rows that the store writes for it."""

from collections.abc import Iterable, Sequence
from typing import assert_never, cast

from penstock.kernel.codec import FINGERPRINT
from penstock.kernel.commands import (
    CancelCall,
    Command,
    Invoke,
    Offer,
    PublishEvent,
    SendMessage,
    Subscribe,
    Unsubscribe,
    Withdraw,
)
from penstock.kernel.ids import time_of
from penstock.kernel.state import RunState
from penstock.kernel.topics import TASK_TOPIC, task_key
from penstock.model.json_value import Json
from penstock.runtime.envelopes import pack_listener, pack_message, pack_state
from penstock.runtime.event_rows import event_row
from penstock.runtime.live import Live
from penstock.runtime.mail import Origin
from penstock.runtime.turn import Turn
from penstock.store.rows import EventRow, RunCommit, RunRow, StartKey, Subscription, WorkRow

ANY_KEY = "*"


class Writes:
    """The commands of a turn that are rows: what is left of them when the turn is over."""

    def __init__(self, run_id: str, at: int) -> None:
        self._run_id = run_id
        self._at = at
        self.messages: list[tuple[str, bytes]] = []
        self.events: list[EventRow] = []
        self.unsubscribe: dict[int, None] = {}
        self.subscribe: dict[tuple[int, int], Subscription] = {}
        self.withdraw: dict[str, None] = {}
        self.withdraw_tools: dict[tuple[str, str], None] = {}
        self.offers: dict[tuple[str, str], WorkRow] = {}
        self._unheard: set[str] = set()
        """Keys of calls that are offered for the first time: nobody can have answered them yet."""

    def take(self, commands: Iterable[Command]) -> None:
        for command in commands:
            match command:
                case Invoke() | CancelCall():  # first, since it is nearly all of them
                    pass  # the state is their durable form
                case SendMessage():
                    self.messages.append((command.run_id, pack_message(command.message)))
                case PublishEvent():
                    event = cast("dict[str, Json]", command.event.data)
                    self.events.append(event_row(event, self._at, self._run_id))
                case Subscribe():
                    self.subscribe[command.entry, command.filter] = self._subscription(command)
                case Unsubscribe():
                    self.unsubscribe[command.entry] = None
                    for place in [place for place in self.subscribe if place[0] == command.entry]:
                        del self.subscribe[place]
                case Offer():
                    event = cast("dict[str, Json]", command.event.data)
                    self.events.append(event_row(event, self._at, self._run_id))
                    if not command.token:
                        self._unheard.add(task_key(command.call_id))
                    self.offers |= {(command.call_id, tool): self._work(command, tool) for tool in command.tools}
                case Withdraw():
                    self._withdraw(command)
                case _:
                    assert_never(command)

    @property
    def looking_back(self) -> list[Subscription]:
        """The new listeners for which an event may have come before them."""
        return [row for row in self.subscribe.values() if row.topic != TASK_TOPIC.topic or row.key not in self._unheard]

    def _withdraw(self, command: Withdraw) -> None:
        """What was offered in this very turn is never stored; the store withdraws before it offers."""
        if command.tool:
            self.withdraw_tools[command.call_id, command.tool] = None
        else:
            self.withdraw[command.call_id] = None
        for call_id, tool in [*self.offers]:
            if call_id == command.call_id and command.tool in ("", tool):
                del self.offers[call_id, tool]

    def _work(self, command: Offer, tool: str) -> WorkRow:
        return WorkRow(
            call_id=command.call_id,
            tool=tool,
            run_id=self._run_id,
            capability=command.capability,
            kind="push" if tool in command.pushed else "pull",
            state="waiting",
            token=command.token,
            attempts=0,
            due_at=self._at,
            created_at=self._at,
            deadline_at=command.deadline_at,
            holder="",
            reason="",
            event=command.event.json,
        )

    def _subscription(self, command: Subscribe) -> Subscription:
        key = ANY_KEY if command.key is None else command.key
        body = pack_listener(command.known, command.variables)
        return Subscription(self._run_id, command.entry, command.filter, command.topic, key, body)


class Prepared:
    """A turn with the commit that it asks for; `commit` is None when nothing but messages without meaning came."""

    def __init__(self, turn: Turn, leftovers: Sequence[int] = ()) -> None:
        self.turn = turn
        self.after: Live | None = turn.base
        self.writes: Writes | None = None
        self.leftovers: tuple[int, ...] = tuple(leftovers)
        self.commit: RunCommit | None = None
        self.key: StartKey | None = None
        self.consumed = tuple([item.inbox_seq for item, _ in turn.settled if item.inbox_seq])
        """The inbox rows that this turn has dealt with."""
        if turn.journal:
            self._prepare(leftovers)

    def _prepare(self, leftovers: Sequence[int]) -> None:
        turn, base = self.turn, self.turn.base
        state = turn.state
        assert state is not None
        origin = next((item.origin for item, stale in turn.settled if item.origin and not stale), None)
        data, values = pack_state(state)
        stored = base.stored if base else frozenset[bytes]()
        written = {digest: json for digest, json in (turn.values | values).items() if digest not in stored}
        self.writes = Writes(turn.run_id, state.updated_at)
        self.writes.take(turn.commands)
        calls = state.calls
        run = run_row(state, base.run if base else None, origin, calling=bool(calls))
        self.key = origin.key if origin and base is None else None
        self.commit = RunCommit(
            run=run,
            expected_version=base.state.version if base else 0,
            version=state.version,
            state=data,
            journal=tuple(turn.journal),
            values=written,
            consumed=(*self.consumed, *leftovers),
            messages=tuple(self.writes.messages),
            events=tuple(self.writes.events),
            subscribe=tuple(self.writes.subscribe.values()),
            unsubscribe=tuple(self.writes.unsubscribe),
            offers=tuple(self.writes.offers.values()),
            withdraw=tuple(self.writes.withdraw),
            withdraw_tools=tuple(self.writes.withdraw_tools),
            checkpoint=turn.needs_checkpoint,
            unowned=base is None and origin is not None and origin.unowned,
        )
        size = len(data) + sum(map(len, values.values()))
        # What is in the new state is on disk after the commit, whether it was written now or before.
        kept = frozenset(values) | (stored if len(stored) < 256 else frozenset[bytes]())
        self.after = Live(run, state, calls, size, kept, FINGERPRINT)


def run_row(state: RunState, before: RunRow | None, origin: Origin | None, *, calling: bool) -> RunRow:
    """What lists show of the run in this state."""
    identity = state.workflow
    return RunRow(
        id=state.run_id,
        namespace=identity.namespace,
        name=identity.name,
        version=identity.version,
        status=state.status,
        created_at=before.created_at if before else time_of(state.run_id),
        updated_at=state.updated_at,
        ended_at=state.ended_at,
        next_at=state.next_at,
        calling=calling,
        labels=before.labels if before else (origin.labels if origin else {}),
        parent_id=state.parent.run_id if state.parent else "",
        retry_of=before.retry_of if before else (state.retry_of or (origin.retry_of if origin else "")),
        fault_title=state.error.title if state.error else "",
    )

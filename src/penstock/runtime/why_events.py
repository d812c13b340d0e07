"""Why an event matched or did not: every listener that could be meant, with the first clause that failed.

Reads the store alone, so that every node answers the same, whoever holds the runs.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from penstock.errors import Fault, NotFound
from penstock.kernel.instants import rfc3339
from penstock.kernel.nodes import Program
from penstock.kernel.state import ListenWork
from penstock.kernel.topics import TASK_TOPIC, task_key
from penstock.model.json_value import Json
from penstock.model.limits import MAX_PAGE_ITEMS, MAX_WHY_CANDIDATES, MAX_WHY_TOPICS, MAX_WHY_WORKFLOWS
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.candidates import Candidate, EventWhy, Verdict, in_order
from penstock.runtime.clauses import RUN_PREDICATE, first_failure
from penstock.runtime.clock import Clock
from penstock.runtime.envelopes import unpack_listener
from penstock.runtime.event_rows import event_of
from penstock.runtime.filter_words import FilterPlace, filters_of
from penstock.runtime.listeners import Listeners, identity_of
from penstock.runtime.live import Live
from penstock.runtime.matching import Event, Matching, key_of
from penstock.runtime.programs import BrokenDefinition, Programs
from penstock.runtime.takings import Taken, Takings
from penstock.store.protocol import Store
from penstock.store.rows import EventRow, Subscription

_decode: Final = msgspec.json.Decoder().decode


class _Filter(msgspec.Struct, frozen=True):
    """A filter with what its expressions give for the event."""

    place: FilterPlace
    workflow: str
    results: dict[str, Json | Fault]


class EventQuestions:
    """Read only. `find_run` gives a run as it is on disk; it raises `NotFound`."""

    def __init__(
        self, store: Store, programs: Programs, listeners: Listeners, matching: Matching, takings: Takings, clock: Clock
    ) -> None:
        self._store = store
        self._programs = programs
        self._listeners = listeners
        self._matching = matching
        self._takings = takings
        self._clock = clock

    async def why(
        self, source: str, event_id: str, run_id: str | None, find_run: Callable[[str], Awaitable[Live]]
    ) -> EventWhy:
        """Every listener that could be meant: of the filters of the event's type, and of those that are open to any;
        with `run_id` every one of that run. Raises `NotFound`."""
        row = await self._store.event(source, event_id)
        if row is None:
            raise NotFound(f"there is no event {event_id[:100]!r} of {source[:100]!r}; old ones are deleted")
        look = _Look(
            self._store, self._programs, self._listeners, self._matching, self._takings, self._clock, row, find_run
        )
        if run_id is None:
            return await look.everywhere()
        return await look.at(run_id)


class _Look:
    """One question about one event."""

    def __init__(
        self,
        store: Store,
        programs: Programs,
        listeners: Listeners,
        matching: Matching,
        takings: Takings,
        clock: Clock,
        row: EventRow,
        find_run: Callable[[str], Awaitable[Live]],
    ) -> None:
        self._store = store
        self._programs = programs
        self._listeners = listeners
        self._matching = matching
        self._takings = takings
        self._clock = clock
        self._row = row
        self._event: Event = event_of(row)
        self._find_run = find_run
        self._found: list[Candidate] = []
        self._delivered: list[str] = []
        self._told: set[str] = set()
        """Runs for which the delivery has been told of."""
        self._runs: dict[str, Live | None] = {}
        self._taken: dict[str, Taken | None] = {}
        self._more = False
        self._looked_up = 0

    async def everywhere(self) -> EventWhy:
        self._delivered = await self._store.delivered_to(self._row.seq, MAX_WHY_CANDIDATES)
        names = await self._store.subscription_topics()
        for name in names:
            if name == TASK_TOPIC.topic:
                await self._answers()
            elif (one := await self._relevant(name)) is not None:
                await self._listening(one)
        for run_id in self._delivered:
            if run_id in self._told:
                continue
            if len(self._found) >= MAX_WHY_CANDIDATES:
                self._more = True
                break
            await self._delivery(run_id)
        await self._unheard({*names})
        return EventWhy(self._row, in_order(self._found), self._more)

    async def at(self, run_id: str) -> EventWhy:
        live = await self._run(run_id)
        if live is None:
            raise NotFound(f"there is no run {run_id}")
        self._delivered = [run_id] if await self._has(run_id) else []
        rows = await self._store.subscriptions_of(run_id)
        for row in rows:
            if row.topic == TASK_TOPIC.topic:
                continue
            if (one := await self._filter(row.topic)) is not None:
                await self._listener(one, row)
        if self._delivered and run_id not in self._told:
            await self._delivery(run_id)
        if not self._found:
            await self._not_listening(live)
        return EventWhy(self._row, in_order(self._found), self._more)

    async def _has(self, run_id: str) -> bool:
        """Whether the event was delivered to the run."""
        if self._row.run_id == run_id:  # its own events are listed with the run, delivered or not
            return run_id in await self._store.delivered_to(self._row.seq, MAX_PAGE_ITEMS)
        listed = await self._store.list_events(run=run_id, beyond=self._row.seq - 1, limit=1)
        return bool(listed) and listed[0].seq == self._row.seq

    # Filters

    async def _relevant(self, name: str) -> _Filter | None:
        """The filter if it is for events of this type, or open to any. Few of those that are not in memory are read."""
        topic = self._listeners.topic(name)
        if topic is None:
            self._looked_up += 1
            if self._looked_up > MAX_WHY_TOPICS:
                self._more = True
                return None
        elif topic.type not in (None, self._row.type):
            return None
        one = await self._filter(name)
        return one if one is not None and one.place.topic.type in (None, self._row.type) else None

    async def _filter(self, topic: str) -> _Filter | None:
        identity = identity_of(topic)
        program = None if identity is None else await self._program(identity)
        place = None if program is None else filters_of(program).get(topic)
        if identity is None or place is None:
            return None
        return await self._evaluated(place, str(identity))

    async def _program(self, identity: WorkflowIdentity) -> Program | None:
        try:
            return await self._programs.get(identity)
        except BrokenDefinition:
            return None

    async def _evaluated(self, place: FilterPlace, workflow: str) -> _Filter:
        topic = place.topic
        labels = [label for label, _ in topic.expressions]
        values = await self._matching.evaluate(
            [(one, topic.dot(label, self._event), {}) for label, one in topic.expressions]
        )
        return _Filter(place, workflow, dict(zip(labels, values, strict=True)))

    async def _unheard(self, heard: set[str]) -> None:
        """Filters of stored workflows that would take the event, if somebody listened with them."""
        after: tuple[str, str, str] | None = None
        left = MAX_WHY_WORKFLOWS
        while left > 0:
            page = await self._store.list_workflows(namespace=None, after=after, limit=min(left, MAX_PAGE_ITEMS))
            for stored in page:
                program = await self._program(WorkflowIdentity(stored.namespace, stored.name, stored.version))
                for topic, place in ({} if program is None else filters_of(program)).items():
                    if len(self._found) >= 2 * MAX_WHY_CANDIDATES:
                        self._more = True
                        return
                    if topic not in heard and place.topic.type in (None, self._row.type):
                        await self._nobody(place, f"{stored.namespace}/{stored.name}:{stored.version}")
            if len(page) < min(left, MAX_PAGE_ITEMS):
                return
            left -= len(page)
            after = (page[-1].namespace, page[-1].name, page[-1].version)
        self._more = True

    async def _nobody(self, place: FilterPlace, workflow: str) -> None:
        if any((one.workflow, one.reference, one.filter) == (workflow, *_where(place)) for one in self._found):
            return  # it was heard here, by a run that listens no longer
        if not place.topic.admits(self._event):
            if place.topic.type is not None:
                self._add(place, workflow, "no", first_failure(place, self._event, {}, None) or "")
            return
        one = await self._evaluated(place, workflow)
        failure = first_failure(place, self._event, one.results, None)
        if failure is not None:
            self._add(place, workflow, "no", failure + "; and no run listens here now")
        else:
            self._add(place, workflow, "nobody", "no run listens here now")

    # Listeners

    async def _listening(self, one: _Filter) -> None:
        topic = one.place.topic
        values = topic.keys(self._event, one.results) if topic.admits(self._event) else None
        rows: list[Subscription] = []
        if values and topic.key_names:
            rows = await self._store.subscriptions_to(topic.topic, key=key_of(values), limit=MAX_WHY_CANDIDATES)
        exact = {(row.run_id, row.entry, row.filter) for row in rows}
        others = await self._store.subscriptions_to(topic.topic, limit=MAX_WHY_CANDIDATES + 1)
        rows += [row for row in others if (row.run_id, row.entry, row.filter) not in exact]
        for row in rows:
            if len(self._found) >= MAX_WHY_CANDIDATES:
                self._more = True
                return
            await self._listener(one, row)

    async def _listener(self, one: _Filter, row: Subscription) -> None:
        body, results = unpack_listener(row.body), one.results
        predicate = one.place.topic.run_predicate
        if predicate is not None:
            variables = {name: _decode(value) for name, value in body.variables.items()}
            [value] = await self._matching.evaluate([(predicate, self._event.get("data"), variables)])
            results = {**results, RUN_PREDICATE: value}
        failure = first_failure(one.place, self._event, results, body)
        if failure is not None:
            self._add(one.place, one.workflow, "no", failure, row.run_id)
        else:
            await self._fits(one, row)

    async def _fits(self, one: _Filter, row: Subscription) -> None:
        """The event is what the filter asks for: it was delivered, or it came too early or too late."""
        live, place, run_id = await self._run(row.run_id), one.place, row.run_id
        has = await self._was_given(run_id)
        taken = await self._takes(run_id) if has else None
        if has:
            self._told.add(run_id)
        if taken is not None and any((m.entry, m.filter) == (row.entry, row.filter) for m in taken.matches):
            self._add(place, one.workflow, "delivered", f"taken at {rfc3339(taken.at)}", run_id)
            return
        frame = None if live is None else live.state.frames.get(row.entry)
        work = None if frame is None else frame.work
        met = isinstance(work, ListenWork) and row.filter in (work.until_met if place.ends else work.met)
        already = "this filter of the task has its event already; " if met else ""
        if has:
            self._add(place, one.workflow, "held", already + self._held_until(), run_id)
        elif frame is not None and self._row.expires_at <= frame.started_at:
            expired, began = rfc3339(self._row.expires_at), rfc3339(frame.started_at)
            reason = f"the event expired at {expired}; the task listens since {began}"
            self._add(place, one.workflow, "no", reason, run_id)
        else:
            self._add(place, one.workflow, "waiting", already + "it matches, and is not delivered yet", run_id)

    async def _was_given(self, run_id: str) -> bool:
        if run_id in self._delivered:
            return True
        return len(self._delivered) >= MAX_WHY_CANDIDATES and await self._has(run_id)

    def _held_until(self) -> str:
        if self._row.expires_at <= self._clock.now_ms():
            return f"delivered, but nobody in the run took it before it expired at {rfc3339(self._row.expires_at)}"
        return f"delivered and held until {rfc3339(self._row.expires_at)}: no task of the run has taken it yet"

    # Deliveries

    async def _delivery(self, run_id: str) -> None:
        """A delivery to a run that does not listen with that filter any more, or never did."""
        live = await self._run(run_id)
        if live is None:
            return
        self._told.add(run_id)
        workflow = str(live.state.workflow)
        taken = await self._takes(run_id)
        if taken is None:
            if live.state.ended:
                reason = f"delivered, but the run had ended at {rfc3339(live.state.ended_at)} before it took the event"
                self._found.append(Candidate(workflow=workflow, verdict="no", reason=reason, run_id=run_id))
            else:
                held = self._held_until()
                self._found.append(Candidate(workflow=workflow, verdict="held", reason=held, run_id=run_id))
            return
        for match in taken.matches:
            reference, name = taken.tasks.get(match.entry, ("", ""))
            self._found.append(
                Candidate(
                    workflow=workflow,
                    verdict="delivered",
                    reason=f"taken at {rfc3339(taken.at)}",
                    run_id=run_id,
                    reference=reference,
                    name=name,
                    filter=match.filter,
                )
            )

    async def _takes(self, run_id: str) -> Taken | None:
        """The message by which the run took the event, if it is among the run's last."""
        if run_id not in self._taken:
            live = await self._run(run_id)
            self._taken[run_id] = None if live is None else await self._takings.find(live, self._row)
        return self._taken[run_id]

    # Runs that do not listen

    async def _not_listening(self, live: Live) -> None:
        state = live.state
        program = await self._program(state.workflow)
        ended = f"the run had ended ({state.status}) at {rfc3339(state.ended_at)}" if state.ended else ""
        for place in ({} if program is None else filters_of(program)).values():
            one = await self._evaluated(place, str(state.workflow))
            failure = first_failure(place, self._event, one.results, None)
            late = ended if state.ended else "the run does not listen here now"
            self._add(place, one.workflow, "no", f"{failure}; and {late}" if failure else late, live.run.id)
        if not self._found:
            reason = ended or "the workflow listens for no event"
            self._found.append(Candidate(workflow=str(state.workflow), verdict="no", reason=reason, run_id=live.run.id))

    async def _answers(self) -> None:
        """Tasks that tools take by event, for an event that answers one."""
        call_id = self._event.get("triggeredid")
        if not isinstance(call_id, str):
            return
        for row in await self._store.subscriptions_to(TASK_TOPIC.topic, key=task_key(call_id), limit=1):
            live = await self._run(row.run_id)
            workflow = "" if live is None else str(live.state.workflow)
            sent = row.run_id in self._delivered
            self._told.add(row.run_id)
            reason = "delivered as an answer to the call" if sent else "an answer to the call, not delivered yet"
            verdict: Verdict = "delivered" if sent else "waiting"
            self._found.append(Candidate(workflow=workflow, verdict=verdict, reason=reason, run_id=row.run_id))

    async def _run(self, run_id: str) -> Live | None:
        if run_id not in self._runs:
            try:
                self._runs[run_id] = await self._find_run(run_id)
            except NotFound:
                self._runs[run_id] = None
        return self._runs[run_id]

    def _add(self, place: FilterPlace, workflow: str, verdict: Verdict, reason: str, run_id: str = "") -> None:
        self._found.append(
            Candidate(
                workflow=workflow,
                verdict=verdict,
                reason=reason,
                run_id=run_id,
                reference=place.node.pointer,
                name=place.node.name,
                filter=place.number,
            )
        )


def _where(place: FilterPlace) -> tuple[str, int]:
    return place.node.pointer, place.number

"""What must hold when all is over, whatever went wrong: looked up in the database and in what the service saw."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from penstock.kernel import Program
from penstock.kernel.state import ENDED
from tests.faults.cluster import Node
from tests.faults.database import Database, StoredRun
from tests.faults.load import Load, Start
from tests.faults.replay import Life, live_again
from tests.faults.service import Call, Service

_DEFECTS: Final = frozenset(
    {
        "turn failed",
        "run cannot be suspended",
        "run left alone",
        "task of the turn loop failed",
        "turn loop failed",
        "event cannot be matched",
        "inbox row cannot be read",
        "store refused a turn",
        "call failed inside the engine",
        "request failed",
    }
)
"""Words of the log that tell of a defect, not of a fault around the node."""


class Examination(msgspec.Struct):
    """What was found. `violations` must be empty."""

    violations: list[str]
    runs: int
    transitions: int
    calls: int
    repeated: Counter[str]


async def examine(database: Database, load: Load, service: Service, nodes: Sequence[Node]) -> Examination:
    """Looks at everything, once every run has ended."""
    stored = await database.runs()
    found = _Examiner(load, service, stored)
    for run in stored.values():
        await found.run(database, run)
    for start in load.starts:
        found.start(start, await database.runs_of_start(start.key))
    found.events(await database.events())
    found.calls()
    found.violations += load.ledger.surprises + await database.leftovers()
    for node in nodes:
        found.violations += [f"{node.name} logged: {line}" for line in defects(node.log)]
    transitions = sum(run.version for run in stored.values())
    return Examination(found.violations, len(stored), transitions, len(service.calls), service.repeated)


def defects(log: str) -> list[str]:
    """The lines of a log in JSON that tell of a defect of the engine."""
    lines = [line for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line[:1500] for line in lines if json.loads(line).get("event") in _DEFECTS]


class _Examiner:
    def __init__(self, load: Load, service: Service, stored: dict[str, StoredRun]) -> None:
        self.violations: list[str] = []
        self._load = load
        self._service = service
        self._stored = stored
        self._programs: dict[str, Program] = {plan.name: plan.program() for plan in load.plans}
        self._lives: dict[str, Life] = {}

    def violate(self, text: str) -> None:
        self.violations.append(text)

    async def run(self, database: Database, run: StoredRun) -> None:
        """Its versions have no gap and no double, and its journal gives the state that is stored."""
        journal = await database.journal(run.id)
        if [row.seq for row in journal] != list(range(1, run.version + 1)):
            self.violate(f"{run.id} is at {run.version}, its journal at {[row.seq for row in journal]}")
            return
        kept, values = await database.checkpoints(run.id), await database.values(run.id)
        try:
            life = live_again(run.id, self._programs[run.name], journal, kept, values)
        except Exception as error:  # a journal that cannot be replayed is a finding like any other
            self.violate(f"{run.id} ({run.name}) cannot be replayed: {type(error).__name__}: {error}")
            return
        self._lives[run.id] = life
        self.violations += life.violations
        if life.stored != run.state:
            self.violate(f"the journal of {run.id} ({run.name}) does not give its state")
        if run.status not in ENDED:
            self.violate(f"{run.id} ({run.name}) has not ended: {run.status}")

    def start(self, start: Start, runs: list[str]) -> None:
        """Its run is there once, and did what it should."""
        acknowledged = self._load.ledger.started.get(start.key)
        if runs != [acknowledged]:
            self.violate(f"{start.key} was acknowledged as {acknowledged} and is {runs}")
            return
        life = self._lives.get(runs[0])
        if life is None or life.state is None:
            return
        status, output = life.state.status, life.state.output
        if status == "cancelled" and start.cancel_after_s is not None:
            return
        wanted = {"n": start.output, "order": start.key}
        if status != "completed" or output is None or output.data != wanted:
            self.violate(f"{start.key} ({start.plan.name}) {status}: {output and output.data} instead of {wanted}")
        expected = Counter(("/outside", f"{start.key}/{type_}") for _, type_, _ in start.events)
        if Counter(life.events) != expected:
            self.violate(f"{start.key} took {life.events} instead of {sorted(expected)}")
        children = [run for run in self._stored.values() if run.parent_id == runs[0]]
        if len(children) != start.plan.children:
            self.violate(f"{start.key} ({start.plan.name}) has the children {[child.id for child in children]}")

    def events(self, stored: list[str]) -> None:
        """What was published is there once."""
        if Counter(stored) != Counter(self._load.ledger.published):
            self.violate(f"events: {set(stored) ^ self._load.ledger.published} are stored or acknowledged, not both")

    def calls(self) -> None:
        """None without its intent on disk, each key for one call only, and no answer without a call."""
        calls: dict[str, list[Call]] = {}
        for call in self._service.calls:
            calls.setdefault(call.key, []).append(call)
        intents = {key: (life, *intent) for life in self._lives.values() for key, intent in life.intents.items()}
        for key, made in calls.items():
            if key not in intents:
                self.violate(f"{made[0]} was never written")
                continue
            life, invoke, written_at = intents[key]
            assert life.state is not None
            order, task = life.state.input.data["order"], invoke.reference.rpartition("/")[2]
            if {(call.order, call.task) for call in made} != {(order, task)}:
                self.violate(f"{invoke.reference} of {order} was called as {made}")
            if made[0].came_at < written_at:
                self.violate(f"{made[0]} came before it was written at {written_at}")
        for life in self._lives.values():
            for key, well in life.answered.items():
                if well and key not in calls:
                    self.violate(f"{life.run_id}: {key} was answered and never made")

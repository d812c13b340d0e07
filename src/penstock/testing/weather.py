"""How bad things are: which faults happen, how often. A seed picks a weather; every seed has another mixture."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

import msgspec


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities per operation unless the name says otherwise. All zero is a good day."""

    latency_ms: float = 1.0
    """The mean of what a store operation takes."""
    slow: float = 0.0
    """A store operation takes seconds."""
    write_fails: float = 0.0
    """A transaction is not written and says so."""
    write_lies: float = 0.0
    """A transaction is written and reports failure."""
    write_again: float = 0.0
    """The turns of a transaction are written a second time, a little later."""
    read_fails: float = 0.0
    crash_before_write: float = 0.0
    crash_after_write: float = 0.0
    crash_before_read: float = 0.0
    crash_at_request: float = 0.0
    """The engine crashes when a tool has got its request."""
    crash_at_answer: float = 0.0
    """The engine crashes when a tool has done its work."""
    crash_every_s: float = 0.0
    """Mean time between crashes at any place."""
    stop_every_s: float = 0.0
    """Mean time between orderly stops."""
    call_lost: float = 0.0
    """An answer of a tool that may fail is lost: the connection breaks."""
    call_hangs: float = 0.0
    """The same, without a sign until the deadline."""
    call_fails: float = 0.0
    call_doubled: float = 0.0
    """A tool gets its request twice."""
    answer_again: float = 0.0
    """The answer of a call comes again, some time later."""
    reply_lost: float = 0.0
    """A client does not learn what became of its request."""
    evaluation_fails: float = 0.0
    clock_steps_every_s: float = 0.0
    """Mean time between corrections that set the clock forward."""
    clock_back_every_s: float = 0.0
    """Mean time between corrections that set it back."""
    nodes: int = 0
    """Engines that share the disk; 0: one, with a disk of its own."""
    api_nodes: int = 0
    """Nodes beside them that only take requests."""
    clock_off_ms: float = 0.0
    """How far the clocks of nodes are off at most."""
    crash_lingers: float = 0.0
    """The disk does not notice that a crashed engine is gone."""
    pause_every_s: float = 0.0
    """Mean time between standstills of a node, some of them longer than its lease."""
    cut_every_s: float = 0.0
    """Mean time between losses of the way to the disk."""
    notice_lost: float = 0.0
    notice_doubled: float = 0.0
    notice_late: float = 0.0

    def without(self, words: Iterable[str]) -> "Weather":
        """The same with every fault left out whose name begins with one of these words."""
        gone = {name: getattr(CALM, name) for name in FAULTS if name.startswith(tuple(words))}
        return msgspec.structs.replace(self, **gone)

    def but(self, rates: Mapping[str, float]) -> "Weather":
        """The same with these rates."""
        return msgspec.structs.replace(self, **{name: type(getattr(CALM, name))(rate) for name, rate in rates.items()})

    @property
    def calm(self) -> "Weather":
        """A good day for as many nodes."""
        return msgspec.structs.replace(CALM, nodes=self.nodes, api_nodes=self.api_nodes)

    @property
    def answers(self) -> bool:
        """Whether whatever an engine asks of its surroundings is answered, soon."""
        faults = (self.slow, self.write_fails, self.write_lies, self.read_fails, self.evaluation_fails)
        return not any((*faults, self.pause_every_s, self.cut_every_s))

    @property
    def faults(self) -> dict[str, float]:
        """The faults that happen, with their rates."""
        return {name: rate for name in FAULTS if (rate := getattr(self, name)) != getattr(CALM, name)}


FAULTS: Final = Weather.__struct_fields__
"""The name of every fault."""
CALM: Final = Weather()


def weather_of_seed(seed: int) -> Weather:
    """The weather that belongs to a seed."""
    return weather_of(Random(f"{seed}/weather"))


def weather_of(random: Random) -> Weather:
    """Each kind of fault is there for some seeds only, so that they are seen alone and together."""

    def sometimes(most: float, share: float = 0.5) -> float:
        return random.random() * most if random.random() < share else 0.0

    return Weather(
        latency_ms=random.choice([0.2, 1.0, 5.0, 40.0]),
        slow=sometimes(0.02),
        write_fails=sometimes(0.08),
        write_lies=sometimes(0.08),
        write_again=sometimes(0.2),
        read_fails=sometimes(0.06),
        crash_before_write=sometimes(0.02),
        crash_after_write=sometimes(0.03),
        crash_before_read=sometimes(0.01),
        crash_at_request=sometimes(0.1),
        crash_at_answer=sometimes(0.1),
        crash_every_s=random.choice([0.0, 0.0, 2.0, 10.0, 30.0]),
        stop_every_s=random.choice([0.0, 0.0, 15.0]),
        call_lost=sometimes(0.3),
        call_hangs=sometimes(0.1),
        call_fails=sometimes(0.4),
        call_doubled=sometimes(0.3),
        answer_again=sometimes(0.4),
        reply_lost=sometimes(0.3),
        evaluation_fails=sometimes(0.1),
        clock_steps_every_s=random.choice([0.0, 0.0, 5.0, 40.0]),
        clock_back_every_s=random.choice([0.0, 0.0, 10.0, 30.0]),
        nodes=(nodes := random.choice([0, 1, 2, 2, 3, 3])),
        api_nodes=random.choice([0, 0, 1]) if nodes else 0,
        clock_off_ms=sometimes(30_000) if nodes else 0,
        crash_lingers=sometimes(1.0) if nodes else 0,
        pause_every_s=random.choice([0.0, 0.0, 8.0, 25.0]) if nodes else 0,
        cut_every_s=random.choice([0.0, 0.0, 8.0, 25.0]) if nodes else 0,
        notice_lost=random.choice([0.0, 0.0, 0.3, 1.0]) if nodes else 0,
        notice_doubled=sometimes(0.4) if nodes else 0,
        notice_late=sometimes(0.4) if nodes else 0,
    )

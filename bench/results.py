"""What was measured, and how measurements of several rounds become one line."""

import json
import statistics
from dataclasses import asdict, dataclass, field

from bench.plan import HEADLINES
from bench.works import Figures


@dataclass(frozen=True)
class Measurement:
    work: str
    subject: str
    round: int
    figures: Figures
    load_before: float
    fixed_loop_ms: float
    synced_append_ms: float
    size: int = 0


@dataclass(frozen=True)
class Spread:
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(min(values), statistics.median(values), max(values))


@dataclass
class Results:
    machine: list[tuple[str, str]]
    command: str
    measured: list[Measurement] = field(default_factory=list)
    skipped: dict[tuple[str, str], str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def of(self, work: str, subject: str) -> list[Measurement]:
        return [one for one in self.measured if (one.work, one.subject) == (work, subject)]

    def spread(self, work: str, subject: str, figure: str) -> Spread | None:
        values = [one.figures[figure] for one in self.of(work, subject) if figure in one.figures]
        return Spread.of(values) if values else None

    def sizes(self, work: str, subject: str) -> list[int]:
        return sorted({one.size for one in self.of(work, subject)})

    def sized(self, work: str, subject: str, size: int, figure: str) -> Spread | None:
        """A figure at one size."""
        found = [one for one in self.of(work, subject) if one.size == size]
        values = [one.figures[figure] for one in found if figure in one.figures]
        return Spread.of(values) if values else None

    def growth(self, work: str, subject: str, size: int, figure: str) -> Spread | None:
        """How many times that of the smallest size it is, round by round."""
        least = self.sizes(work, subject)[0]
        small = {one.round: one.figures for one in self.of(work, subject) if one.size == least}
        found = [one for one in self.of(work, subject) if one.size == size and figure in small.get(one.round, {})]
        values = [one.figures[figure] / small[one.round][figure] for one in found if small[one.round][figure]]
        return Spread.of(values) if values else None

    def subjects(self, work: str) -> list[str]:
        return list(dict.fromkeys(one.subject for one in self.measured if one.work == work))

    def ratio(self, work: str, subject: str, base: str = "penstock") -> Spread | None:
        """How many times better `base` is than the subject, round by round; below 1 it is worse."""
        figure, more = HEADLINES[work]
        ours = {one.round: one.figures[figure] for one in self.of(work, base)}
        pairs = [(ours[one.round], one.figures[figure]) for one in self.of(work, subject) if one.round in ours]
        ratios = [mine / other if more else other / mine for mine, other in pairs]
        return Spread.of(ratios) if ratios else None

    @classmethod
    def from_json(cls, stored: bytes) -> "Results":
        found = json.loads(stored)
        return cls(
            list(found["machine"].items()),
            found["command"],
            [Measurement(**one) for one in found["measured"]],
            {(one["work"], one["subject"]): one["why"] for one in found["skipped"]},
            found["versions"],
        )

    def as_json(self) -> dict[str, object]:
        return {
            "machine": dict(self.machine),
            "command": self.command,
            "versions": self.versions,
            "skipped": [{"work": work, "subject": name, "why": why} for (work, name), why in self.skipped.items()],
            "measured": [asdict(one) for one in self.measured],
        }

"""What a subject uses while it works: processor time, bytes on the disk, and what it counts itself."""

import os
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.subjects.contract import Disk, Subject

TICKS: Final = os.sysconf("SC_CLK_TCK")


class Spent:
    """Between `begin` and `each`, by this process and those that the subject has beside it."""

    def __init__(self, subject: Subject, cpu: float, disk: Disk) -> None:
        self._subject = subject
        self._cpu = cpu
        self._disk = disk
        self._counts = subject.counts()

    @classmethod
    async def begin(cls, subject: Subject) -> "Spent":
        disk = await subject.disk()
        return cls(subject, cpu_seconds(subject.processes()), disk)

    async def each(self, runs: int, steps: int) -> dict[str, float]:
        """Figures for each of so many runs, and for each of so many steps in each of them."""
        cpu = cpu_seconds(self._subject.processes()) - self._cpu
        counts = self._subject.counts()
        disk = await self._subject.disk()
        figures = {
            "CPU ms/run": cpu / runs * 1_000,
            "KB written/run": (disk.written - self._disk.written) / runs / 1_024,
        }
        if disk.kept is not None and self._disk.kept is not None:
            figures["KB kept/run"] = (disk.kept - self._disk.kept) / runs / 1_024
        figures["CPU µs/step"] = cpu / runs / steps * 1_000_000
        return {**figures, **self._counted(counts, runs * steps)}

    def counted(self, steps: int) -> dict[str, float]:
        """Only what the subject counts itself, for each of so many steps."""
        return self._counted(self._subject.counts(), steps)

    def _counted(self, counts: dict[str, float], steps: int) -> dict[str, float]:
        return {f"{name}/step": (value - self._counts[name]) / steps for name, value in counts.items()}


def cpu_seconds(others: Iterable[int]) -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + sum(map(cpu_of, others))


def cpu_of(process: int) -> float:
    return sum(_ticks(process)[:2]) / TICKS


def tree_cpu_of(process: int) -> float:
    """A process with its children, those that ended included; 0 for no process."""
    if not process:
        return 0.0
    total = sum(_ticks(process))
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
            total += sum(_ticks(int(child))[:2])
    return total / TICKS


def _ticks(process: int) -> list[int]:
    """Its own time as a program and in the kernel, then those of its children that ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]


def resident_kb() -> float:
    """Memory of this process that is in use now; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return float(status.read_text().split("VmRSS:")[1].split()[0])

"""What the figures were measured on, and how busy it was with other things."""

import os
import platform
import time
from importlib.metadata import version
from pathlib import Path


def facts() -> list[tuple[str, str]]:
    return [
        ("when", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
        ("processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_version()}, uvloop {version('uvloop')} for every subject"),
    ]


def fixed_loop_ms() -> float:
    """A loop of Python that always does the same: longer than at rest means that the machine was busy."""
    began, total = time.perf_counter(), 0
    for number in range(1_000_000):
        total += number & 7
    return (time.perf_counter() - began) * 1_000


def load() -> float:
    return os.getloadavg()[0]


def synced_append_ms(directory: Path) -> float:
    """The median of twenty appends that are forced to the disk: what one commit must cost at least."""
    took: list[float] = []
    path = directory / "append"
    with path.open("wb", buffering=0) as file:
        for _ in range(20):
            began = time.perf_counter()
            file.write(b"x" * 300)
            os.fdatasync(file.fileno()) if hasattr(os, "fdatasync") else os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return sorted(took)[10] * 1_000


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())

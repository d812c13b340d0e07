"""Writes `docs/limits.md` from `penstock.model.limits`: the names, values and comments that stand there."""

import re
from pathlib import Path
from typing import Final

from penstock.model import limits

_LINE: Final = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]+): Final = .+?  # (?P<meaning>.+)$", re.MULTILINE)

_HEAD: Final = """# Limits

Nothing is unbounded. What asks for more than a limit is refused or faults with an error that says so; what merely waits
(calls, messages, deadlines) waits in the store until there is room. These are constants of the engine; what can be set
is in [settings.md](settings.md).

This page is written from `src/penstock/model/limits.py`; regenerate it with
`PENSTOCK_REGENERATE=1 python -m pytest tests/docs/test_limits.py`.

| limit | value | of what |
|---|---|---|
"""


def limits_document() -> str:
    """The text of the page."""
    source = Path(limits.__file__).read_text(encoding="utf-8")
    rows = (_row(found["name"], found["meaning"]) for found in _LINE.finditer(source))
    return _HEAD + "".join(rows)


def _row(name: str, meaning: str) -> str:
    return f"| `{name}` | {_shown(name, getattr(limits, name))} | {meaning.replace('|', chr(92) + '|')} |\n"


def _shown(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(name, item) for item in value)
    assert isinstance(value, int)
    if "_BYTES" in name:
        return _in_units(value, (("MiB", 1024 * 1024), ("KiB", 1024)), "bytes")
    if name.endswith("_MS"):
        return _in_units(value, (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)), "ms")
    return f"{value:,}"


def _in_units(value: int, units: tuple[tuple[str, int], ...], smallest: str) -> str:
    """The value in the largest unit that divides it."""
    for unit, size in units:
        if value % size == 0 and (value > size or (value == size and unit != "days")):
            return f"{value // size:,} {unit}"
    return f"{value:,} {smallest}"

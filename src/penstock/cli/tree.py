"""The tasks of a run as a tree: what happened inside what. Pure: rows in, lines out."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from penstock.cli.spans import instant, span
from penstock.model.json_value import Json
from penstock.model.plain_data import is_list

SIGNS: Final = {
    "pending": "◌",
    "running": "●",
    "waiting": "…",
    "suspended": "‖",
    "cancelled": "⊘",
    "faulted": "✗",
    "completed": "✓",
    "skipped": "–",
}

Paint = Callable[[str, str], str]
"""Colors a text by a status."""


class Line(NamedTuple):
    """One task run. `depth` 0 stands at the left."""

    depth: int
    status: str
    label: str
    remark: str


def lines_of(tasks: Sequence[dict[str, Json]], now: datetime | None = None) -> list[Line]:
    """The task runs as the lines of a tree, in the order of entry among those with the same parent.

    `now` gives those that run a duration so far.
    """
    children: dict[int | None, list[int]] = {}
    for place in range(len(tasks)):
        children.setdefault(_parent(tasks, place), []).append(place)
    lines: list[Line] = []
    pending = [(place, 0) for place in reversed(children.get(None, []))]
    while pending:
        place, depth = pending.pop()
        task = tasks[place]
        lines.append(Line(depth, str(task.get("status")), _label(task), _remark(task, now)))
        pending += [(child, depth + 1) for child in reversed(children.get(place, []))]
    return lines


def draw(lines: Sequence[Line], paint: Paint = lambda text, _: text) -> list[str]:
    """The lines as text: status sign, name, and what is to be said about it."""
    width = max((2 * line.depth + len(line.label) for line in lines), default=0)
    drawn: list[str] = []
    for line in lines:
        indent = "  " * line.depth
        label = line.label.ljust(width - len(indent)) if line.remark else line.label
        sign = paint(SIGNS.get(line.status, "?"), line.status)
        drawn.append(f"{indent}{sign} {label}  {line.remark}".rstrip())
    return drawn


def name_of(reference: str) -> str:
    """A task's name: the last segment of its reference, a JSON Pointer."""
    return reference.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def _parent(tasks: Sequence[dict[str, Json]], place: int) -> int | None:
    """The task run that this one happened in: the latest before it with the longest reference around it."""
    reference, path = str(tasks[place].get("reference", "")), _path(tasks[place])
    best: int | None = None
    length = -1
    for other in range(place - 1, -1, -1):
        around = str(tasks[other].get("reference", ""))
        outer = _path(tasks[other])
        if len(around) > length and reference.startswith(around + "/") and path[: len(outer)] == outer:
            best, length = other, len(around)
            if _is_direct(around, reference):
                break
    return best


def _is_direct(around: str, reference: str) -> bool:
    """Whether nothing can stand between: `/do/0/a` and `/do/0/a/do/1/b`."""
    return reference[len(around) + 1 :].count("/") <= 2


def _path(task: dict[str, Json]) -> list[int]:
    path = task.get("path", task.get("iteration"))
    return path if is_list(path) else []


def _label(task: dict[str, Json]) -> str:
    name = str(task.get("name") or name_of(str(task.get("reference", ""))) or "?")
    return name + "".join(f"[{index}]" for index in _path(task))


def _remark(task: dict[str, Json], now: datetime | None) -> str:
    parts: list[str] = []
    if (attempt := task.get("attempt") or 0) > 1:
        parts.append(f"attempt {attempt}")
    begin, end = instant(task.get("started_at")), instant(task.get("ended_at")) or now
    if begin and end and task.get("status") != "skipped":
        parts.append(span((end - begin).total_seconds()))
    if task.get("status") in ("suspended", "cancelled", "skipped", "waiting"):
        parts.append(str(task["status"]))
    if task.get("reason"):
        parts.append(str(task["reason"]))
    return ", ".join(parts)

"""A reader for the part of Gherkin that the CTK uses: features, scenarios, steps, doc strings."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STEP_WORDS = ("Given ", "When ", "Then ", "And ", "But ")
_QUOTES = '"""'


@dataclass(frozen=True)
class Step:
    """One line after its keyword, and its doc string without the quotes' indentation, if it has one."""

    text: str
    doc: str | None
    line: int


@dataclass(frozen=True)
class Scenario:
    """A scenario with its steps in order; `feature` is the file's stem."""

    feature: str
    name: str
    steps: tuple[Step, ...]


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one feature file. Raises ValueError for a line that is no Gherkin we know."""
    return list(parse_scenarios(path.read_text("utf8"), path.stem))


def parse_scenarios(text: str, feature: str) -> Iterator[Scenario]:
    """The scenarios of a feature's text, in order; the free text under `Feature:` is passed over."""
    name: str | None = None
    steps: list[Step] = []
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, raw in lines:
        line = raw.strip()
        if line.startswith("Scenario:"):
            if name is not None:
                yield Scenario(feature, name, tuple(steps))
            name, steps = line.removeprefix("Scenario:").strip(), []
        elif name is None or line == "" or line.startswith("#"):
            continue
        elif line.startswith(_QUOTES):
            steps[-1:] = [_with_doc(steps[-1:], _doc_string(raw, lines, feature, number), feature, number)]
        elif line.startswith(STEP_WORDS):
            steps.append(Step(line.partition(" ")[2].strip(), None, number))
        else:
            raise ValueError(f"{feature}:{number}: neither a step nor a scenario: {line!r}")
    if name is None:
        raise ValueError(f"{feature}: no scenario")
    yield Scenario(feature, name, tuple(steps))


def _doc_string(opening: str, lines: Iterator[tuple[int, str]], feature: str, number: int) -> str:
    indent = len(opening) - len(opening.lstrip())
    content: list[str] = []
    for _, raw in lines:
        if raw.strip() == _QUOTES:
            return textwrap.dedent("\n".join(content)) + "\n"
        content.append(raw[indent:] if raw[:indent].strip() == "" else raw)
    raise ValueError(f"{feature}:{number}: the doc string that begins here never ends")


def _with_doc(last: list[Step], doc: str, feature: str, number: int) -> Step:
    if not last or last[0].doc is not None:
        raise ValueError(f"{feature}:{number}: a doc string that belongs to no step")
    return Step(last[0].text, doc, last[0].line)

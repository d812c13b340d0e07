"""Prints the mission table: every feature that Penstock is to have, and whether a test shows it.

The table is not part of this repository: `$PENSTOCK_MISSION` names the file; without it,
`../shared/mission/mission-table.json` beside the repository is read. A row is `open` when no test carries
`@pytest.mark.mission("M001")` with its id, `failing` when such a test failed the last time that it ran, else
`tested`. Exit status: 0; 1 if tests cannot be collected or name a row that the table does not have; 2 if
there is no table.
"""

import argparse
import contextlib
import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parent.parent
COLUMNS: Final = ("id", "tier", "state", "tests", "group", "feature")


class MissionMarkers:
    """A pytest plugin: counts, for each row, the tests that name it and those of them that failed last."""

    def __init__(self) -> None:
        self.tests: Counter[str] = Counter()
        self.failing: Counter[str] = Counter()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        cache = session.config.cache
        failed = cache.get("cache/lastfailed", {}) if cache is not None else {}
        for item in session.items:
            rows = {row for marker in item.iter_markers("mission") for row in marker.args}
            self.tests.update(rows)
            if item.nodeid in failed:
                self.failing.update(rows)

    def state(self, row_id: str) -> str:
        if not self.tests[row_id]:
            return "open"
        return "failing" if self.failing[row_id] else "tested"


class CollectionFailed(Exception):
    """pytest could not collect the tests; the message is what it said."""


def table_path() -> Path:
    named = os.environ.get("PENSTOCK_MISSION")
    return Path(named) if named else REPOSITORY.parent / "shared" / "mission" / "mission-table.json"


def collected_markers() -> MissionMarkers:
    """The markers of every test, without running one; raises `CollectionFailed`."""
    markers = MissionMarkers()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = pytest.main(
            ["--collect-only", "--quiet", f"--rootdir={REPOSITORY}", str(REPOSITORY / "tests")],
            plugins=[markers],
        )
    if status is not pytest.ExitCode.OK:
        raise CollectionFailed(said.getvalue())
    return markers


def print_table(rows: list[dict[str, Any]], markers: MissionMarkers, only_open: bool) -> None:
    print("\t".join(COLUMNS))
    for row in rows:
        state = markers.state(row["id"])
        if state != "tested" or not only_open:
            count = str(markers.tests[row["id"]])
            print("\t".join((row["id"], row["tier"], state, count, row["group"], row["feature"])))


def print_summary(rows: list[dict[str, Any]], markers: MissionMarkers) -> None:
    for tier in sorted({row["tier"] for row in rows}):
        of_tier = [row["id"] for row in rows if row["tier"] == tier]
        tested = sum(1 for row_id in of_tier if markers.state(row_id) == "tested")
        print(f"tier {tier}: {tested} of {len(of_tier)} tested", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints the mission table.")
    parser.add_argument("--open", action="store_true", help="only the rows that are not tested")
    only_open: bool = parser.parse_args().open
    path = table_path()
    if not path.is_file():
        print(f"there is no mission table at {path}; PENSTOCK_MISSION names the file", file=sys.stderr)
        return 2
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    try:
        markers = collected_markers()
    except CollectionFailed as failure:
        print(f"the tests cannot be collected:\n{failure}", file=sys.stderr)
        return 1
    print_table(rows, markers, only_open)
    print_summary(rows, markers)
    unknown = sorted(set(markers.tests) - {row["id"] for row in rows})
    if unknown:
        print(f"tests name rows that the table does not have: {', '.join(unknown)}", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

"""The tree of tasks, and what lifecycle events make of it."""

from datetime import UTC, datetime

from penstock.cli.progress import Progress
from penstock.cli.spans import between, span
from penstock.cli.tree import draw, lines_of, name_of
from penstock.model.json_value import Json


def task(reference: str, status: str = "completed", **more: Json) -> dict[str, Json]:
    return {"reference": reference, "name": name_of(reference), "status": status, "attempt": 1, **more}


def event(verb: str, at: int, *, scope: str = "task", **data: Json) -> dict[str, Json]:
    return {
        "type": f"io.serverlessworkflow.{scope}.{verb}.v1",
        "time": f"2030-01-01T00:00:{at:02d}Z",
        "data": {"task": "/do/0/a", "entry": 1, "attempt": 1, **data},
    }


class TestTree:
    def test_tasks_stand_inside_the_task_that_they_happened_in(self) -> None:
        rows = [
            task("/do/0/both"),
            task("/do/0/both/fork/branches/0/left"),
            task("/do/0/both/fork/branches/1/right"),
            task("/do/0/both/fork/branches/0/left/do/0/inner"),
            task("/do/1/after"),
        ]
        shown = [(line.depth, line.label) for line in lines_of(rows)]
        assert shown == [(0, "both"), (1, "left"), (2, "inner"), (1, "right"), (0, "after")]

    def test_iterations_are_numbered_and_keep_what_is_inside_them(self) -> None:
        rows = [
            task("/do/0/each"),
            task("/do/0/each/do/0/one", path=[0]),
            task("/do/0/each/do/0/one/do/0/deep", path=[0]),
            task("/do/0/each/do/0/one", path=[1]),
            task("/do/0/each/do/0/one/do/0/deep", path=[1]),
        ]
        shown = [(line.depth, line.label) for line in lines_of(rows)]
        assert shown == [(0, "each"), (1, "one[0]"), (2, "deep[0]"), (1, "one[1]"), (2, "deep[1]")]

    def test_a_second_entry_has_its_own_inside(self) -> None:
        rows = [task("/do/0/a"), task("/do/0/a/do/0/b"), task("/do/0/a"), task("/do/0/a/do/0/b")]
        assert [line.depth for line in lines_of(rows)] == [0, 1, 0, 1]

    def test_remarks_line_up_behind_the_names(self) -> None:
        times = {"started_at": "2030-01-01T00:00:00Z", "ended_at": "2030-01-01T00:00:02Z"}
        rows = [task("/do/0/long-name", **times), task("/do/1/x", "faulted", **{**times, "attempt": 2})]
        assert draw(lines_of(rows)) == ["✓ long-name  2.0s", "✗ x          attempt 2, 2.0s"]

    def test_what_runs_has_a_duration_so_far(self) -> None:
        rows = [task("/do/0/a", "running", started_at="2030-01-01T00:00:00Z")]
        assert draw(lines_of(rows, datetime(2030, 1, 1, 0, 1, 5, tzinfo=UTC))) == ["● a  1m 05s"]

    def test_names_are_unescaped(self) -> None:
        assert name_of("/do/0/a~1b~0c") == "a/b~c"


class TestProgress:
    def test_events_make_rows(self) -> None:
        progress = Progress()
        for one in (event("created", 0), event("started", 1), event("completed", 3)):
            progress.take(one)
        (row,) = progress.tasks
        assert row["status"] == "completed"
        assert between(row["started_at"], row["ended_at"]) == "2.0s"
        assert not progress.ended

    def test_another_attempt_is_another_row(self) -> None:
        progress = Progress()
        for one in (event("started", 0), event("faulted", 1), event("started", 2, attempt=2)):
            progress.take(one)
        assert [row["status"] for row in progress.tasks] == ["faulted", "running"]

    def test_the_run_ends(self) -> None:
        progress = Progress()
        progress.take(event("started", 0, scope="workflow"))
        assert progress.status == "running"
        progress.take(event("cancelled", 1, scope="workflow"))
        assert progress.ended
        assert progress.tasks == []

    def test_unknown_events_change_nothing(self) -> None:
        progress = Progress()
        assert progress.take({"type": "x"}) is None
        assert progress.take({"type": "dev.penstock.task.unheard-of.v1"}) is None
        assert progress.tasks == []


class TestSpans:
    def test_each_size_has_its_unit(self) -> None:
        shown = [span(seconds) for seconds in (-1, 0, 0.012, 0.9994, 0.9996, 59.9, 60, 3599.4, 3600, 90000)]
        assert shown == ["0ms", "0ms", "12ms", "999ms", "1.0s", "59.9s", "1m 00s", "59m 59s", "1h 00m", "1d 1h"]

    def test_what_is_no_instant_has_no_span(self) -> None:
        assert between(None, "2030-01-01T00:00:00Z") == ""
        assert between("yesterday", "2030-01-01T00:00:00Z") == ""

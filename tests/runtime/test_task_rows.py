"""The rows that facts make."""

from penstock.kernel.facts import Fact
from penstock.runtime.task_rows import TaskRows


def test_an_attempt_that_is_tried_again_has_failed() -> None:
    rows = TaskRows()
    rows.take(
        [
            Fact("task.started", 10, 1, "/do/0/t", "t", (), 1),
            Fact("task.started", 10, 2, "/do/0/t/try/0/c", "c", (), 1),
            Fact("task.faulted", 15, 2, "/do/0/t/try/0/c", "c", (), 1),
            Fact("task.retried", 20, 1, "/do/0/t", "t", (), 2),
            Fact("task.completed", 30, 1, "/do/0/t", "t", (), 2),
        ]
    )
    assert [(row.name, row.attempt, row.status, row.started_at, row.ended_at) for row in rows.rows()] == [
        ("t", 1, "faulted", 10, 15),
        ("c", 1, "faulted", 10, 15),
        ("t", 2, "completed", 20, 30),
    ]

"""Rows for the tests of stores, short to write."""

from typing import Final

from penstock.model.json_value import Json
from penstock.store import Store
from penstock.store.notices import Heed, Notice
from penstock.store.rows import (
    CommitOutcome,
    Committed,
    EventRow,
    JournalRow,
    RunCommit,
    RunRow,
    StoredWorkflow,
    Subscription,
)
from penstock.store.shares import Membership, Shares

BEGAN: Final = 0x018B_CFE5_0000
"""The time in the id of run 0."""


LONG_LEASE_MS: Final = 60_000
"""So that no lease ends while a test runs."""


def unheard(_: Notice) -> None:
    """Heeds nothing."""


async def held_by(store: Store, heed: Heed = unheard, *, lease_ms: int = LONG_LEASE_MS, engine: bool = True) -> Shares:
    """Makes an open store a member; one that is alone holds everything then."""
    await store.join(Membership(name="test", engine=engine, lease_ms=lease_ms), heed)
    return await store.renew()


def run_id(number: int, end: int = 0) -> str:
    """Ascending with `number`, shaped like the real ones; `end` is its last byte, and so says its partition."""
    return f"018bcfe5-{number:04x}-7000-8000-0000000000{end:02x}"


def run_row(number: int, end: int = 0, **changes: Json) -> RunRow:
    plain: dict[str, Json] = {
        "id": run_id(number, end),
        "namespace": "default",
        "name": "demo",
        "version": "1.0.0",
        "status": "running",
        "created_at": BEGAN + number,
        "updated_at": BEGAN + number,
    }
    return RunRow(**plain | changes)


def turn(
    number: int, version: int = 1, *, end: int = 0, run: dict[str, Json] | None = None, **changes: Json
) -> RunCommit:
    """The turn that leads run `number` to `version`, by one message."""
    plain: dict[str, Json] = {
        "run": run_row(number, end, **(run or {})),
        "expected_version": version - 1,
        "version": version,
        "state": b"state %d" % version,
        "journal": (JournalRow(version, BEGAN + version, b"message %d" % version),),
    }
    return RunCommit(**plain | changes)


def ended(number: int, version: int = 1, status: str = "completed", **changes: Json) -> RunCommit:
    """A turn after which the run is over."""
    return turn(number, version, run={"status": status, "ended_at": BEGAN + 1000}, **changes)


def event(name: str, **changes: Json) -> EventRow:
    plain: dict[str, Json] = {
        "source": "/tests",
        "id": name,
        "type": "order.placed",
        "subject": "",
        "at": BEGAN,
        "expires_at": BEGAN + 60_000,
        "body": name.encode(),
    }
    return EventRow(**plain | changes)


def subscription(number: int, entry: int, topic: str, key: str = "", filter: int = 0) -> Subscription:  # noqa: A002
    return Subscription(run_id(number), entry, filter, topic, key, b"body of " + topic.encode())


def workflow(name: str, version: str = "1.0.0", **changes: Json) -> StoredWorkflow:
    plain: dict[str, Json] = {
        "namespace": "default",
        "name": name,
        "version": version,
        "created_at": BEGAN,
        "definition": b"{}",
        "content_hash": b"hash",
    }
    return StoredWorkflow(**plain | changes)


def committed(outcomes: list[CommitOutcome]) -> Committed:
    """The only outcome, which must be good."""
    (outcome,) = outcomes
    assert isinstance(outcome, Committed), outcome
    return outcome

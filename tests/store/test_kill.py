"""SIGKILL at any moment: what was acknowledged is there, and every run is whole."""

import subprocess
import sys
from pathlib import Path

from penstock.store.sqlite import SqliteStore
from tests.store.test_sqlite import child_environment

ROUNDS = 8
RUNS = 20
ACKNOWLEDGED_BEFORE_KILL = 40

WRITER = """
import asyncio, sys
from pathlib import Path
from penstock.store.rows import JournalRow, RunCommit, RunRow
from penstock.store.sqlite import SqliteStore

async def live(store, number):
    run_id = f"run-{number:02}"
    found = await store.load_run(run_id)
    version = found.version if found else 0
    while True:
        row = RunRow(run_id, "default", "demo", "1.0.0", "running", 1, version, next_at=version)
        journal = (JournalRow(version + 1, version, b"x" * (version * 37 % 900)),)
        turn = RunCommit(run=row, expected_version=version, version=version + 1, state=b"%d" % (version + 1),
                         journal=journal, messages=((run_id, b"%d" % (version + 1)),))
        (outcome,) = await store.commit([turn])
        assert type(outcome).__name__ == "Committed", outcome
        version += 1
        print(number, version, flush=True)

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    await asyncio.gather(*(live(store, number) for number in range(int(sys.argv[2]))))

asyncio.run(main())
"""


def write_until_killed(path: Path, lines: int) -> dict[int, int]:
    """Runs the writer, kills it after some acknowledgements; returns the last acknowledged version per run."""
    acknowledged: dict[int, int] = {}
    command = [sys.executable, "-c", WRITER, str(path), str(RUNS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment()) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, start=1):
            if line.endswith("\n"):
                number, version = map(int, line.split())
                acknowledged[number] = version
            if count == lines:
                process.kill()  # and read on: what it said before it died counts
    assert process.returncode == -9
    return acknowledged


async def test_a_killed_engine_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    total = 0
    for round_number in range(ROUNDS):
        acknowledged = write_until_killed(path, ACKNOWLEDGED_BEFORE_KILL + 13 * round_number)
        store = SqliteStore(path)
        await store.open()
        inbox: dict[str, list[bytes]] = {}
        for row in await store.inbox(0, 1_000_000):
            inbox.setdefault(row.run_id, []).append(row.body)
        for number in range(RUNS):
            run = await store.load_run(f"run-{number:02}")
            version = run.version if run else 0
            journal = await store.journal(f"run-{number:02}", 0, 1_000_000)
            assert version >= acknowledged.get(number, 0)
            assert [row.seq for row in journal] == list(range(1, version + 1))
            assert run is None or run.state == b"%d" % version
            assert inbox.get(f"run-{number:02}", []) == [b"%d" % n for n in range(1, version + 1)]
            total += version
        await store.close()
    assert total > ROUNDS * ACKNOWLEDGED_BEFORE_KILL

"""A test that hangs fails after its time, says where it stood, and lets the others run."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
HANG: Final = """
import asyncio, threading, pytest, uvloop

pytestmark = pytest.mark.time_limit(0.3)

async def never_told():
    await asyncio.Event().wait()

def test_waits_for_a_lock():
    threading.Event().wait()

async def test_waits_in_a_task():
    await asyncio.create_task(never_told())

def test_waits_under_uvloop():
    uvloop.run(never_told())

async def test_turns_in_a_circle_and_swallows_errors():
    while True:
        try:
            pass
        except Exception:
            pass

@pytest.fixture
async def stuck():
    await never_told()

def test_with_a_fixture(stuck):
    pass

@pytest.fixture
def endless():
    yield
    threading.Event().wait()

def test_with_an_end_that_hangs(endless):
    pass

def test_that_is_well():
    pass

@pytest.mark.time_limit(30)
async def test_with_more_time():
    await asyncio.sleep(0.5)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of these tests."""
    directory = tmp_path_factory.mktemp("hanging")
    (directory / "test_hanging.py").write_text(HANG)
    (directory / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = (sys.executable, "-m", "pytest", "-v", "-rA", "-p", "tests.time_limits", "-p", "no:cacheprovider")
    done = subprocess.run((*command, str(directory)), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name",
    [
        "test_waits_for_a_lock",
        "test_waits_in_a_task",
        "test_waits_under_uvloop",
        "test_turns_in_a_circle_and_swallows_errors",
    ],
)
def test_what_hangs_fails(report: str, name: str) -> None:
    assert f"{name} FAILED" in report


def test_fixtures_are_limited_too(report: str) -> None:
    assert "test_with_a_fixture ERROR" in report
    assert "test_with_an_end_that_hangs ERROR" in report


def test_the_others_go_on(report: str) -> None:
    assert "test_that_is_well PASSED" in report
    assert "test_with_more_time PASSED" in report
    assert "KeyboardInterrupt" not in report


def test_the_report_says_where_it_stood(report: str) -> None:
    assert "took longer than 0.3 s" in report
    assert "in test_waits_for_a_lock" in report, "the stack of a thread"
    assert "in never_told" in report, "the stack of a task"

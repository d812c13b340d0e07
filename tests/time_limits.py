"""No test hangs: each phase of one (fixtures, itself, their end) has so many seconds, then it fails with the stacks.

A signal interrupts the main thread. What it raises is a `KeyboardInterrupt`, since event loops and hypothesis let only
that through, and becomes an ordinary failure before pytest could take it for Ctrl-C. Code that no signal can interrupt
meets `faulthandler_timeout` of pyproject.toml, which ends the process.
"""

import asyncio
import faulthandler
import io
import signal
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

LIMIT_S: Final = 120.0
SLOW_LIMIT_S: Final = 600.0
"""For tests with the marker `slow`; the marker `time_limit` comes before both."""
_AGAIN_S: Final = 10.0
"""Until the next signal, when what the first one raised was caught, or cleaning up hangs too."""


class TimeIsUp(KeyboardInterrupt):
    """The phase of a test took too long; the argument is where all threads and tasks stood."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "time_limit(seconds): how long each phase of this test may take; 120 when absent"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    with _limited(item):
        yield


def limit_s(item: pytest.Item) -> float:
    """How many seconds a phase of this test may take."""
    if (marker := item.get_closest_marker("time_limit")) is not None:
        return float(marker.args[0])
    return SLOW_LIMIT_S if item.get_closest_marker("slow") else LIMIT_S


@contextmanager
def _limited(item: pytest.Item) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only there a signal has a handler
        return
    seconds = limit_s(item)
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    except TimeIsUp as up:
        signal.setitimer(signal.ITIMER_REAL, 0)
        pytest.fail(f"took longer than {seconds:g} s; everything stood here:\n{up}", pytrace=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ring(_number: int, _frame: object) -> None:
    raise TimeIsUp(_stacks())


def _stacks() -> str:
    """Where every thread stands, and every task of the loop that runs here."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        found = io.StringIO(file.read())
    found.seek(0, io.SEEK_END)
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        tasks = set[asyncio.Task[object]]()
    for task in tasks:
        task.print_stack(limit=12, file=found)
    return found.getvalue()

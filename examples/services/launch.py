"""Starts and stops the example services, for the demo and for tests.

`with start_service("upper") as upper:` gives a running service on a free port of 127.0.0.1. Every service
exists in Python; `reverse` also for Node.js and `space-counter` also in Perl, taken when this machine can run
them. Only processes started here are ever stopped.
"""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

REPOSITORY: Final = Path(__file__).resolve().parent.parent.parent
HERE: Final = Path(__file__).resolve().parent
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
PROBE_TIMEOUT_S: Final = 10.0
GREETING: Final = "listening on "


@dataclass(frozen=True)
class Implementation:
    """One way to run a service: its command, and a command that succeeds where that one can run."""

    command: tuple[str, ...]
    probe: tuple[str, ...] | None = None


def _python(module: str) -> Implementation:
    return Implementation((sys.executable, "-m", f"examples.services.{module}"))


# The preferred implementation first; Python always runs, because it runs this.
IMPLEMENTATIONS: Final[Mapping[str, Mapping[str, Implementation]]] = {
    "upper": {"python": _python("upper")},
    "reverse": {
        "node": Implementation(
            ("node", str(HERE / "reverse.mjs")),
            probe=("node", "-e", "process.exit(require('node:util').parseArgs ? 0 : 1)"),
        ),
        "python": _python("reverse"),
    },
    "space-counter": {
        "perl": Implementation(
            ("perl", str(HERE / "space_counter.pl")),
            probe=("perl", "-MB", "-MGetopt::Long", "-MIO::Socket::INET", "-MJSON::PP", "-MPOSIX", "-e", "1"),
        ),
        "python": _python("space_counter"),
    },
}


class ServiceDidNotStart(Exception):
    """The process ended, or said nothing in time, instead of naming its address."""


@dataclass(frozen=True)
class RunningService:
    """A service that answers at `base_url` (no slash at its end) until it is stopped."""

    name: str
    base_url: str
    process: subprocess.Popen[bytes]
    language: str

    def stop(self) -> None:
        """Ends the process: asks it to, and kills it if it does not; a second call does nothing."""
        _end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def languages(name: str) -> tuple[str, ...]:
    """The languages in which this machine can run service `name`, the preferred one first."""
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"no example service is called {name!r}; there are {', '.join(IMPLEMENTATIONS)}")
    return tuple(language for language, how in IMPLEMENTATIONS[name].items() if _runs(how.probe))


def start_service(name: str, language: str | None = None, *, address: str | None = None) -> RunningService:
    """Starts service `name` on a free port and returns once it listens.

    `language` asks for one implementation; without it the preferred one that runs here is taken. `address` is
    what `/infos` names, `"self"` for the address listened on; without it the service's well-known one.
    Raises `ValueError` for an unknown name or language, `ServiceDidNotStart` when the process fails.
    """
    available = languages(name)
    chosen = available[0] if language is None else language
    if chosen not in available:
        raise ValueError(f"{name} cannot run in {chosen} here; it can in {', '.join(available)}")
    command = [*IMPLEMENTATIONS[name][chosen].command, "--port", "0"]
    if address is not None:
        command += ["--address", address]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        base_url = _greeted_address(process)
    except BaseException:
        _end(process)
        raise
    return RunningService(name, base_url, process, chosen)


def _runs(probe: tuple[str, ...] | None) -> bool:
    if probe is None:
        return True
    try:
        done = subprocess.run(
            probe, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=PROBE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _greeted_address(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = _first_line(process.stdout, START_TIMEOUT_S)
    if not line.startswith(GREETING):
        status = process.poll()
        ended = "it still runs" if status is None else f"it ended with status {status}"
        raise ServiceDidNotStart(f"{process.args!r} did not say where it listens: {line!r}; {ended}")
    return line.removeprefix(GREETING).strip()


def _first_line(stream: IO[bytes], timeout_s: float) -> str:
    """What the stream says up to its first line's end, its own end, or the timeout."""
    deadline = time.monotonic() + timeout_s
    heard = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while b"\n" not in heard and selector.select(max(0.0, deadline - time.monotonic())):
            read = os.read(stream.fileno(), 1024)
            if not read:
                break
            heard += read
    return heard.decode(errors="replace").partition("\n")[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()

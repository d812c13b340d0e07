"""One subject, one work, in a process of its own: `python -m bench.subject NAME WORK --directory D …`.

Run by `python -m bench`, which gives every measurement a new process and an empty directory. Prints lines of JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from bench.http_service import port_of, serve
from bench.subjects.contract import STEPS, Crash, Setup, Subject, WithInterface
from bench.works import WORKS, Sizes

SERVED: Final = {"W7": "W7", "W9a": "W1"}
"""Works whose load comes over HTTP, and what is run for each request."""


def make(name: str, setup: Setup) -> Subject:
    """The subject of a name. Imports it only now: not every environment has every one of them."""
    if name.startswith("penstock"):
        from bench.subjects.penstock_engine import PenstockEngine  # noqa: PLC0415 - only the subject that is measured is loaded

        return PenstockEngine(setup)
    if name.startswith("dbos"):
        from bench.subjects.dbos_library import DbosLibrary  # noqa: PLC0415 - only the subject that is measured is loaded

        return DbosLibrary(setup)
    if name == "restate":
        from bench.subjects.restate_server import RestateServer  # noqa: PLC0415 - only the subject that is measured is loaded

        return RestateServer(setup)
    if name == "procrastinate":
        from bench.subjects.procrastinate_queue import ProcrastinateQueue  # noqa: PLC0415 - only the subject that is measured is loaded

        return ProcrastinateQueue(setup)
    from bench.subjects.floor_rows import FloorRows  # noqa: PLC0415 - only the subject that is measured is loaded

    return FloorRows(setup)


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


async def measured(subject: Subject, work: str, sizes: Sizes) -> None:
    await subject.open(work)
    figures = await WORKS[work](subject, work, sizes)
    say(figures=figures, version=subject.version())
    await subject.close()


async def first_life(subject: Subject, crash: Crash) -> None:
    """Brings every run of W6 to its third step, says so, and waits to be killed."""
    await subject.open("W6")
    await asyncio.gather(*(subject.start("W6", number) for number in range(crash.runs)))
    await crash.held.wait()
    say(held=crash.runs)
    await asyncio.Event().wait()


async def second_life(subject: Subject, crash: Crash) -> None:
    """Says when it is open and when every run has begun its last step; no run is started or waited for."""
    began = time.perf_counter()
    await subject.open("W6")
    ready = time.perf_counter()
    await crash.ended.wait()
    done = time.perf_counter()
    figures = {
        "runs": crash.runs,
        "opening s": ready - began,
        "open to done s": done - ready,
        "ended steps again": crash.again(),
    }
    say(figures=figures, version=subject.version())
    await subject.close()


async def sized(name: str, work: str, setup: Setup, sizes: Sizes, life: int) -> None:
    """W8: Penstock only."""
    from bench import size_works  # noqa: PLC0415 - needs this engine, which not every environment has
    from bench.subjects.penstock_engine import PenstockEngine  # noqa: PLC0415 - the same

    subject = make(name, setup)
    assert isinstance(subject, PenstockEngine)
    if work == "W8a":
        figures = await (size_works.park if life == 1 else size_works.among)(subject, setup.directory, sizes)
    else:
        figures = await size_works.IN_ONE_PROCESS[work](subject, sizes)
    say(figures=figures, version=subject.version())
    await subject.close()


async def served(subject: Subject, work: str) -> None:
    """Gives the subject the smallest HTTP interface there is: a POST runs the work and answers its result."""
    await subject.open(work)
    if work == "W7" and isinstance(subject, WithInterface):
        port, path = subject.address
        say(port=port, path=path, version=subject.version())
        await asyncio.Event().wait()

    async def answer(given: dict[str, int]) -> object:
        return {"output": await subject.result(await subject.start(work, given["n"]))}

    server = await serve(answer)
    say(port=port_of(server), path="/", version=subject.version())
    await server.serve_forever()


async def main(arguments: argparse.Namespace, sizes: Sizes) -> None:
    crash = Crash(sizes.crashed, holding=arguments.work == "W6" and arguments.life == 1)
    setup = Setup(arguments.directory, arguments.database, arguments.service, sizes.timer_seconds, crash)
    if arguments.work.startswith("W8"):
        await sized(arguments.name, arguments.work, setup, sizes, arguments.life)
        return
    subject = make(arguments.name, setup)
    if arguments.work == "W6":
        await (first_life if arguments.life == 1 else second_life)(subject, crash)
    elif arguments.work in SERVED:
        await served(subject, SERVED[arguments.work])
    else:
        assert arguments.work in STEPS or arguments.work in WORKS
        await measured(subject, arguments.work, sizes)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("name")
    made.add_argument("work")
    made.add_argument("--directory", type=Path, required=True)
    made.add_argument("--database", default="")
    made.add_argument("--service", type=int, default=0)
    made.add_argument("--life", type=int, default=1)
    add_sizes(made)
    return made


def add_sizes(made: argparse.ArgumentParser) -> None:
    for field in fields(Sizes):
        kind: Callable[[str], float] = float if field.type is float else int
        made.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)


def sizes_of(arguments: argparse.Namespace) -> Sizes:
    return replace(Sizes(), **{field.name: getattr(arguments, field.name) for field in fields(Sizes)})


if __name__ == "__main__":
    import uvloop

    given = parser().parse_args()
    uvloop.run(main(given, sizes_of(given)))

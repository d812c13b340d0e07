"""Measures Penstock, its peers and the floor in one go on this machine: `make bench`, or `python -m bench --help`.

Each round does every work with every subject, one after the other, in an order that changes from round to round; every
measurement has a new process and empty data. A ratio compares two subjects within one round and one work.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.machine import facts, fixed_loop_ms, load, synced_append_ms
from bench.measure import measure
from bench.plan import LARGEST_PARKED, ONE_ENGINE, SIZE_TITLES, SIZES, SUBJECTS, TITLES, reason
from bench.plot import plot
from bench.processes import IN_PEERS, PEERS, Failed, Place, started
from bench.report import report
from bench.restate_program import why_not
from bench.results import Measurement, Results
from bench.works import Sizes

QUICK = Sizes()
FULL = replace(QUICK, seconds=12.0, alone=300, waiting=2_000, forks=5, timers=2_000, timer_seconds=10)


@dataclass(frozen=True)
class Postgres:
    """The server of this bench; empty when there is none."""

    url: str = ""
    process: int = 0


async def bench(arguments: argparse.Namespace, results: Results, postgres: Postgres) -> None:
    sizes = FULL if arguments.full else QUICK
    with tempfile.TemporaryDirectory(prefix="penstock-bench-", dir=arguments.directory) as scratch:
        async with started([sys.executable, "-m", "bench.http_service"], Path(scratch) / "service") as service:
            session = Session(arguments, results, postgres, Path(scratch), int(await service.line()), sizes)
            for number in range(arguments.rounds):
                for work in arguments.works.split(","):
                    for name in _order(arguments.subjects.split(","), number):
                        if why := _missing(name, postgres.url) or reason(work, name, full=arguments.full):
                            if why != ONE_ENGINE:
                                results.skipped[work, name] = why
                        elif work in SIZE_TITLES:
                            await session.sized(work, name, number)
                        else:
                            await session.once(work, name, number)


@dataclass(frozen=True)
class Session:
    """What all measurements of one call of the bench share."""

    arguments: argparse.Namespace
    results: Results
    postgres: Postgres
    scratch: Path
    service: int
    sizes: Sizes

    async def once(self, work: str, name: str, number: int) -> None:
        async with self._place(work, name, number, self.sizes) as place:
            await _one(place, number, self.results)

    async def sized(self, work: str, name: str, number: int) -> None:
        """From the smallest size up. W8a goes on with what the size before has left; the others begin anew.

        W8 compares within itself, and takes long: one round is enough unless all is wanted.
        """
        if number > 0 and work.startswith("W8") and not self.arguments.full:
            return
        sizes = [replace(self.sizes, size=size) for size in self._sizes(work)]
        if work == "W8a":
            async with self._place(work, name, number, self.sizes) as place:
                for one in sizes:
                    await _one(replace(place, sizes=one), number, self.results)
            return
        for one in sizes:
            async with self._place(work, name, number, one) as place:
                await _one(place, number, self.results)

    def _sizes(self, work: str) -> tuple[int, ...]:
        found = tuple(size for size in SIZES[work] if size <= self.arguments.largest)
        return (*found, LARGEST_PARKED) if work == "W8a" and self.arguments.large else found

    @asynccontextmanager
    async def _place(self, work: str, name: str, number: int, sizes: Sizes) -> AsyncIterator[Place]:
        """An empty directory, and an empty database for who needs one; both are gone afterwards."""
        directory = self.scratch / f"{number}-{work}-{name}-{sizes.size}"
        directory.mkdir()
        database = await _database(self.postgres.url, directory.name, self.results) if _needs_postgres(name) else ""
        try:
            yield Place(name, work, directory, database, self.service, sizes, self.postgres.process)
        finally:
            shutil.rmtree(directory)
            if database:
                await _dropped(self.postgres.url, directory.name)


async def _one(place: Place, number: int, results: Results) -> None:
    busy, loop, sync = load(), fixed_loop_ms(), synced_append_ms(place.directory)
    size = place.sizes.size
    said = f"{place.work} {place.name}" + (f" {size:,}" if size else "")
    try:
        figures, version = await measure(place)
    except (Failed, OSError, TimeoutError) as error:
        results.skipped[place.work, said.partition(" ")[2]] = f"failed: {error}"
        print(f"{said}: failed: {error}", file=sys.stderr, flush=True)
        return
    results.versions[place.name] = version
    results.measured.append(Measurement(place.work, place.name, number, figures, busy, loop, sync, size))
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    print(f"{said} #{number}: {shown}", flush=True)


def _order(names: list[str], number: int) -> list[str]:
    """Another one is first in each round, so that no subject always has the machine in the same state."""
    turn = number % len(names)
    return names[turn:] + names[:turn]


def _needs_postgres(name: str) -> bool:
    return name.endswith("-pg") or name == "procrastinate"


def _missing(name: str, postgres: str) -> str:
    if name.startswith(IN_PEERS) and not PEERS.exists():
        return "not installed: `make bench` sets up bench/.venv"
    if name == "restate":
        return why_not()
    return "no PostgreSQL on this machine" if _needs_postgres(name) and not postgres else ""


@contextmanager
def _postgres(*, wanted: bool) -> Iterator[Postgres]:
    """A server of its own, as it is set up by default, but with more connections."""
    with ExitStack() as stack:
        found = Postgres()
        if wanted:
            from tests.postgres_server import PostgresServer  # noqa: PLC0415 - how tests start one

            try:
                server = PostgresServer("max_connections=300")
                stack.callback(server.remove)
                found = Postgres(server.url, server.pid)
            except (AssertionError, OSError) as error:
                print(f"without PostgreSQL: {error}", file=sys.stderr)
        yield found


async def _database(url: str, name: str, results: Results) -> str:
    """A new database of the server, and its URL."""
    import asyncpg  # noqa: PLC0415 - only with PostgreSQL

    connection = await asyncpg.connect(url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    results.versions["PostgreSQL"] = await connection.fetchval("SHOW server_version")
    await connection.close()
    return url.replace("/postgres?", f"/{name}?")


async def _dropped(url: str, name: str) -> None:
    import asyncpg  # noqa: PLC0415 - only with PostgreSQL

    connection = await asyncpg.connect(url)
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="longer and with every peer everywhere; about an hour")
    parser.add_argument("--quick", action="store_true", help="what it does anyway: about eight minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", default=",".join((*TITLES, *SIZE_TITLES)))
    parser.add_argument("--subjects", default=",".join(SUBJECTS))
    parser.add_argument("--large", action="store_true", help="park a million runs, too")
    parser.add_argument("--largest", type=int, default=10**9, help="leave larger sizes of W8 and W9 out")
    parser.add_argument("--name", default="results", help="of the files that are written")
    parser.add_argument("--directory", help="where the databases lie while they are measured")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="where results.md, .json and .svg go")
    parser.add_argument("--again", action="store_true", help="measure nothing: write the page from results.json")
    arguments = parser.parse_args()
    if arguments.again:
        stored = (arguments.out / f"{arguments.name}.json").read_bytes()
        write(Results.from_json(stored), arguments.out, arguments.name)
    else:
        measured(arguments)


def measured(arguments: argparse.Namespace) -> None:
    """What was measured is written down even if the rest is interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    results = Results(machine=facts(), command="python -m bench " + " ".join(sys.argv[1:]))
    try:
        with _postgres(wanted=any(map(_needs_postgres, arguments.subjects.split(",")))) as postgres:
            if postgres.url:
                results.machine.append(("PostgreSQL", "default settings, 300 connections, over a socket"))
            asyncio.run(bench(arguments, results, postgres))
    finally:
        write(results, arguments.out, arguments.name)


def write(results: Results, out: Path, name: str) -> None:
    """The page, its figures, and the bars, if there is a work that is drawn."""
    out.mkdir(exist_ok=True)
    (out / f"{name}.json").write_text(json.dumps(results.as_json(), indent=1) + "\n")
    if drawn := any(results.subjects(work) for work in TITLES):
        (out / f"{name}.svg").write_text(plot(results))
    (out / f"{name}.md").write_text(report(results, name, drawn=drawn))


if __name__ == "__main__":
    main()

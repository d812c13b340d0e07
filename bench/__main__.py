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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.machine import facts, fixed_loop_ms, load, synced_append_ms
from bench.measure import measure
from bench.plan import SUBJECTS, TITLES, reason
from bench.plot import plot
from bench.processes import PEERS, Failed, Place, started
from bench.report import report
from bench.results import Measurement, Results
from bench.works import Sizes

QUICK = Sizes()
FULL = replace(QUICK, seconds=12.0, alone=300, waiting=2_000, forks=5, timers=2_000, timer_seconds=10)


async def bench(arguments: argparse.Namespace, results: Results, postgres: str) -> None:
    sizes = FULL if arguments.full else QUICK
    with tempfile.TemporaryDirectory(prefix="penstock-bench-", dir=arguments.directory) as scratch:
        async with started([sys.executable, "-m", "bench.http_service"], Path(scratch) / "service") as service:
            port = int(await service.line())
            for number in range(arguments.rounds):
                for work in arguments.works.split(","):
                    for name in _order(arguments.subjects.split(","), number):
                        why = _missing(name, postgres) or reason(work, name, full=arguments.full)
                        if why:
                            results.skipped[work, name] = why
                            continue
                        directory = Path(scratch) / f"{number}-{work}-{name}"
                        directory.mkdir()
                        database = await _database(postgres, directory.name, results) if _needs_postgres(name) else ""
                        place = Place(name, work, directory, database, port, sizes)
                        await _one(place, number, results)
                        shutil.rmtree(directory)


async def _one(place: Place, number: int, results: Results) -> None:
    busy, loop, sync = load(), fixed_loop_ms(), synced_append_ms(place.directory)
    try:
        figures, version = await measure(place)
    except (Failed, OSError) as error:
        results.skipped[place.work, place.name] = f"failed: {error}"
        print(f"{place.work} {place.name}: failed: {error}", file=sys.stderr, flush=True)
        return
    results.versions[place.name] = version
    results.measured.append(Measurement(place.work, place.name, number, figures, busy, loop, sync))
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    print(f"{place.work} {place.name} #{number}: {shown}", flush=True)


def _order(names: list[str], number: int) -> list[str]:
    """Another one is first in each round, so that no subject always has the machine in the same state."""
    turn = number % len(names)
    return names[turn:] + names[:turn]


def _needs_postgres(name: str) -> bool:
    return name.endswith("-pg") or name == "procrastinate"


def _missing(name: str, postgres: str) -> str:
    if name.startswith(("dbos", "procrastinate")) and not PEERS.exists():
        return "not installed: `make bench` sets up bench/.venv"
    return "no PostgreSQL on this machine" if _needs_postgres(name) and not postgres else ""


@contextmanager
def _postgres(*, wanted: bool) -> Iterator[tuple[str, str]]:
    """A server of its own, as it is set up by default, but with more connections; its URL and version, or nothing."""
    with ExitStack() as stack:
        url = found = ""
        if wanted:
            from tests.postgres_server import PostgresServer  # noqa: PLC0415 - how tests start one

            try:
                server = PostgresServer("max_connections=300")
                stack.callback(server.remove)
                url, found = server.url, "PostgreSQL, default settings, 300 connections, over a socket"
            except (AssertionError, OSError) as error:
                print(f"without PostgreSQL: {error}", file=sys.stderr)
        yield url, found


async def _database(url: str, name: str, results: Results) -> str:
    """A new database of the server, and its URL."""
    import asyncpg  # noqa: PLC0415 - only with PostgreSQL

    connection = await asyncpg.connect(url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    results.versions["PostgreSQL"] = await connection.fetchval("SHOW server_version")
    await connection.close()
    return url.replace("/postgres?", f"/{name}?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="longer and with every peer everywhere; about an hour")
    parser.add_argument("--quick", action="store_true", help="what it does anyway: about eight minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", default=",".join(TITLES))
    parser.add_argument("--subjects", default=",".join(SUBJECTS))
    parser.add_argument("--directory", help="where the databases lie while they are measured")
    parser.add_argument("--out", type=Path, default=Path("bench"), help="where results.md and results.svg go")
    parser.add_argument("--again", action="store_true", help="measure nothing: write the page from results.json")
    arguments = parser.parse_args()
    if arguments.again:
        write(Results.from_json((arguments.out / "results.json").read_bytes()), arguments.out)
    else:
        measured(arguments)


def measured(arguments: argparse.Namespace) -> None:
    """What was measured is written down even if the rest is interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    results = Results(machine=facts(), command="python -m bench " + " ".join(sys.argv[1:]))
    try:
        with _postgres(wanted=any(map(_needs_postgres, arguments.subjects.split(",")))) as (url, found):
            if found:
                results.machine.append(("PostgreSQL", found))
            asyncio.run(bench(arguments, results, url))
    finally:
        write(results, arguments.out)


def write(results: Results, out: Path) -> None:
    out.mkdir(exist_ok=True)
    (out / "results.json").write_text(json.dumps(results.as_json(), indent=1) + "\n")
    (out / "results.svg").write_text(plot(results))
    (out / "results.md").write_text(report(results))


if __name__ == "__main__":
    main()

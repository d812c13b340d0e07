"""`python -m examples.demo` (`make demo`): ends with status 0 only if everything that it claims was true.

Starts the engine and three services as processes of their own, in a temporary directory that is removed; stops them
whatever happens. Needs no network but 127.0.0.1.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console

from examples.demo.api import Api, Refused
from examples.demo.engine_process import EngineDidNotStart, EngineProcess
from examples.demo.gateway import Gateway
from examples.demo.orders import process_orders
from examples.demo.stage import Stage, Untrue
from examples.demo.texts import SERVICES, process_texts
from examples.services.launch import ServiceDidNotStart, start_service

TIMEOUT_S: Final = 55.0
FAILURES: Final = (Untrue, Refused, EngineDidNotStart, ServiceDidNotStart, aiohttp.ClientError, OSError)


def main() -> int:
    """The exit status: 0 all true, 1 not, 130 interrupted."""
    console = Console()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    try:
        asyncio.run(_play(console))
    except KeyboardInterrupt:
        console.print("interrupted; everything is stopped")
        return 130
    except BaseExceptionGroup as group:
        console.print(f"[red]✘[/red] {_first_reason(group)}", highlight=False)
        return 1
    except TimeoutError:
        console.print(f"[red]✘[/red] not done after {TIMEOUT_S:.0f} s")
        return 1
    except FAILURES as error:
        console.print(f"[red]✘[/red] {error}", highlight=False)
        return 1
    console.print(f"[bold green]All of this was true.[/bold green] It took {time.monotonic() - began:.1f} s.")
    return 0


async def _play(console: Console) -> None:
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as directory, contextlib.ExitStack() as stack:
        engine = EngineProcess(Path(directory))
        stack.callback(engine.stop)
        services = {name: stack.enter_context(start_service(name)) for name in SERVICES}
        addresses = {name: service.base_url for name, service in services.items()}
        async with (
            asyncio.timeout(TIMEOUT_S),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            Gateway(session, addresses) as gateway,
        ):
            seconds = await engine.start(session)
            stage = Stage(session, engine, gateway, Api(session, engine.base_url), console)
            stage.say("[bold]Penstock: kill -9 in the middle of the work, and nothing is lost[/bold]")
            stage.say("Work that must be finished has to survive a crash. Here is the crash, and the proof.\n")
            stage.say(f"  engine    {engine.base_url}, ready in {seconds:.1f} s, data in one SQLite file")
            told = ", ".join(f"{name} ({service.language})" for name, service in services.items())
            stage.say(f"  services  {told}\n")
            await process_texts(stage)
            stage.say("")
            await process_orders(stage)
            stage.say("")


def _first_reason(group: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{error}" or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())

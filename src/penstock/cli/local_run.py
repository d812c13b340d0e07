"""Runs one document on an engine in this process and in memory."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import NamedTuple

import click

from penstock.cli.checking import Checked, check_text
from penstock.cli.exits import INVALID, RUN_FAILED, TIMED_OUT, CommandFailed
from penstock.cli.following import tell_end
from penstock.cli.loops import event_loop
from penstock.cli.members import map_of
from penstock.cli.output import Format, emit, talk
from penstock.cli.watching import watching
from penstock.errors import Conflict
from penstock.model.json_value import Json
from penstock.model.limits import CANCEL_GRACE_MS
from penstock.model.load import load_document
from penstock.runtime.engine import Engine
from penstock.runtime.settings import load_settings
from penstock.runtime.views import RunView


class RunOptions(NamedTuple):
    """What the command line says about the run. `timeout_s` None waits for ever."""

    input: Json
    secrets: str
    timeout_s: float | None
    watch: bool
    color: bool


def run_document(document: bytes, name: str, options: RunOptions, format_: Format) -> int:
    """Runs the document; prints how it ended; returns the exit status."""
    checked = check_text(document, name, known=())
    _refuse_invalid(checked)
    with asyncio.Runner(loop_factory=event_loop) as runner:
        run, stopped = runner.run(_run(document, options))
    return _print_end(run, stopped, document, name, format_)


def _refuse_invalid(checked: Checked) -> None:
    for found in checked.findings:
        if found.severity == "warning":
            talk(found.render(checked.name))
    places = [found.render(checked.name) for found in checked.findings if found.severity == "error"]
    if places:
        raise CommandFailed(INVALID, f"{checked.name} is not valid", places=places)
    if checked.definition is None:
        raise CommandFailed(INVALID, f"{checked.name} is a {checked.notation}: nothing that runs by itself")


async def _run(document: bytes, options: RunOptions) -> tuple[RunView, str]:
    """The run at its end, and why it was stopped: "timeout", "interrupt" or ""."""
    async with _engine(options) as engine:
        stored = (await engine.deploy(document)).stored
        run = await engine.start_run(stored.namespace, stored.name, stored.version, options.input)
        with _interrupted() as interrupt:
            ended = asyncio.create_task(_followed(engine, run.id, options))
            stopping = asyncio.create_task(interrupt.wait())
            await asyncio.wait({ended, stopping}, timeout=options.timeout_s, return_when=asyncio.FIRST_COMPLETED)
            stopped = "" if ended.done() else ("interrupt" if stopping.done() else "timeout")
            if stopped:
                await _cancel(engine, run.id)
            stopping.cancel()
            await ended
        return await engine.get_run(run.id), stopped


@asynccontextmanager
async def _engine(options: RunOptions) -> AsyncGenerator[Engine]:
    """An engine that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        settings = load_settings(
            store="memory:",
            data_dir=directory,
            secrets=options.secrets or None,
            log_level="error",
            host="127.0.0.1",
            token="",  # that of the environment is for servers; nobody else can ask this engine
        )
        async with Engine(settings) as engine:
            yield engine


async def _followed(engine: Engine, run_id: str, options: RunOptions) -> None:
    """Returns when the run has ended."""
    if options.watch:
        with watching(color=options.color) as watcher:
            async for _, event in engine.stream(run_id):
                watcher.take(event)
        return
    async for _ in engine.stream(run_id):
        pass


async def _cancel(engine: Engine, run_id: str) -> None:
    """Cancels the run unless it ended at this moment."""
    with contextlib.suppress(Conflict):
        await engine.cancel(run_id)
    await engine.wait_run(run_id, CANCEL_GRACE_MS / 1000)


@contextlib.contextmanager
def _interrupted() -> Generator[asyncio.Event]:
    """An event that Ctrl-C sets while the block runs; a second Ctrl-C ends the process as usual."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def on_interrupt() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        event.set()

    loop.add_signal_handler(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _print_end(run: RunView, stopped: str, document: bytes, name: str, format_: Format) -> int:
    ending: dict[str, Json] = {"status": run.status, "output": run.output, "error": run.error}
    if format_ != "table":
        emit(ending, format_)
    elif run.status == "completed":
        emit(run.output, format_)
    if stopped == "timeout" and run.status != "completed":
        talk(f"{click.style('timed out:', fg='yellow', bold=True)} the run was cancelled")
        return TIMED_OUT
    if run.status == "faulted" and (place := _place_of(run, document, name)):
        talk(f"{place}: error: the run faulted here")
    status = tell_end(ending)
    return RUN_FAILED if stopped and run.status != "completed" else status


def _place_of(run: RunView, document: bytes, name: str) -> str:
    """Where the task that faulted stands in the text; "" when its reference is not of this text."""
    instance = map_of(run.error).get("instance")
    if not isinstance(instance, str) or not instance:
        return ""
    source = load_document(document, name=name).source
    line, column = source.locate_key(instance)
    return f"{name}:{line}:{column}" if line else ""

"""The command `penstock`: its table of commands, and the one place where what goes wrong becomes an exit status.

Nothing here imports more than click: what a command needs is imported when it is called.
"""

import os
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import click

from penstock import __version__
from penstock.cli.exits import CONFLICT, INTERRUPTED, INVALID, NOT_FOUND, RUN_FAILED, UNREACHABLE, CommandFailed, Ended
from penstock.cli.lazy import Entry, LazyGroup
from penstock.errors import CallerError, InfrastructureError, PenstockError, StoreInUse

_WIDTH: Final = 100
_BROKEN_PIPE: Final = 141
_SERVE: Final = "On this machine"
_WORKFLOWS: Final = "Workflows"
_RUNS: Final = "Runs"
_WORLD: Final = "Events, tools, secrets"

COMMANDS: Final = MappingProxyType(
    {
        "up": Entry("penstock.cli.commands.up:up", "Start the engine and its API", _SERVE),
        "run": Entry("penstock.cli.commands.run:run", "Run one document to its end, without a server", _SERVE),
        "check": Entry("penstock.cli.commands.check:check", "Say what is wrong with documents, offline", _SERVE),
        "backup": Entry("penstock.cli.commands.backup:backup", "Copy the database while an engine works on it", _SERVE),
        "migrate": Entry("penstock.cli.commands.migrate:migrate", "Bring a database to this version's schema", _SERVE),
        "move": Entry("penstock.cli.commands.move:move", "Move a stopped system to another store, verified", _SERVE),
        "deploy": Entry("penstock.cli.commands.deploy:deploy", "Store workflows on a server", _WORKFLOWS),
        "start": Entry("penstock.cli.commands.start:start", "Start a run of a stored workflow", _WORKFLOWS),
        "ls": Entry("penstock.cli.commands.ls:ls", "List runs, workflows, tools, secrets, events", _RUNS),
        "show": Entry("penstock.cli.commands.show:show", "Show a run with its tasks, or a workflow", _RUNS),
        "logs": Entry("penstock.cli.commands.logs:logs", "Tell what happened in a run", _RUNS),
        "why": Entry("penstock.cli.commands.why:why", "Say what a run waits for, or whom an event was for", _RUNS),
        "cancel": Entry("penstock.cli.commands.control:cancel", "End runs early", _RUNS),
        "suspend": Entry("penstock.cli.commands.control:suspend", "Hold runs", _RUNS),
        "resume": Entry("penstock.cli.commands.control:resume", "Let held runs go on", _RUNS),
        "retry": Entry("penstock.cli.commands.control:retry", "Run again from a task of an ended run", _RUNS),
        "rm": Entry("penstock.cli.commands.rm:rm", "Delete ended runs, or a version of a workflow", _RUNS),
        "prune": Entry("penstock.cli.commands.prune:prune", "Delete old ended runs", _RUNS),
        "send": Entry("penstock.cli.commands.send:send", "Publish an event", _WORLD),
        "events": Entry("penstock.cli.commands.events:events", "List events, or follow them", _WORLD),
        "resend": Entry("penstock.cli.commands.resend:resend", "Publish an event once more", _WORLD),
        "tools": Entry("penstock.cli.commands.tools:tools", "Register, list and forget tools", _WORLD),
        "secrets": Entry("penstock.cli.commands.secrets:secrets", "Store, list and delete secrets", _WORLD),
        "tokens": Entry("penstock.cli.commands.tokens:tokens", "Make, list and revoke API tokens", _WORLD),
        "nodes": Entry("penstock.cli.commands.nodes:nodes", "List the nodes that share the database", _WORLD),
        "version": Entry("penstock.cli.commands.version:version", "Say which version this is", _WORLD),
    }
)

_EPILOG: Final = """\
Commands that talk to a server take --url (or PENSTOCK_URL; http://127.0.0.1:8090 when neither is set) and
--token (or PENSTOCK_TOKEN). Data goes to stdout, everything else to stderr.

\b
Exit status: 0 done, 1 the run faulted or was cancelled, 2 usage or an invalid document,
3 not found, 4 conflict, 5 unreachable, 6 timed out.
"""

root: Final = LazyGroup(
    table=COMMANDS,
    name="penstock",
    help="A durable, event-driven workflow engine.",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDTH},
    no_args_is_help=True,
)

click.version_option(__version__, prog_name="penstock", message="%(prog)s %(version)s")(root)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its status."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal without ✓ gets "?", not an error
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command; returns the exit status."""
    color = False if os.environ.get("NO_COLOR") else None
    try:
        status: object = root.main(list(arguments), prog_name="penstock", standalone_mode=False, color=color)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except CommandFailed as error:
        error.show()
        return error.exit_code
    except Ended as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        return _reader_gone()
    except PenstockError as error:
        failure = failure_of(error)
        failure.show()
        return failure.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def failure_of(error: PenstockError) -> CommandFailed:
    """The exit status of an error that was raised in this process."""
    match error:
        case CallerError():
            status = {404: NOT_FOUND, 409: CONFLICT}.get(error.status, INVALID)
            return CommandFailed(status, f"{error.title.lower()}: {error.detail}")
        case StoreInUse():
            return CommandFailed(CONFLICT, str(error))
        case InfrastructureError():
            return CommandFailed(UNREACHABLE, str(error))
        case _:
            return CommandFailed(RUN_FAILED, str(error))


def _reader_gone() -> int:
    """Whoever read our output has left (`| head`): nothing more is written, and that is no error of ours."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return _BROKEN_PIPE

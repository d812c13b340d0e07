"""The engine inside a program: the same durability as a server, without HTTP."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar, overload

from msgspec import structs

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine as RuntimeEngine
from penstock.runtime.settings import LogFormat, LogLevel, Settings, load_settings
from penstock.sdk.deployed import Deployed, identity_of
from penstock.sdk.documents import Document, read_document
from penstock.sdk.run import Run
from penstock.store import path_of
from penstock.tools.functions import ToolFunction

F = TypeVar("F", bound=ToolFunction)


class Engine:
    """An engine over one store, for `async with`: inside the block it works, at its end it drains and closes.

    `store` is `sqlite:///PATH`, `memory:` or `postgresql://…`, which other engines may share; left out, the settings
    say it (docs/settings.md), as for every other argument that is None. The key that seals secrets lies in `PATH.key`
    unless a setting says otherwise.

    Methods return when what they did is on disk. They raise `CallerError` for the caller's mistakes, and
    `InfrastructureError` when the same may be tried again: `StoreInUse` if another engine has the store.
    """

    def __init__(
        self,
        store: str | None = None,
        *,
        data_dir: str | None = None,
        key_file: str | None = None,
        key: str | None = None,
        secrets: str | None = None,
        calls_in_flight: int | None = None,
        expression_processes: int | None = None,
        log_level: LogLevel = "warning",
        log_format: LogFormat | None = None,
    ) -> None:
        settings = load_settings(
            store=store,
            data_dir=data_dir,
            key_file=key_file,
            key=key,
            secrets=secrets,
            calls_in_flight=calls_in_flight,
            expression_processes=expression_processes,
            log_level=log_level,
            log_format=log_format,
        )
        self._engine = RuntimeEngine(_with_key(settings) if store is not None and data_dir is None else settings)

    async def __aenter__(self) -> Self:
        """Opens the store and takes up the runs that are in it."""
        await self._engine.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives calls under way a short grace; those that do not end in it are made again next time."""
        await self._engine.__aexit__(kind, error, trace)

    @property
    def runtime(self) -> RuntimeEngine:
        """The engine underneath: lists, histories, streams, and everything else that a server offers."""
        return self._engine

    # Tools

    @overload
    def tool(self, capability: str) -> Callable[[F], F]: ...

    @overload
    def tool(self, capability: str, function: F) -> F: ...

    def tool(self, capability: str, function: F | None = None) -> F | Callable[[F], F]:
        """Makes a function the tool behind `call: CAPABILITY`, as a decorator or at once; the last one counts.

        It takes the input, and by keyword `key` (the idempotency key: the same whenever this call is made again)
        and `run_id` if it names them. What it returns must be JSON. An async function runs in the event loop, any
        other one in a thread. An exception becomes a fault of the task; raise `ToolError` to choose its status.

        The function may run twice for one call after a crash or a timeout, then with the same key. It is known to
        this engine object only: runs that need it wait until a function is registered again, until their deadline.
        """
        if function is not None:
            self._engine.put_function(capability, function)
            return function

        def register(function: F) -> F:
            self._engine.put_function(capability, function)
            return function

        return register

    # Workflows and runs

    async def deploy(self, document: Document) -> Deployed:
        """Stores a workflow: its text, a map, or a file (a `Path`, or a name that ends in .yaml, .yml or .json).

        Raises `Unprocessable` with what is wrong and where, `Conflict` for a stored version of other content.
        """
        result = await self._engine.deploy(await read_document(document))
        stored = result.stored
        warnings = tuple(found.message for found in result.warnings)
        return Deployed(stored.namespace, stored.name, stored.version, result.created, warnings)

    async def start(
        self,
        workflow: str | Deployed,
        input: Json = None,  # noqa: A002 - the word of the language
        *,
        key: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Run:
        """A new run of `namespace/name` (the latest version) or `namespace/name:version`, with {} for no input.

        The same `key` gives the same run again, so that a start can be repeated after a crash; `Conflict` if it
        was used with another input. Raises `NotFound` for an unknown workflow.
        """
        given: Json = {} if input is None else input
        return Run(self._engine, await self._engine.begin_run(identity_of(workflow), given, labels=labels, key=key))

    async def run(
        self,
        document: Document,
        input: Json = None,  # noqa: A002 - the word of the language
        *,
        timeout: float | None = None,
    ) -> Json:
        """Deploys a document, runs it once and returns the output; see `deploy`, `start` and `Run.result`."""
        return await (await self.start(await self.deploy(document), input)).result(timeout)

    def get(self, run_id: str) -> Run:
        """The handle of a run, of an earlier process too."""
        return Run(self._engine, run_id)

    # Events and secrets

    async def publish(self, *events: dict[str, Json]) -> int:
        """Takes CloudEvents in (`specversion`, `id`, `source`, `type`, …), each (source, id) once.

        Returns how many were new. Raises `CallerError` for what is no event.
        """
        return await self._engine.publish(list(events))

    async def put_secret(self, name: str, value: Json) -> None:
        """Stores or replaces a secret, sealed; workflows that declare it have it as `$secrets`."""
        await self._engine.put_secret(name, value)


def _with_key(settings: Settings) -> Settings:
    """A database that was named has its key beside it, not in the data directory of a server."""
    path = None if settings.key or settings.key_file else path_of(settings.store_url)
    return settings if path is None else structs.replace(settings, key_file=f"{path}.key")

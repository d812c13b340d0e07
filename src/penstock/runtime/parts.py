"""Puts the engine together. The only place that knows every part."""

from dataclasses import dataclass

import structlog

from penstock.runtime.aftermath import Aftermath
from penstock.runtime.clock import Clock, Ids
from penstock.runtime.definitions import Definitions
from penstock.runtime.directory import Directory
from penstock.runtime.dispatch import Dispatch
from penstock.runtime.edges import Edges
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.events import Router
from penstock.runtime.history import History
from penstock.runtime.inbox import Inbox
from penstock.runtime.listeners import Listeners
from penstock.runtime.live import LiveRuns
from penstock.runtime.matching import Matching
from penstock.runtime.metrics import Metrics
from penstock.runtime.opening import Opening
from penstock.runtime.pinning import Pinning
from penstock.runtime.programs import Programs
from penstock.runtime.pruning import Pruning
from penstock.runtime.secret_values import Secrets
from penstock.runtime.settings import Settings
from penstock.runtime.starting import Starting
from penstock.runtime.timers import Timers
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.runtime.workers import ExpressionWorkers
from penstock.store import Vault
from penstock.store.protocol import Store
from penstock.tools.function_threads import FunctionThreads
from penstock.tools.functions import Functions
from penstock.tools.http_client import HttpClient
from penstock.tools.performer import HttpTools
from penstock.tools.resources import ResourceFetcher


@dataclass(frozen=True, slots=True)
class Parts:
    """What an open engine is made of."""

    store: Store
    live: LiveRuns
    programs: Programs
    secrets: Secrets
    evaluator: Evaluator
    directory: Directory
    definitions: Definitions
    turns: Turns
    inbox: Inbox
    timers: Timers
    router: Router
    dispatch: Dispatch
    watching: Watching
    history: History
    starting: Starting
    pruning: Pruning
    client: HttpClient
    threads: FunctionThreads


def assemble(
    settings: Settings,
    *,
    store: Store,
    vault: Vault,
    clock: Clock,
    ids: Ids,
    metrics: Metrics,
    log: structlog.stdlib.BoundLogger,
    functions: Functions,
    edges: Edges,
) -> Parts:
    """All parts over an open store; nothing runs yet. Call it inside the event loop."""
    live, programs, watching = LiveRuns(store), Programs(store), Watching()
    secrets = Secrets(store, vault)
    workers = edges.workers or ExpressionWorkers(processes=settings.expression_processes)
    evaluator = Evaluator(workers, secrets, metrics)
    directory = Directory(store, clock, functions)
    threads = FunctionThreads()
    client = HttpClient()
    pinning = Pinning(ResourceFetcher(client), evaluator, secrets)
    definitions = Definitions(store, evaluator=evaluator, directory=directory, pinning=pinning, clock=clock)
    turns = Turns(
        store=store,
        live=live,
        opening=Opening(store, live, programs),
        evaluator=evaluator,
        clock=clock,
        metrics=metrics,
        log=log,
    )
    inbox = Inbox(store, turns.boxes, log)
    timers = Timers(store, clock, wake=turns.wake, may_fire=lambda: inbox.complete)
    router = Router(
        store=store,
        listeners=Listeners(programs),
        matching=Matching(store, evaluator, _everything),
        inbox=inbox,
        turns=turns,
        clock=clock,
        metrics=metrics,
        watching=watching,
        log=log,
        owns=_everything,
    )
    dispatch = Dispatch(
        performer=edges.performer or HttpTools(client, directory, functions, threads),
        directory=directory,
        programs=programs,
        evaluator=evaluator,
        secrets=secrets,
        clock=clock,
        metrics=metrics,
        log=log,
        most=settings.calls_in_flight,
        answer=turns.submit,
    )
    turns.connect(
        Aftermath(turns=turns, dispatch=dispatch, router=router, inbox=inbox, timers=timers, watching=watching)
    )
    return Parts(
        store=store,
        live=live,
        programs=programs,
        secrets=secrets,
        evaluator=evaluator,
        directory=directory,
        definitions=definitions,
        turns=turns,
        inbox=inbox,
        timers=timers,
        router=router,
        dispatch=dispatch,
        watching=watching,
        history=History(store, programs),
        starting=Starting(store, turns, definitions, clock, ids),
        pruning=Pruning(store, clock=clock, metrics=metrics, log=log, default=settings.retention),
        client=client,
        threads=threads,
    )


def _everything(run_id: str) -> bool:
    """An engine that shares its store with nobody owns every run."""
    return True

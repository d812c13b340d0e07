"""Puts the engine together. The only place that knows every part."""

import asyncio
from dataclasses import dataclass

import structlog

from penstock.runtime.aftermath import Aftermath
from penstock.runtime.clock import Clock, Ids
from penstock.runtime.controlling import Controlling
from penstock.runtime.definitions import Definitions
from penstock.runtime.directory import Directory
from penstock.runtime.dispatch import Dispatch
from penstock.runtime.edges import Edges
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.events import Router
from penstock.runtime.forwarding import Forwarding
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
from penstock.runtime.pulling import Pulling
from penstock.runtime.pushing import Pushing
from penstock.runtime.remote import Remote
from penstock.runtime.secret_values import Secrets
from penstock.runtime.settings import Settings
from penstock.runtime.shares import Shares
from penstock.runtime.starting import Starting
from penstock.runtime.takings import Takings
from penstock.runtime.timers import Timers
from penstock.runtime.tokens import Tokens
from penstock.runtime.turns import Turns
from penstock.runtime.watching import Watching
from penstock.runtime.why import RunQuestions
from penstock.runtime.why_events import EventQuestions
from penstock.runtime.work import Work
from penstock.runtime.workers import ExpressionWorkers
from penstock.store import Vault
from penstock.store.protocol import Store
from penstock.tools.function_threads import FunctionThreads
from penstock.tools.functions import Functions
from penstock.tools.http_client import HttpClient
from penstock.tools.outbound import OutboundPolicy
from penstock.tools.performer import HttpTools
from penstock.tools.resources import ResourceFetcher


@dataclass(frozen=True, slots=True)
class Parts:
    """What an open engine is made of."""

    store: Store
    shares: Shares
    renew_soon: asyncio.Event
    """Set when somebody doubts what the shares are."""
    live: LiveRuns
    programs: Programs
    secrets: Secrets
    tokens: Tokens
    evaluator: Evaluator
    directory: Directory
    definitions: Definitions
    turns: Turns
    inbox: Inbox
    timers: Timers
    router: Router
    dispatch: Dispatch
    pushing: Pushing
    pulling: Pulling
    work: Work
    watching: Watching
    history: History
    run_questions: RunQuestions
    event_questions: EventQuestions
    starting: Starting
    controlling: Controlling
    remote: Remote
    forwarding: Forwarding
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
    shares, renew_soon = Shares(alone=store.exclusive), asyncio.Event()
    live, programs, watching = LiveRuns(store), Programs(store), Watching()
    remote = Remote(store, shares, live, watching, log)
    watching.began = remote.began
    secrets = Secrets(store, vault)
    workers = edges.workers or ExpressionWorkers(processes=settings.expression_processes)
    evaluator = Evaluator(workers, secrets, metrics)
    directory = Directory(store, clock, functions)
    threads = FunctionThreads()
    tokens = Tokens(store, clock, ids, spare=bool(settings.token))
    client = HttpClient(
        policy=OutboundPolicy(settings.allowed_hosts, lambda: settings.in_development and not tokens.exist)
    )
    pinning = Pinning(ResourceFetcher(client), evaluator, secrets)
    definitions = Definitions(store, evaluator=evaluator, directory=directory, pinning=pinning, clock=clock)
    turns = Turns(
        store=store,
        shares=shares,
        live=live,
        opening=Opening(store, live, programs),
        evaluator=evaluator,
        clock=clock,
        metrics=metrics,
        log=log,
    )
    inbox = Inbox(store, shares, turns.put, log)
    forwarding = Forwarding(store, log, sent=inbox.take)
    timers = Timers(
        store,
        clock,
        wake=turns.wake,
        may_fire=lambda: inbox.complete,
        refresh=None if store.exclusive else inbox.refresh,
    )
    listeners, matching = Listeners(programs), Matching(store, evaluator, shares.serves)
    router = Router(
        store=store,
        listeners=listeners,
        matching=matching,
        inbox=inbox,
        turns=turns,
        clock=clock,
        metrics=metrics,
        watching=watching,
        log=log,
        owns=shares.serves,
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
    pulling = Pulling(store, clock, log)
    pushing = Pushing(
        store=store, clock=clock, directory=directory, secrets=secrets, client=client, metrics=metrics, log=log
    )
    turns.connect(
        Aftermath(
            shares=shares,
            turns=turns,
            dispatch=dispatch,
            pushing=pushing,
            pulling=pulling,
            router=router,
            inbox=inbox,
            timers=timers,
            watching=watching,
            remote=remote,
            forwarding=forwarding,
            doubted=renew_soon.set,
        )
    )
    history = History(store, programs)
    return Parts(
        store=store,
        shares=shares,
        renew_soon=renew_soon,
        live=live,
        programs=programs,
        secrets=secrets,
        tokens=tokens,
        evaluator=evaluator,
        directory=directory,
        definitions=definitions,
        turns=turns,
        inbox=inbox,
        timers=timers,
        router=router,
        dispatch=dispatch,
        pushing=pushing,
        pulling=pulling,
        work=Work(store=store, clock=clock, directory=directory, pulling=pulling, pushing=pushing, log=log),
        watching=watching,
        history=history,
        run_questions=RunQuestions(store, programs, history, dispatch, directory),
        event_questions=EventQuestions(store, programs, listeners, matching, Takings(store, history), clock),
        starting=Starting(store, shares, turns, definitions, clock, ids),
        controlling=Controlling(store, live, turns, inbox, watching, doubted=renew_soon.set),
        remote=remote,
        forwarding=forwarding,
        pruning=Pruning(
            store, clock=clock, metrics=metrics, log=log, default=settings.retention, leads=lambda: shares.leads
        ),
        client=client,
        threads=threads,
    )

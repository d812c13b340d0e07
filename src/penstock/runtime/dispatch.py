"""Performs what turns asked for, after their commit: calls, each as a task of its own, under its key and deadline.

A call lives in the state of its run; what is here can be lost at any moment and is begun again with the same key.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from penstock.errors import RUNTIME, TIMEOUT, Fault, InfrastructureError
from penstock.kernel.commands import Invoke
from penstock.kernel.messages import CallFinished, Message
from penstock.kernel.values import Value
from penstock.model.limits import CALL_OVERDUE_MS, COMMIT_BACKOFF_MS
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.call_context import RuntimeCallContext
from penstock.runtime.clock import Clock
from penstock.runtime.directory import Directory
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.fill import fill_arguments
from penstock.runtime.metrics import Metrics
from penstock.runtime.offers import capability_of, offer_of
from penstock.runtime.programs import Programs
from penstock.runtime.secret_values import Secrets
from penstock.tools.contract import Outcome, Performer

Answer = Callable[[str, Message], None]


class Call(msgspec.Struct, frozen=True, gc=False):
    """A call on its way."""

    run_id: str
    workflow: WorkflowIdentity
    invoke: Invoke


class Dispatch:
    """At most `most` calls under way; the others wait in order. A call for which there is no tool waits apart."""

    def __init__(
        self,
        *,
        performer: Performer,
        directory: Directory,
        programs: Programs,
        evaluator: Evaluator,
        secrets: Secrets,
        clock: Clock,
        metrics: Metrics,
        log: structlog.stdlib.BoundLogger,
        most: int,
        answer: Answer,
    ) -> None:
        self._performer = performer
        self._directory = directory
        self._programs = programs
        self._evaluator = evaluator
        self._secrets = secrets
        self._clock = clock
        self._metrics = metrics
        self._log = log
        self._most = most
        self._answer = answer
        self._queue: dict[str, Call] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._runs: dict[str, str] = {}
        """The run of each call under way."""
        self._deadlines: dict[str, int] = {}
        self._overdue: set[str] = set()
        self._look: asyncio.TimerHandle | None = None
        self._toolless: dict[str, Call] = {}
        self._attempts: dict[str, int] = {}
        self._stopped = False
        metrics.calls_in_flight.set_function(lambda: len(self._running))
        metrics.calls_waiting.set_function(lambda: len(self._queue) + len(self._toolless))

    def invoke(self, run_id: str, workflow: WorkflowIdentity, invoke: Invoke) -> None:
        """Performs the call unless it is under way already."""
        key = invoke.call_id
        if key in self._queue or key in self._running or key in self._toolless or self._stopped:
            return
        self._queue[key] = Call(run_id, workflow, invoke)
        self._pump()

    def cancel(self, call_id: str) -> None:
        """Stops the call, at whatever stage it is."""
        self._queue.pop(call_id, None)
        self._toolless.pop(call_id, None)
        self._attempts.pop(call_id, None)
        if (task := self._running.get(call_id)) is not None:
            task.cancel()

    def keep_waiting_only(self, owns: Callable[[str], bool]) -> None:
        """Forgets the calls of runs that are somebody else's now, and that have not begun."""
        self._queue = {key: call for key, call in self._queue.items() if owns(call.run_id)}
        self._toolless = {key: call for key, call in self._toolless.items() if owns(call.run_id)}

    async def keep_only(self, owns: Callable[[str], bool], grace_ms: int) -> None:
        """The same for those under way, after a grace; who holds their runs begins them again under their keys."""
        tasks = [task for key, task in self._running.items() if not owns(self._runs[key])]
        if tasks and grace_ms:
            await asyncio.wait(tasks, timeout=grace_ms / 1000)
        for task in tasks:
            task.cancel()

    def tools_changed(self, capability: str) -> None:
        """Tries every call of the capability again that had no tool."""
        again = {key: call for key, call in self._toolless.items() if capability_of(call.invoke) == capability}
        for key in again:
            del self._toolless[key]
        self._queue.update(again)
        self._pump()

    def reason(self, call_id: str) -> str | None:
        """Why a call has not begun, for people; None when it has, or is not here."""
        if (call := self._toolless.get(call_id)) is not None:
            name = capability_of(call.invoke)
            return f"no tool provides the capability {name!r}; waiting for one until the deadline"
        return "waiting for a place among the calls under way" if call_id in self._queue else None

    async def stop(self, grace_ms: int) -> None:
        """Begins no more calls and gives those under way a short grace; recovery begins the others again."""
        self._stopped = True
        self._queue.clear()
        self._toolless.clear()
        if self._look is not None:
            self._look.cancel()
        tasks = set(self._running.values())
        if tasks:
            await asyncio.wait(tasks, timeout=grace_ms / 1000)
        for task in tasks:
            task.cancel()
        if tasks:  # a function may refuse to be cancelled; it is not waited for
            await asyncio.wait(tasks, timeout=grace_ms / 1000)

    def _pump(self) -> None:
        while self._queue and len(self._running) < self._most:
            key = next(iter(self._queue))
            call = self._queue.pop(key)
            task = asyncio.create_task(self._perform(call))
            self._running[key] = task
            self._runs[key] = call.run_id
            self._deadlines[key] = call.invoke.deadline_at
            task.add_done_callback(lambda done, key=key: self._ended(key, done))
        if self._running and self._look is None:
            self._look = asyncio.get_running_loop().call_later(CALL_OVERDUE_MS / 1000, self._stop_overdue)

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        if self._running.get(key) is task:  # else the call was begun again, because its tool came
            del self._running[key], self._deadlines[key], self._runs[key]
        self._overdue.discard(key)
        if self._queue and not self._stopped:
            self._pump()

    def _stop_overdue(self) -> None:
        """The kernel's deadline cancels calls; this keeps one that outlives it (of a suspended run, say) from staying.

        One timer for all calls: one for each would be a good part of what a short call costs.
        """
        self._look = None
        before = self._clock.now_ms() - CALL_OVERDUE_MS
        for key, deadline_at in self._deadlines.items():
            if 0 < deadline_at < before:
                self._overdue.add(key)
                self._running[key].cancel()
        if self._running and not self._stopped:
            self._look = asyncio.get_running_loop().call_later(CALL_OVERDUE_MS / 1000, self._stop_overdue)

    async def _perform(self, call: Call) -> None:
        key = call.invoke.call_id
        try:
            outcome = await self._outcome_at_last(call)
        except asyncio.CancelledError:
            if key not in self._overdue:
                raise
            outcome = Fault(TIMEOUT, 408, "Timeout", "the call did not end in time", unknown_outcome=True)
        except Exception as error:  # the bulkhead of a call
            self._log.error("call failed inside the engine", run_id=call.run_id, call_id=key, exc_info=error)
            detail = f"the call failed inside the engine: {type(error).__name__}"
            outcome = Fault(RUNTIME, 500, "Call failed", detail, unknown_outcome=True)
        if outcome is None:
            return
        fault = outcome if isinstance(outcome, Fault) else None
        self._attempts.pop(key, None)
        self._metrics.calls.labels(call.invoke.kind, "faulted" if fault else "completed").inc()
        self._log.debug("call ended", run_id=call.run_id, reference=call.invoke.reference, call_id=key)
        value = outcome if isinstance(outcome, Value) else None
        self._answer(call.run_id, CallFinished(at=self._clock.now_ms(), call_id=key, output=value, fault=fault))

    async def _outcome_at_last(self, call: Call) -> Outcome | None:
        """Surroundings of the engine that fail are no failure of the call: it waits for them, until its deadline."""
        while True:
            try:
                return await self._outcome(call)
            except InfrastructureError as error:
                self._log.warning("call waits", run_id=call.run_id, reason=str(error))
                await asyncio.sleep(COMMIT_BACKOFF_MS / 1000)

    async def _outcome(self, call: Call) -> Outcome | None:
        """None when the call is left alone: its deadline has passed, it waits for a tool, or tools take it by event."""
        invoke = call.invoke
        if 0 < invoke.deadline_at <= self._clock.now_ms():
            return None  # the kernel's own deadline speaks
        found = await self._programs.get_with_resources(call.workflow)
        if found is None:
            return Fault(RUNTIME, 500, "Call failed", "the definition of the workflow is gone")
        program, resources = found
        filled = await fill_arguments(invoke, program.workflow, self._evaluator)
        if isinstance(filled, Fault):
            return filled
        self._attempts[invoke.call_id] = attempt = self._attempts.get(invoke.call_id, 0) + 1
        context = RuntimeCallContext(
            run_id=call.run_id,
            workflow=program.workflow,
            attempt=attempt,
            resources=resources.documents,
            secrets=self._secrets,
            now_ms=self._clock.now_ms,
            rendered=filled.rendered,
        )
        if invoke.kind == "capability" and not self._directory.provides(capability_of(invoke)):
            self._toolless[invoke.call_id] = call
            self._log.info("call waits for a tool", run_id=call.run_id, capability=capability_of(invoke))
            return None
        if invoke.kind == "capability" and (offered := await offer_of(self._directory, invoke, context)) is not None:
            self._attempts.pop(invoke.call_id, None)
            self._answer(call.run_id, offered)
            return None
        return await self._performer.perform(invoke, filled.arguments, context)

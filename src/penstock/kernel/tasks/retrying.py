"""`try`: catches errors of its tasks, tries again by its policy, and handles what is left.

Decided where the specification is silent (docs/dsl-decisions.md): `limit.attempt.count` counts retries; `catch.do` runs
once, after the last retry; without `do` and `retry` the output is the task's input; `.` in `catch.when` and
`retry.when` is the error; the delay is `delay`, `delay * n` or `delay * 2^(n-1)` before retry n, plus jitter.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import Fault, canonical_error_type
from penstock.kernel.evaluation import evaluate_delay, is_true
from penstock.kernel.ids import derived_number
from penstock.kernel.nodes import Delay, Formula, Node, Scope
from penstock.kernel.problems import timeout_fault
from penstock.kernel.state import Frame, TryWork
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.values import NULL, Value
from penstock.model.limits import MAX_RETRIES, MAX_WAIT_MS
from penstock.model.policies import ErrorFilter, RetryPolicy
from penstock.model.tasks import TryTask

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


@dataclass(frozen=True, slots=True)
class RetrySpec:
    when: Formula | None
    except_when: Formula | None
    delay: Delay
    backoff: str
    jitter: tuple[Delay, Delay] | None
    count: int
    attempt_duration: Delay | None
    duration: Delay | None


@dataclass(frozen=True, slots=True)
class TrySpec:
    scope: Scope
    filter: ErrorFilter | None
    variable: str
    when: Formula | None
    except_when: Formula | None
    retry: RetrySpec | None
    handler: Scope | None
    then: str | None


class TryKind(TaskKind[TryTask]):
    def compile(self, compiler: "Compiler", node: Node, task: TryTask) -> TrySpec:
        catch, pointer = task.catch, f"{node.pointer}/catch"
        node.provides = (catch.as_,)
        return TrySpec(
            scope=compiler.scope(task.try_),
            filter=catch.errors,
            variable=catch.as_,
            when=compiler.optional(catch.when, f"{pointer}/when"),
            except_when=compiler.optional(catch.except_when, f"{pointer}/exceptWhen"),
            retry=None if catch.retry is None else _compile_retry(compiler, catch.retry, f"{pointer}/retry"),
            handler=None if catch.do is None else compiler.scope(catch.do),
            then=catch.then,
        )

    def begin(self, machine: "Machine", frame: Frame) -> None:
        work = frame.work if isinstance(frame.work, TryWork) else TryWork(1, "trying", machine.at)
        spec, value = _spec(machine, frame), frame.input or NULL
        deadline = 0
        if spec.retry is not None and spec.retry.attempt_duration is not None:
            phase = f"catch/retry/limit/attempt/duration/{work.attempt}"
            deadline = machine.at + evaluate_delay(machine, frame, phase, spec.retry.attempt_duration, value)
        work = msgspec.structs.replace(work, stage="trying", attempt_deadline_at=deadline)
        frame = machine.change(frame, phase="inside", work=work)
        if not machine.start_list(frame, spec.scope, value):
            machine.complete(frame.entry, value)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        work, spec = frame.work, _spec(machine, frame)
        assert isinstance(work, TryWork)
        machine.complete(frame.entry, output, then=spec.then if work.stage == "catching" else None)

    def child_failed(self, machine: "Machine", frame: Frame, child: Frame, fault: Fault) -> bool:
        work = frame.work
        assert isinstance(work, TryWork)
        if work.stage != "trying" or not _matches(_spec(machine, frame).filter, fault):
            return False
        machine.cancel_children(frame.entry)
        self.decide(machine, frame, work, fault)
        return True

    def decide(self, machine: "Machine", frame: Frame, work: TryWork, fault: Fault) -> None:
        """An error that the filter lets through: the conditions, the retry policy and the handler decide."""
        resend, machine.unknown_calls = machine.unknown_calls, {}
        work = msgspec.structs.replace(work, stage="deciding", caught=fault, attempt_deadline_at=0, resend=resend)
        machine.go_on(machine.change(frame, work=work), "deciding")

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        work, spec = frame.work, _spec(machine, frame)
        assert isinstance(work, TryWork)
        fault = work.caught
        if frame.phase == "retrying":
            self.begin(machine, frame)
            return
        assert fault is not None
        error, tried = Value(fault.as_json()), work.attempt
        if not _holds(machine, frame, f"catch/{tried}", spec.when, spec.except_when, error):
            machine.fail(frame.entry, fault)
            return
        delay = None if spec.retry is None else _retry_after(machine, frame, work, spec.retry, error)
        if delay is not None:
            machine.change(
                frame,
                phase="delaying",
                wake_at=machine.at + delay,
                work=msgspec.structs.replace(work, stage="delaying"),
            )
            if delay == 0:
                self.wake(machine, machine.change(machine.frames[frame.entry], wake_at=0))
        elif spec.retry is not None and spec.handler is None and spec.then is None:
            machine.fail(frame.entry, fault)
        else:
            self._handle(machine, frame, work, spec)

    def wake(self, machine: "Machine", frame: Frame) -> None:
        """The delay is over: the next attempt begins."""
        work = frame.work
        assert isinstance(work, TryWork)
        work = msgspec.structs.replace(work, attempt=work.attempt + 1, stage="trying")
        frame = machine.change(frame, work=work, attempt=work.attempt)
        machine.record("task.retried", frame, machine.node(frame))
        machine.go_on(frame, "retrying")

    def variable(self, machine: "Machine", frame: Frame, name: str) -> Value | None:
        work = frame.work
        if not isinstance(work, TryWork) or work.caught is None or work.stage not in ("deciding", "catching"):
            return None
        return Value(work.caught.as_json())

    def _handle(self, machine: "Machine", frame: Frame, work: TryWork, spec: TrySpec) -> None:
        value = frame.input or NULL
        frame = machine.change(frame, phase="inside", work=msgspec.structs.replace(work, stage="catching"))
        if spec.handler is None or not machine.start_list(frame, spec.handler, value):
            machine.complete(frame.entry, value, then=spec.then)


def attempt_timed_out(machine: "Machine", frame: Frame) -> None:
    """`limit.attempt.duration` is over: the attempt fails with a time-out that this very task may catch."""
    work = frame.work
    assert isinstance(work, TryWork)
    node, spec = machine.node(frame), _spec(machine, frame)
    fault = timeout_fault(f"attempt {work.attempt} of the task {node.name!r} took longer than its limit")
    fault = msgspec.structs.replace(fault, instance=node.pointer)
    machine.cancel_children(frame.entry)
    frame = machine.change(frame, work=msgspec.structs.replace(work, attempt_deadline_at=0))
    if not _matches(spec.filter, fault):
        machine.fail(frame.entry, fault)
        return
    TryKind().decide(machine, frame, work, fault)


def key_to_resend(machine: "Machine", frame: Frame) -> str | None:
    """The idempotency key of the same call in the attempt before, if its outcome is unknown."""
    current = machine.frames.get(frame.parent)
    while current is not None:
        if isinstance(current.work, TryWork) and current.work.resend:
            key = current.work.resend.get(machine.call_place(frame))
            if key is not None:
                return key
        current = machine.frames.get(current.parent)
    return None


def _compile_retry(compiler: "Compiler", policy: RetryPolicy, pointer: str) -> RetrySpec:
    jitter = None
    if policy.jitter_from is not None and policy.jitter_to is not None:
        jitter = (
            compiler.delay(policy.jitter_from, f"{pointer}/jitter/from"),
            compiler.delay(policy.jitter_to, f"{pointer}/jitter/to"),
        )
    return RetrySpec(
        when=compiler.optional(policy.when, f"{pointer}/when"),
        except_when=compiler.optional(policy.except_when, f"{pointer}/exceptWhen"),
        delay=Delay() if policy.delay is None else compiler.delay(policy.delay, f"{pointer}/delay"),
        backoff=policy.backoff,
        jitter=jitter,
        count=MAX_RETRIES if policy.attempt_count is None else min(policy.attempt_count, MAX_RETRIES),
        attempt_duration=compiler.optional_delay(policy.attempt_duration, f"{pointer}/limit/attempt/duration"),
        duration=compiler.optional_delay(policy.duration, f"{pointer}/limit/duration"),
    )


def _spec(machine: "Machine", frame: Frame) -> TrySpec:
    spec = machine.node(frame).spec
    assert isinstance(spec, TrySpec)
    return spec


def _matches(wanted: ErrorFilter | None, fault: Fault) -> bool:
    if wanted is None:
        return True
    if wanted.type is not None and canonical_error_type(wanted.type) != canonical_error_type(fault.type):
        return False
    return (
        wanted.status in (None, fault.status)
        and wanted.instance in (None, fault.instance)
        and wanted.title in (None, fault.title)
        and wanted.detail in (None, fault.detail)
    )


def _holds(
    machine: "Machine",
    frame: Frame,
    phase: str,
    when: Formula | None,
    except_when: Formula | None,
    error: Value,
) -> bool:
    if when is not None and not is_true(machine, frame, f"{phase}/when", when, error):
        return False
    return except_when is None or not is_true(machine, frame, f"{phase}/exceptWhen", except_when, error)


def _retry_after(machine: "Machine", frame: Frame, work: TryWork, retry: RetrySpec, error: Value) -> int | None:
    """Milliseconds until the next attempt; None when there shall be none."""
    value, phase, n = frame.input or NULL, f"catch/retry/{work.attempt}", work.attempt
    if n > retry.count or not _holds(machine, frame, phase, retry.when, retry.except_when, error):
        return None
    delay = evaluate_delay(machine, frame, f"{phase}/delay", retry.delay, value)
    if retry.backoff == "linear":
        delay *= n
    elif retry.backoff == "exponential":
        delay *= 2 ** min(n - 1, 64)
    if retry.jitter is not None:
        low = evaluate_delay(machine, frame, f"{phase}/jitter/from", retry.jitter[0], value)
        high = evaluate_delay(machine, frame, f"{phase}/jitter/to", retry.jitter[1], value)
        span = max(high - low, 0) + 1
        delay += low + derived_number(machine.state.run_id, frame.entry, n, "jitter", below=span)
    delay = min(delay, MAX_WAIT_MS)
    if retry.duration is not None:
        total = evaluate_delay(machine, frame, f"{phase}/limit/duration", retry.duration, value)
        if machine.at + delay - work.first_at > total:
            return None
    return delay

"""`call` and `run: workflow`: what happens elsewhere, and comes back as a message.

A function of the document (or one that was fetched by its URL when the workflow was deployed) is no call to the
world: its task runs inside this one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from penstock.errors import EXPRESSION
from penstock.kernel.commands import CallKind, Deferred, Invoke, SendMessage
from penstock.kernel.evaluation import checked_value, evaluate
from penstock.kernel.ids import derived_id
from penstock.kernel.messages import CancelRequested, ParentLink, Started
from penstock.kernel.nodes import Formula, Node
from penstock.kernel.problems import TaskFault, expression_fault, fault_of, runtime_fault
from penstock.kernel.state import CallWork, ChildWork, FaultWork, Frame, OfferedWork
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.tasks.offering import give_up, nobody_started
from penstock.kernel.tasks.retrying import key_to_resend
from penstock.kernel.values import NULL, Value
from penstock.model.data_flow import Authentication, BasicAuthentication, BearerAuthentication
from penstock.model.json_value import Json
from penstock.model.limits import CALL_TIMEOUT_MS, MAX_FUNCTION_DEPTH, MAX_RUN_DEPTH
from penstock.model.plain_data import is_map
from penstock.model.tasks import Call, CallFunction, CallHttp, CallOpenApi, CallTask, RunTask, RunWorkflow
from penstock.model.workflow import WorkflowIdentity

if TYPE_CHECKING:
    from penstock.kernel.compiler import Compiler
    from penstock.kernel.machine import Machine


@dataclass(frozen=True, slots=True)
class CallSpec:
    """`arguments` as `Invoke` has them. `template_uri`: the URI is a literal whose `{name}` parts are expanded."""

    kind: CallKind
    arguments: Formula
    authentication: Formula | None
    template_uri: bool = False


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """`body` is the node of the function's task; `arguments` its input, None for the input of the call itself."""

    body: int
    arguments: Formula | None


class CallKindOfTask(TaskKind[CallTask]):
    """Output: the answer of the world, or of the function."""

    def compile(self, compiler: "Compiler", node: Node, task: CallTask) -> CallSpec | FunctionSpec:
        call, pointer = task.call, f"{node.pointer}/with"
        if isinstance(call, CallFunction):
            body = compiler.function(call.name)
            if body is not None:
                arguments = compiler.formula(call.arguments, pointer) if call.has_arguments else None
                return FunctionSpec(body, arguments)
            given: Json = call.arguments if call.has_arguments else "${ . }"
            return CallSpec("capability", compiler.formula({"name": call.name, "input": given}, pointer), None)
        arguments, authentication = _arguments(call)
        return CallSpec(
            kind="http" if isinstance(call, CallHttp) else "openapi",
            arguments=compiler.formula(arguments, pointer),
            authentication=None if authentication is None else compiler.formula(authentication, pointer),
            template_uri=isinstance(call, CallHttp) and "${" not in call.endpoint.uri,
        )

    def begin(self, machine: "Machine", frame: Frame) -> None:
        spec, value = machine.node(frame).spec, frame.input or NULL
        if isinstance(spec, FunctionSpec):
            self._enter_function(machine, frame, spec, value)
            return
        assert isinstance(spec, CallSpec)
        deferred: list[Deferred] = []
        given = evaluate(machine, frame, "with", spec.arguments, value, deferred=deferred)
        arguments = given.data
        if spec.authentication is not None:
            authentication, hidden = self.authorization(machine, frame)
            arguments = {**arguments, "authentication": authentication}
            deferred += [msgspec.structs.replace(d, pointer="/authentication" + d.pointer) for d in hidden]
        if spec.kind == "http":
            arguments = _with_uri(arguments, spec, value, deferred)
        key = key_to_resend(machine, frame) or derived_id(machine.at, machine.state.run_id, frame.entry, "call")
        deadline = frame.deadline_at or machine.at + CALL_TIMEOUT_MS
        invoke = Invoke(
            call_id=key,
            entry=frame.entry,
            reference=machine.node(frame).pointer,
            kind=spec.kind,
            arguments=_kept(machine, given, arguments),
            deferred=tuple(deferred),
            deadline_at=deadline,
        )
        machine.change(frame, phase="calling", work=CallWork(invoke), deadline_at=deadline)
        machine.commands.append(invoke)

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        fail_later(machine, frame)

    def child_done(self, machine: "Machine", frame: Frame, child: Frame, output: Value) -> None:
        machine.complete(frame.entry, output)

    def wake(self, machine: "Machine", frame: Frame) -> None:
        nobody_started(machine, frame)

    def cancel(self, machine: "Machine", frame: Frame) -> None:
        if isinstance(frame.work, OfferedWork):
            give_up(machine, frame, frame.work)

    def authorization(self, machine: "Machine", frame: Frame) -> tuple[Json, tuple[Deferred, ...]]:
        spec = machine.node(frame).spec
        if not isinstance(spec, CallSpec) or spec.authentication is None:
            return None, ()
        deferred: list[Deferred] = []
        value = evaluate(machine, frame, "authentication", spec.authentication, frame.input or NULL, deferred=deferred)
        return value.data, tuple(deferred)

    def _enter_function(self, machine: "Machine", frame: Frame, spec: FunctionSpec, value: Value) -> None:
        given = value if spec.arguments is None else evaluate(machine, frame, "with", spec.arguments, value)
        depth, current = 0, machine.frames.get(frame.parent)
        while current is not None:
            depth += machine.node(current).kind == "call"
            current = machine.frames.get(current.parent)
        if depth >= MAX_FUNCTION_DEPTH:
            raise runtime_fault(f"functions call each other more than {MAX_FUNCTION_DEPTH} deep")
        machine.change(frame, phase="inside")
        machine.enter(frame, spec.body, given, path=frame.path)


class RunKind(TaskKind[RunTask]):
    """`run: workflow`. Output: of the run that it started; with `await: false` the input, at once."""

    def compile(self, compiler: "Compiler", node: Node, task: RunTask) -> Formula | None:
        run = task.run
        assert isinstance(run, RunWorkflow)
        return None if run.input is None else compiler.formula(run.input, f"{node.pointer}/run/workflow/input")

    def begin(self, machine: "Machine", frame: Frame) -> None:
        node, value, state = machine.node(frame), frame.input or NULL, machine.state
        task = node.task
        assert isinstance(task, RunTask) and isinstance(task.run, RunWorkflow)
        given = evaluate(machine, frame, "run/input", node.spec, value) if isinstance(node.spec, Formula) else value
        depth = 1 if state.parent is None else state.parent.depth + 1
        if depth > MAX_RUN_DEPTH:
            raise runtime_fault(f"runs start each other more than {MAX_RUN_DEPTH} deep")
        child_id = derived_id(machine.at, state.run_id, frame.entry, "run")
        started = Started(
            at=machine.at,
            run_id=child_id,
            workflow=WorkflowIdentity(task.run.namespace, task.run.name, task.run.version),
            input=given,
            parent=ParentLink(state.run_id, frame.entry, depth, awaited=task.await_),
        )
        machine.commands.append(SendMessage(child_id, started))
        if task.await_:
            machine.change(frame, phase="child", work=ChildWork(child_id))
        else:
            machine.complete(frame.entry, value)

    def proceed(self, machine: "Machine", frame: Frame) -> None:
        fail_later(machine, frame)

    def cancel(self, machine: "Machine", frame: Frame) -> None:
        if isinstance(frame.work, ChildWork):
            message = CancelRequested(at=machine.at, reason="the run that started it no longer waits")
            machine.commands.append(SendMessage(frame.work.child_id, message))


def _kept(machine: "Machine", given: Value, arguments: Json) -> Value:
    """The arguments as a value of the state; they count for themselves, beside what they were made of."""
    if arguments is not given.data:
        return checked_value(machine, arguments, "with")
    machine.spend(given.size)
    return given


def fail_later(machine: "Machine", frame: Frame) -> None:
    """Phase `failed`: the answer was a fault, and now it takes effect."""
    work = frame.work
    assert isinstance(work, FaultWork)
    if work.unknown_call_id:
        machine.unknown_calls[machine.call_place(frame)] = work.unknown_call_id
    machine.fail(frame.entry, work.fault)


def _arguments(call: Call) -> tuple[dict[str, Json], Json]:
    """The arguments of `Invoke` as the document writes them, and the authentication."""
    if isinstance(call, CallHttp):
        arguments: dict[str, Json] = {
            "method": call.method,
            "uri": call.endpoint.uri,
            "output": call.output,
            "redirect": call.redirect,
        }
        if call.headers is not None:
            arguments["headers"] = call.headers
        if call.query is not None:
            arguments["query"] = call.query
        if call.has_body:
            arguments["body"] = call.body
        return arguments, _authentication(call.endpoint.authentication)
    assert isinstance(call, CallOpenApi)
    return {
        "document": call.document.endpoint.uri,
        "operationId": call.operation_id,
        "parameters": call.parameters,
        "output": call.output,
        "redirect": call.redirect,
    }, _authentication(call.authentication)


def _authentication(policy: Authentication | None) -> Json:
    match policy:
        case None:
            return None
        case BasicAuthentication():
            fields = {"username": policy.username, "password": policy.password}
            return {"basic": fields if policy.use is None else {"use": policy.use}}
        case BearerAuthentication():
            return {"bearer": {"token": policy.token} if policy.use is None else {"use": policy.use}}
        case _:
            raise AssertionError(f"{policy.scheme} authentication is refused when the workflow is deployed")


def _with_uri(arguments: dict[str, Json], spec: CallSpec, value: Value, deferred: list[Deferred]) -> dict[str, Json]:
    """The arguments with the final URI; one that is deferred stays null."""
    uri = arguments["uri"]
    if spec.template_uri:
        return {**arguments, "uri": expand_uri(uri, value.data)}
    if not isinstance(uri, str) and not any(d.pointer == "/uri" for d in deferred):
        raise expression_fault("with/endpoint", f"must give a URI as a string, not {uri!r}")
    return arguments


def expand_uri(template: str, data: Json) -> str:
    """Expands `{name}` from the top-level members of `data`; a missing one gives nothing (docs/dsl-decisions.md)."""
    parts: list[str] = []
    rest = template
    while rest:
        before, brace, after = rest.partition("{")
        parts.append(before)
        if not brace:
            break
        name, close, rest = after.partition("}")
        if not close:
            raise TaskFault(fault_of(EXPRESSION, f"with/endpoint: a '{{' without '}}' in {template!r}"))
        value = data.get(name) if is_map(data) else None
        if isinstance(value, dict | list):
            raise expression_fault("with/endpoint", f"{{{name}}} is no simple value")
        parts.append("" if value is None else quote(_text(value), safe=""))
    return "".join(parts)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

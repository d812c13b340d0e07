"""Readers of task lists and tasks: which kind a task is, what all tasks share, and how lists nest."""

from collections.abc import Callable, Collection
from types import MappingProxyType
from typing import Any, Final

from penstock.model.json_value import Json
from penstock.model.limits import MAX_TASKS
from penstock.model.plain_data import is_list, is_map
from penstock.model.readers.calls import read_call
from penstock.model.readers.catch import read_catch
from penstock.model.readers.data_flow import read_input, read_output
from penstock.model.readers.events import read_event_properties, read_read_as, read_strategy
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.policies import read_error, read_timeout
from penstock.model.readers.runs import read_run
from penstock.model.readers.scope import DIRECTIVES, Scope, read_then
from penstock.model.readers.values import (
    is_expression,
    read_boolean,
    read_condition,
    read_data,
    read_duration,
    read_object,
    read_variable,
)
from penstock.model.tasks import (
    CallTask,
    Catch,
    DoTask,
    EmitTask,
    Foreach,
    ForkTask,
    ForTask,
    ListenTask,
    NamedTask,
    RaiseTask,
    RunTask,
    SetTask,
    SwitchCase,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
    WaitTask,
)

_BASE_KEYS: Final = ("if", "input", "output", "export", "timeout", "then", "metadata")
_NOTHING: Final = "continue"


def read_task_list(node: Node) -> TaskList:
    """A list of one-key maps. Its names are one scope: unique, and the only targets of `then` in it."""
    named = _named_items(node)
    scope = dict.fromkeys(name for name, _ in named)
    return tuple(NamedTask(name, task.pointer, read_task(task, scope)) for name, task in named)


def read_branches(node: Node) -> TaskList:
    """The branches of a fork: each is a scope of its own, because they run at the same time."""
    return tuple(NamedTask(name, task.pointer, read_task(task, ())) for name, task in _named_items(node))


def _named_items(node: Node) -> list[tuple[str, Node]]:
    named: list[tuple[str, Node]] = []
    seen: set[str] = set()
    for item in node.items():
        if not is_map(item.value):
            item.wrong_type("a map with one key, the task's name")
            continue
        if len(item.value) != 1:
            item.error(
                f"an item of a task list has exactly one key, the task's name; found {len(item.value)}",
                "item",
            )
        for name, task in item.members():
            if name in seen:
                task.error(f"two tasks of one list are named {name[:100]!r}", "duplicate-name", at_key=True)
            if name in DIRECTIVES:
                task.warn(f"'then: {name}' means the directive, never this task", "shadowed-name", at_key=True)
            seen.add(name)
            named.append((name, task))
    return named


def read_task(node: Node, scope: Scope) -> Task:
    """One task; its kind is the one keyword that it has."""
    node.reading.tasks += 1
    if node.reading.tasks == MAX_TASKS + 1:
        node.error(f"more than {MAX_TASKS} tasks", "too-large", at_key=True)
    kind = _kind_of(node)
    if kind is None:
        return SetTask(definition=None, value=None)
    extra, reader = _KINDS[kind]
    fields = Fields(node, (*_BASE_KEYS, kind, *extra))
    base: dict[str, Any] = {
        "definition": node.value,
        "if_": fields.read("if", read_condition, None),
        "input": fields.read("input", read_input, None),
        "output": fields.read("output", read_output, None),
        "export": fields.read("export", read_output, None),
        "timeout": fields.read("timeout", read_timeout, None),
        "then": fields.read("then", lambda member: read_then(member, scope), _NOTHING),
        "metadata": fields.read("metadata", read_object, {}),
    }
    return reader(fields, scope, base)


def _kind_of(node: Node) -> str | None:
    if not is_map(node.value):
        node.wrong_type("a task")
        return None
    kinds = [kind for kind in _KINDS if kind in node.value and not (kind == "do" and "for" in node.value)]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        node.error(f"a task is of one kind; this one has {', '.join(kinds)}", "task-kind", at_key=True)
        return None
    unknown = next((key for key in node.value if key not in _BASE_KEYS), "")
    hint = node.reading.suggest(unknown, _KINDS) if unknown else ""
    node.error(f"a task has exactly one of {', '.join(_KINDS)}{hint}", "task-kind", at_key=True)
    return None


def _read_do(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "do")
    return DoTask(**base, do=fields.read("do", read_task_list, ()))


def _read_set(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "set")
    value = fields.node_of("set")
    if not is_map(value.value) and not is_expression(value.value):
        value.wrong_type("a map or a ${ } expression")
    elif value.value == {}:
        value.error("'set' has at least one key", "empty")
    return SetTask(**base, value=read_data(value))


def _read_switch(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "switch")
    node = fields.node_of("switch")
    cases: list[SwitchCase] = []
    for item in node.items():
        if not is_map(item.value) or len(item.value) != 1:
            item.error("an item of a switch is a map with exactly one key, the case's name", "item")
            continue
        cases.extend(_read_case(name, case, scope) for name, case in item.members())
    if not cases and node.value == []:
        node.error("a switch has at least one case", "empty")
    if sum(case.when is None for case in cases) > 1:
        node.error("only one case may stand without 'when'", "choice")
    return SwitchTask(**base, cases=tuple(cases))


def _read_case(name: str, node: Node, scope: Scope) -> SwitchCase:
    fields = Fields(node, ("when", "then"), ("then",))
    then = fields.read("then", lambda member: read_then(member, scope), _NOTHING)
    return SwitchCase(name=name, then=then, when=fields.read("when", read_condition, None))


def _read_for(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "for")
    if not fields.has("do"):
        fields.node.error("a 'for' task needs the key 'do'", "missing-key", at_key=True)
    loop = Fields(fields.node_of("for"), ("each", "in", "at"), ("in",))
    return ForTask(
        **base,
        in_=loop.read("in", _read_collection, None),
        do=fields.read("do", read_task_list, ()),
        each=loop.read("each", read_variable, "item"),
        at=loop.read("at", read_variable, "index"),
        while_=fields.read("while", read_condition, None),
    )


def _read_collection(node: Node) -> Json:
    if is_list(node.value):
        return read_data(node)
    if isinstance(node.value, str):
        return read_condition(node)
    node.wrong_type("an expression or a list")
    return None


def _read_fork(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "fork")
    fork = Fields(fields.node_of("fork"), ("branches", "compete"), ("branches",))
    compete = fork.read("compete", read_boolean, False)
    return ForkTask(**base, branches=fork.read("branches", read_branches, ()), compete=compete)


def _read_raise(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "raise")
    raised = Fields(fields.node_of("raise"), ("error",), ("error",))
    return RaiseTask(**base, error=read_error(raised.node_of("error")))


def _read_try(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "try")
    if not fields.has("catch"):
        fields.node.error("a 'try' task needs the key 'catch'", "missing-key", at_key=True)
    return TryTask(
        **base,
        try_=fields.read("try", read_task_list, ()),
        catch=fields.read("catch", lambda node: read_catch(node, scope, read_task_list), Catch()),
    )


def _read_wait(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "wait")
    return WaitTask(**base, wait=read_duration(fields.node_of("wait")))


def _read_emit(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "emit")
    emit = Fields(fields.node_of("emit"), ("event",), ("event",))
    event = Fields(emit.node_of("event"), ("with",), ("with",), open_=True)
    properties: dict[str, Json] = {}
    if event.has("with"):
        attributes = event.node_of("with")
        properties = read_event_properties(attributes, filter_=False)
        if "type" not in properties:
            attributes.error("an event needs the attribute 'type'", "missing-key", at_key=True)
    return EmitTask(**base, event=properties)


def _read_listen(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    _note(fields, "listen")
    listen = Fields(fields.node_of("listen"), ("to", "read"), ("to",))
    return ListenTask(
        **base,
        to=read_strategy(listen.node_of("to")),
        read=listen.read("read", read_read_as, "data"),
        foreach=fields.read("foreach", read_foreach, None),
    )


def read_foreach(node: Node) -> Foreach:
    node.reading.note("listen-foreach", node.pointer)
    fields = Fields(node, ("item", "at", "do", "output", "export"))
    return Foreach(
        item=fields.read("item", read_variable, "item"),
        at=fields.read("at", read_variable, "index"),
        do=fields.read("do", read_task_list, None),
        output=fields.read("output", read_output, None),
        export=fields.read("export", read_output, None),
    )


def _read_run(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    run, awaits = read_run(fields.node_of("run"))
    return RunTask(**base, run=run, await_=awaits)


def _read_call(fields: Fields, scope: Scope, base: dict[str, Any]) -> Task:
    return CallTask(**base, call=read_call(fields))


def _note(fields: Fields, construct: str) -> None:
    fields.node.reading.note(construct, fields.node.pointer)


_Reader = Callable[[Fields, Collection[str], dict[str, Any]], Task]

_KINDS: Final = MappingProxyType[str, tuple[tuple[str, ...], _Reader]](
    {
        "call": (("with",), _read_call),
        "do": ((), _read_do),
        "emit": ((), _read_emit),
        "for": (("while", "do"), _read_for),
        "fork": ((), _read_fork),
        "listen": (("foreach",), _read_listen),
        "raise": ((), _read_raise),
        "run": ((), _read_run),
        "set": ((), _read_set),
        "switch": ((), _read_switch),
        "try": (("catch",), _read_try),
        "wait": ((), _read_wait),
    }
)

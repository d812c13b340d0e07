"""Readers of `run` tasks: workflows, and processes that load but do not run yet."""

from typing import Final, Literal

from penstock.model.plain_data import is_map
from penstock.model.readers.data_flow import read_resource
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.values import (
    is_expression,
    read_boolean,
    read_choice,
    read_data,
    read_dns_label,
    read_duration,
    read_name,
    read_object,
    read_semver,
    read_value_text,
)
from penstock.model.tasks import RunProcess, RunWorkflow

Process = Literal["container", "script", "shell"]

_KINDS: Final = ("container", "script", "shell", "workflow")
_RETURNS: Final = ("stdout", "stderr", "code", "all", "none")
_LATEST: Final = "latest"


def read_run(node: Node) -> tuple[RunWorkflow | RunProcess, bool]:
    """What runs, and whether the task waits for it."""
    fields = Fields(node, (*_KINDS, "await", "return"))
    awaits = fields.read("await", read_boolean, True)
    returned = fields.read("return", lambda member: read_choice(member, _RETURNS), "stdout")
    kinds = [kind for kind in _KINDS if fields.has(kind)]
    if len(kinds) != 1:
        if is_map(node.value):
            node.error("a run task runs exactly one of container, script, shell, workflow", "choice")
        return RunWorkflow(namespace="", name="", version=_LATEST), awaits
    settings = fields.node_of(kinds[0])
    node.reading.note(f"run-{kinds[0]}", node.pointer)
    match kinds[0]:
        case "workflow":
            return _read_workflow(settings), awaits
        case "container":
            _check_container(settings)
            return RunProcess(kind="container", settings=settings.value, return_=returned), awaits
        case "script":
            _check_script(settings)
            return RunProcess(kind="script", settings=settings.value, return_=returned), awaits
        case _:
            _check_shell(settings)
            return RunProcess(kind="shell", settings=settings.value, return_=returned), awaits


def _read_workflow(node: Node) -> RunWorkflow:
    fields = Fields(node, ("namespace", "name", "version", "input"), ("namespace", "name"))
    return RunWorkflow(
        namespace=fields.read("namespace", read_dns_label, ""),
        name=fields.read("name", read_dns_label, ""),
        version=fields.read("version", _read_version, _LATEST),
        input=fields.read("input", read_data, None),
    )


def _read_version(node: Node) -> str:
    return _LATEST if node.value == _LATEST else read_semver(node)


def _check_container(node: Node) -> None:
    keys = (
        "image", "name", "command", "ports", "volumes", "environment", "stdin", "arguments", "lifetime",
        "pullPolicy",
    )  # fmt: skip
    fields = Fields(node, keys, ("image",))
    fields.read("image", read_name, "")
    for key in ("name", "command", "stdin"):
        fields.read(key, read_value_text, "")
    for key in ("ports", "volumes", "environment"):
        fields.read(key, _read_map, None)
    fields.read("arguments", _read_arguments, None)
    fields.read("lifetime", _check_lifetime, None)
    fields.read("pullPolicy", lambda member: read_choice(member, ("ifNotPresent", "always", "never")), "")


def _check_lifetime(node: Node) -> None:
    fields = Fields(node, ("cleanup", "after"), ("cleanup",))
    cleanup = fields.read("cleanup", lambda member: read_choice(member, ("always", "never", "eventually")), "")
    fields.read("after", read_duration, None)
    if (cleanup == "eventually") != fields.has("after"):
        node.error("'after' goes with 'cleanup: eventually', and only with it", "choice")


def _check_script(node: Node) -> None:
    keys = ("language", "code", "source", "stdin", "arguments", "environment")
    fields = Fields(node, keys, ("language",))
    if fields.has("code") == fields.has("source"):
        node.error("a script has either 'code' or 'source'", "choice")
    fields.read("language", read_name, "")
    for key in ("code", "stdin"):
        fields.read(key, read_value_text, "")
    fields.read("source", read_resource, None)
    fields.read("arguments", _read_arguments, None)
    fields.read("environment", _read_map, None)


def _check_shell(node: Node) -> None:
    fields = Fields(node, ("command", "stdin", "arguments", "environment"), ("command",))
    fields.read("command", read_name, "")
    fields.read("stdin", read_value_text, "")
    fields.read("arguments", _read_arguments, None)
    fields.read("environment", _read_map, None)


def _read_arguments(node: Node) -> None:
    """A list of texts, or the older map of named values."""
    if is_map(node.value) or is_expression(node.value):
        read_data(node)
        return
    for item in node.items():
        read_value_text(item)


def _read_map(node: Node) -> None:
    if is_expression(node.value) or read_object(node):
        read_data(node)

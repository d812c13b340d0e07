"""Reader of a whole document."""

import re
from typing import Final, Literal, cast

from penstock.model.plain_data import is_map
from penstock.model.readers.data_flow import read_input, read_output
from penstock.model.readers.events import read_read_as, read_strategy
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.policies import read_timeout
from penstock.model.readers.tasks import read_task_list
from penstock.model.readers.use import read_use
from penstock.model.readers.values import (
    read_choice,
    read_dns_label,
    read_duration,
    read_name,
    read_object,
    read_semver,
    read_text,
)
from penstock.model.workflow import Schedule, Use, Workflow, WorkflowIdentity

_KEYS: Final = ("document", "input", "use", "do", "timeout", "output", "schedule", "evaluate")
_DOCUMENT_KEYS: Final = ("dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata")
_CRON: Final = re.compile(r"[0-9A-Za-z*/,?#-]+(\s+[0-9A-Za-z*/,?#-]+){4,5}")


def read_workflow(node: Node) -> Workflow:
    """The document; a stand-in when errors were reported."""
    fields = Fields(node, _KEYS, ("document", "do"))
    document = (
        Fields(fields.node_of("document"), _DOCUMENT_KEYS, _DOCUMENT_KEYS[:4]) if fields.has("document") else None
    )
    use = fields.read("use", read_use, Use())
    return Workflow(
        identity=_read_identity(document),
        dsl=document.read("dsl", _read_dsl, "") if document else "",
        definition=fields.values,
        do=fields.read("do", read_task_list, ()),
        title=document.read("title", read_text, "") if document else "",
        summary=document.read("summary", read_text, "") if document else "",
        tags=document.read("tags", read_object, {}) if document else {},
        metadata=document.read("metadata", read_object, {}) if document else {},
        input=fields.read("input", read_input, None),
        output=fields.read("output", read_output, None),
        use=use,
        timeout=fields.read("timeout", read_timeout, None),
        schedule=fields.read("schedule", _read_schedule, None),
        mode=fields.read("evaluate", _read_evaluate, "strict"),
    )


def _read_identity(document: Fields | None) -> WorkflowIdentity:
    if document is None:
        return WorkflowIdentity("", "", "")
    return WorkflowIdentity(
        document.read("namespace", read_dns_label, ""),
        document.read("name", read_dns_label, ""),
        document.read("version", read_semver, ""),
    )


def _read_dsl(node: Node) -> str:
    version = read_semver(node)
    if version and version.partition(".")[0] not in ("1", "") and isinstance(node.value, str):
        node.error(f"DSL version {version[:40]!r} is not supported; this is a reader of 1.x", "dsl-version")
    return version


def _read_schedule(node: Node) -> Schedule:
    fields = Fields(node, ("every", "cron", "after", "on", "read"))
    node.reading.note("schedule", node.pointer)
    if is_map(node.value) and not any(fields.has(key) for key in ("every", "cron", "after", "on")):
        node.error("a schedule has at least one of every, cron, after, on", "empty")
    if fields.has("read") and not fields.has("on"):
        fields.node_of("read").error("'read' goes with 'on' only", "choice", at_key=True)
    return Schedule(
        every=fields.read("every", read_duration, None),
        cron=fields.read("cron", _read_cron, None),
        after=fields.read("after", read_duration, None),
        on=fields.read("on", read_strategy, None),
        read=fields.read("read", read_read_as, "data"),
    )


def _read_cron(node: Node) -> str:
    text = read_name(node)
    if text and not _CRON.fullmatch(text.strip()):
        node.error(f"{text[:80]!r} is no cron expression of five or six fields", "cron")
    return text


def _read_evaluate(node: Node) -> Literal["strict", "loose"]:
    fields = Fields(node, ("language", "mode"))
    if fields.read("language", read_name, "jq") not in ("jq", ""):
        node.reading.note("evaluate-language", fields.node_of("language").pointer)
    mode = fields.read("mode", lambda member: read_choice(member, ("strict", "loose")), "strict")
    if mode == "loose":
        node.reading.note("evaluate-loose", fields.node_of("mode").pointer)
    return cast(Literal["strict", "loose"], mode)

"""Parameters that several endpoints have."""

from typing import Final

from penstock.model.limits import DEFAULT_PAGE_ITEMS, MAX_HTTP_WAIT_MS, MAX_LABELS, MAX_PAGE_ITEMS
from penstock.server.endpoints import Parameter
from penstock.server.schemas import DNS_LABEL, INSTANT, NAME, RUN_ID, TEXT, VERSION

RUN: Final = Parameter("id", "path", RUN_ID, "The run's id")
NAMESPACE: Final = Parameter("namespace", "path", DNS_LABEL, "The workflow's namespace")
WORKFLOW: Final = Parameter("name", "path", DNS_LABEL, "The workflow's name")
PATH_VERSION: Final = Parameter("version", "path", VERSION, "A semantic version, or latest")
QUERY_VERSION: Final = Parameter("version", "query", VERSION, "A semantic version; latest when absent")
TOOL: Final = Parameter("name", "path", NAME, "The tool's name")
SECRET: Final = Parameter("name", "path", NAME, "The secret's name")
LIMIT: Final = Parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ITEMS, "default": DEFAULT_PAGE_ITEMS},
    "How many items at most",
)
CURSOR: Final = Parameter("cursor", "query", TEXT, "The next_cursor of the page before")
WAIT: Final = Parameter(
    "wait",
    "query",
    {"type": "number", "minimum": 0, "maximum": 999_999_999},
    f"Wait so many seconds for the end, {MAX_HTTP_WAIT_MS // 1000} at most",
)
LABEL: Final = Parameter(
    "label",
    "query",
    {"type": "string", "pattern": "^[^:\\x00]{1,255}:[^\\x00]{0,255}$"},
    f"key:value, up to {MAX_LABELS} times",
    repeatable=True,
)
AT: Final = Parameter("at", "query", INSTANT, "Start then, not now")
SINCE: Final = Parameter("since", "query", INSTANT, "Created then or later")
UNTIL: Final = Parameter("until", "query", INSTANT, "Created before")
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "The same key with the same body is the same run; with another body 409",
)
LAST_EVENT_ID: Final = Parameter("Last-Event-ID", "header", TEXT, "Go on after this event of the stream")

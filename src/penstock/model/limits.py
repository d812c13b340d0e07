"""Every limit of the engine by name. Sizes in bytes, times in milliseconds, unless the name says otherwise."""

from typing import Final

MAX_DOCUMENT_BYTES: Final = 1024 * 1024  # a workflow document, as text
MAX_DOCUMENT_DEPTH: Final = 100  # nesting of maps and lists in a document
MAX_DOCUMENT_NODES: Final = 100_000  # scalars, maps and lists of a document, aliases expanded
MAX_TASKS: Final = 10_000  # tasks of one workflow, nested ones included
MAX_BODY_BYTES: Final = 1024 * 1024  # an HTTP request body
MAX_VALUE_BYTES: Final = 256 * 1024  # one JSON value in a run: input, output, context, variable
MAX_JSON_DEPTH: Final = 512  # nesting of a JSON value
INLINE_VALUE_BYTES: Final = 4096  # larger values are stored once, by content hash
MAX_TASKS_PER_STEP: Final = 2_000  # task entries before a run lets the others go on
MAX_EXPRESSION_BYTES_PER_STEP: Final = 16 * 1024 * 1024  # expression input before a run lets the others go on
MAX_ROUNDS_PER_STEP: Final = 64  # worker evaluations, one after the other, before a run lets the others go on
MAX_FRAMES: Final = 20_000  # task runs alive at once in one run
MAX_RUN_DEPTH: Final = 32  # runs that start runs that start runs
MAX_WAIT_MS: Final = 100 * 366 * 24 * 3600 * 1000  # the longest duration: a hundred years
MAX_LISTEN_EVENTS: Final = 10_000  # events that one listen task collects
MAX_RETRIES: Final = 10_000  # retries of one try task when its policy names no count
CALL_TIMEOUT_MS: Final = 5 * 60 * 1000  # a call whose task names no timeout
EVENT_TTL_MS: Final = 60 * 1000  # how long an event waits for a listener that comes late
MAX_EVENT_TTL_MS: Final = 24 * 3600 * 1000  # the most that `penstockttl` can ask for
MAX_EXPRESSION_BYTES: Final = 16 * 1024  # the text of one runtime expression
MAX_EXPRESSION_DEPTH: Final = 64  # brackets and interpolations inside one another in one expression
MAX_NATIVE_GROWTH: Final = 64  # an expression whose result could be more times its input goes to a worker
MAX_COMPILED_EXPRESSIONS: Final = 4096  # compiled expressions kept in memory
MAX_SCHEMA_ERRORS: Final = 5  # errors that one failed schema validation reports
MAX_DIAGNOSTICS: Final = 200  # findings listed for one document
MAX_SCHEMA_MESSAGE_CHARS: Final = 300  # one message of a failed schema validation, which may quote the value
MAX_SCHEMA_PATTERN_BYTES: Final = 1024 * 1024  # a compiled regular expression of a JSON Schema

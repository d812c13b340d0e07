"""What happened, for people and subscribers. A fact is a lifecycle event of the DSL in compact form.

`io.serverlessworkflow.workflow.<verb>.v1` and `io.serverlessworkflow.task.<verb>.v1` are made from them by
`penstock.kernel.lifecycle`. `task.skipped`, and what tells of tools that take work by event, are Penstock's own:
- `task.offered` `{"capability", "tools", "call", "start_by"?}`;
- `task.tool_started` `{"tool", "token", "supersedes"?}`;
- `task.progress` `{"tool", "token", "data"}`, or `bytes` for data that is too large to be repeated;
- `task.tool_finished` `{"tool", "token", "status", "result", "message"?}`;
- `task.superseded` `{"tool", "token", "said", "reason"}`, an answer under a lease that is not the newest;
- `task.ignored` `{"tool", "token", "said", "reason"}`, an answer that came twice, too late or from a stranger.
"""

from typing import Literal

import msgspec

from penstock.errors import Fault
from penstock.kernel.values import Value
from penstock.model.json_value import Json

FactType = Literal[
    "run.started",
    "run.suspended",
    "run.resumed",
    "run.correlation-started",
    "run.correlation-completed",
    "run.cancelled",
    "run.faulted",
    "run.completed",
    "task.created",
    "task.started",
    "task.suspended",
    "task.resumed",
    "task.retried",
    "task.cancelled",
    "task.faulted",
    "task.completed",
    "task.skipped",
    "task.offered",
    "task.tool_started",
    "task.progress",
    "task.tool_finished",
    "task.superseded",
    "task.ignored",
]


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`entry`, `reference`, `name`, `path` and `attempt` are 0 or empty for facts of the run itself.

    `output` is the transformed output of what completed, `context` the run's new context if the task exported,
    `fault` why it faulted, `detail` a few words or values for people.
    """

    type: FactType
    at: int
    entry: int = 0
    reference: str = ""
    name: str = ""
    path: tuple[int, ...] = ()
    attempt: int = 0
    output: Value | None = None
    fault: Fault | None = None
    context: Value | None = None
    detail: Json = None

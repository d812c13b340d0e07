"""Every task kind by name. A new kind is one new file and one line here."""

from collections.abc import Mapping
from typing import Final

from penstock.kernel.tasks.calling import CallKindOfTask, RunKind
from penstock.kernel.tasks.kind import TaskKind
from penstock.kernel.tasks.listen import ListenKind
from penstock.kernel.tasks.nested import DoKind, ForKind, ForkKind
from penstock.kernel.tasks.retrying import TryKind
from penstock.kernel.tasks.root import RootKind
from penstock.kernel.tasks.simple import EmitKind, RaiseKind, SetKind, SwitchKind
from penstock.kernel.tasks.waiting import WaitKind
from penstock.model.json_value import Json

KINDS: Final[Mapping[str, TaskKind[Json]]] = {
    "workflow": RootKind(),
    "do": DoKind(),
    "set": SetKind(),
    "switch": SwitchKind(),
    "for": ForKind(),
    "fork": ForkKind(),
    "try": TryKind(),
    "raise": RaiseKind(),
    "wait": WaitKind(),
    "call": CallKindOfTask(),
    "emit": EmitKind(),
    "listen": ListenKind(),
    "run": RunKind(),
}

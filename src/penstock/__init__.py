"""Penstock: a durable, event-driven workflow engine.

`from penstock import Engine` runs one inside a program; the names are those of `penstock.sdk`, loaded when they are
first asked for, because the command line needs none of them.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from penstock.sdk import Deployed, Engine, Run, RunCancelled, RunFaulted, ToolError

__version__: Final = "0.1.0"

__all__ = ["Deployed", "Engine", "Run", "RunCancelled", "RunFaulted", "ToolError", "__version__"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from penstock import sdk  # noqa: PLC0415 - late on purpose: it takes most of a second

    return getattr(sdk, name)

"""What nodes of one store tell each other after their commits, to spare everybody polling.

A notice is a hint: it can be lost, doubled or late, and whoever gets one reads the store. Slow sweeps find what a
lost notice would have said.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec


class _Notice(msgspec.Struct, frozen=True, tag_field="t", array_like=False):
    """Base of all notices."""


class InboxFilled(_Notice, frozen=True, tag="inbox"):
    """Messages were put into inboxes. `seqs` are their numbers, for everybody: a node takes those of its runs. None
    of them named: look at everything."""

    seqs: tuple[int, ...] = ()


class EventsCame(_Notice, frozen=True, tag="events"):
    """Events were stored."""


class RunsDue(_Notice, frozen=True, tag="due"):
    """Runs that their node does not know yet, or whose deadline changed outside it, have something to do now."""

    run_ids: tuple[str, ...]


class RunWatched(_Notice, frozen=True, tag="watched"):
    """A client of `node` waits for this run: whoever holds it tells when it moves, for a while."""

    node: str
    run_id: str


class RunMoved(_Notice, frozen=True, tag="moved"):
    """A run that somebody watches has moved."""

    run_id: str


class RegistryChanged(_Notice, frozen=True, tag="registry"):
    """Tools, secrets or API tokens were changed."""

    what: Literal["tools", "secrets", "tokens"]


class WorkOffered(_Notice, frozen=True, tag="work"):
    """These tools can lease work that they could not lease before, or have pushes to be tried anew. None of them named:
    look at everything."""

    tools: tuple[str, ...] = ()


class SharesChanged(_Notice, frozen=True, tag="shares"):
    """A node came or left, or released partitions: renew soon."""


Notice: TypeAlias = (
    InboxFilled | EventsCame | RunsDue | RunWatched | RunMoved | RegistryChanged | WorkOffered | SharesChanged
)
Heed: TypeAlias = Callable[[Notice], None]
"""Called in the event loop; must not wait."""

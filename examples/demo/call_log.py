"""Which calls the services received, by idempotency key: the view from outside on what the engine did."""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class CallLog:
    """What was called. A key that comes again is the same call sent again, not a second one."""

    received: int = 0
    answered: int = 0
    without_key: int = 0
    seen: Counter[str] = field(default_factory=Counter[str])
    """How often each key came."""
    purposes: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """For each key the different things that were asked under it; more than one would be a mistake."""

    milestones: dict[int, asyncio.Event] = field(default_factory=dict[int, asyncio.Event])

    def receive(self, key: str, path: str, body: bytes) -> None:
        self.received += 1
        if not key:
            self.without_key += 1
            return
        self.seen[key] += 1
        self.purposes.setdefault(key, set()).add(f"{path} {hashlib.sha256(body).hexdigest()}")

    def answer(self) -> None:
        self.answered += 1
        if self.answered in self.milestones:
            self.milestones.pop(self.answered).set()

    async def reached(self, answered: int) -> None:
        """Returns once that many calls were answered."""
        if self.answered < answered:
            await self.milestones.setdefault(answered, asyncio.Event()).wait()

    @property
    def under_way(self) -> int:
        return self.received - self.answered

    @property
    def repeated(self) -> int:
        """How many calls came under a key that had come before."""
        return sum(self.seen.values()) - len(self.seen)

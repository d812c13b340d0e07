"""Expression workers without processes: libjq in this one, for expressions of our own only."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from typing import Protocol, cast

import jq
import msgspec

from penstock.model.json_value import Json
from penstock.runtime.workers import Evaluated, Evaluation, EvaluationFailed, EvaluationResult


class _Program(Protocol):
    def input_text(self, text: str) -> Iterable[Json]: ...


class SimulatedWorkers:
    """Implements `penstock.runtime.evaluate.Workers`; `pause` is what goes on between question and answer."""

    def __init__(self, pause: Callable[[], Awaitable[None]]) -> None:
        self._pause = pause

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def stop(self) -> None:
        await asyncio.sleep(0)

    async def check(self, texts: Sequence[str]) -> list[str | None]:
        """None for all: a broken expression of a generated workflow would fail when it runs."""
        await self._pause()
        return [None for _ in texts]

    async def evaluate(self, batch: Sequence[Evaluation]) -> list[EvaluationResult]:
        await self._pause()
        found: list[EvaluationResult] = []
        for one in batch:
            variables = tuple(sorted((name, value) for name, value in one.variables.items()))
            found.append(_evaluate(one.text, one.dot, variables))
        return found


@lru_cache(maxsize=1024)
def _evaluate(text: str, dot: bytes, variables: tuple[tuple[str, bytes], ...]) -> EvaluationResult:
    given: dict[str, Json] = {name: msgspec.json.decode(value) for name, value in variables}
    try:
        program = cast("_Program", jq.compile(text, args=given))  # pyright: ignore[reportUnknownMemberType]
        value = next(iter(program.input_text(dot.decode())), None)
    except ValueError as error:
        return EvaluationFailed("expression", str(error))
    return Evaluated(msgspec.json.encode(value))

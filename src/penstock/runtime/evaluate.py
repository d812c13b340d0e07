"""Evaluates for the kernel what it cannot evaluate itself: libjq in workers, and whatever names secrets.

The only place, with the dispatch of calls, where expressions meet secrets.
"""

import asyncio
import copy
import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from penstock.errors import AUTHORIZATION, EXPRESSION, Fault
from penstock.expressions import ExpressionError, compile_expression
from penstock.kernel.needs import Answer, Need
from penstock.kernel.values import Value
from penstock.model.json_value import Json
from penstock.model.limits import MAX_VALUE_BYTES
from penstock.model.workflow import Workflow
from penstock.runtime.metrics import Metrics
from penstock.runtime.placing import place as put_in
from penstock.runtime.secret_values import Secrets
from penstock.runtime.workers import Evaluated, Evaluation, EvaluationResult
from penstock.tools.authentication import authorization_of

_SECRET: Final = re.compile(r"\$secrets?\s*(?:\.\s*\"?([A-Za-z_][\w-]*)\"?|\.?\s*\[\s*\"([^\"\\]+)\"\s*\])")
_encode: Final = msgspec.json.Encoder().encode


class Workers(Protocol):
    """What evaluates outside this process: `ExpressionWorkers`, or their like in a simulation."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def check(self, texts: Sequence[str]) -> list[str | None]:
        """What is wrong with each expression, None where it compiles."""
        ...

    async def evaluate(self, batch: Sequence[Evaluation]) -> list[EvaluationResult]:
        """One result per expression, in order. Raises `InfrastructureError` when they cannot be taken now."""
        ...


class Evaluator:
    """Answers needs. Starts the worker processes when the first expression asks for one."""

    def __init__(self, workers: Workers, secrets: Secrets, metrics: Metrics) -> None:
        self._workers = workers
        self._secrets = secrets
        self._metrics = metrics
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the workers unless they run."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._workers.start())
        await asyncio.shield(self._starting)

    async def stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            await self._workers.stop()

    async def check(self, texts: Sequence[str]) -> list[str | None]:
        """What is wrong with each expression, None where it compiles."""
        if not texts:
            return []
        await self.start()
        return await self._workers.check(texts)

    async def answers(self, requests: Sequence[tuple[Workflow, Need]]) -> list[Answer]:
        """One answer per need, in order. Raises `InfrastructureError` when the workers cannot take them now."""
        found: list[Value | Fault | None] = [None] * len(requests)
        remote: list[tuple[int, Evaluation]] = []
        for place, (workflow, need) in enumerate(requests):
            ready = await self._ready(workflow, need)
            if isinstance(ready, Evaluation):
                remote.append((place, ready))
            else:
                found[place] = ready
        for (place, _), value in zip(remote, await self.evaluate([one for _, one in remote]), strict=True):
            found[place] = value
        return [_answer(need, found[place]) for place, (_, need) in enumerate(requests)]

    async def evaluate(self, batch: Sequence[Evaluation]) -> list[Value | Fault]:
        """Evaluates in workers."""
        if not batch:
            return []
        await self.start()
        self._metrics.evaluations.inc(len(batch))
        return [_outcome(result) for result in await self._workers.evaluate(batch)]

    async def value_of(
        self, text: str, dot: Value, variables: Mapping[str, Value], workflow: Workflow | None = None
    ) -> Value | Fault:
        """One expression, natively when it can be; with the secrets of `workflow` when it names them."""
        ready = self._prepared(text, dot, variables, workflow, {})
        if isinstance(ready, Evaluation):
            ready = (await self.evaluate([ready]))[0]
        return _discreet(ready) if workflow is not None and isinstance(ready, Fault) else ready

    def native(self, text: str, dot: Json, variables: Mapping[str, Json]) -> Value | Fault | None:
        """The value of a native expression; None when it must go to a worker."""
        try:
            expression = compile_expression(text)
            return _sized(Value(expression.evaluate(dot, variables))) if expression.native else None
        except ExpressionError as error:
            return expression_fault(error.message)

    async def _ready(self, workflow: Workflow, need: Need) -> Value | Fault | Evaluation:
        extra: dict[str, Json] = {}
        if need.authorization is not None:
            authorization = await self._authorization(workflow, need)
            if isinstance(authorization, Fault):
                return authorization
            extra["authorization"] = authorization
        return self._prepared(need.expression, need.dot, need.variables, workflow if need.secrets else None, extra)

    def _prepared(
        self,
        text: str,
        dot: Value,
        variables: Mapping[str, Value],
        workflow: Workflow | None,
        extra: dict[str, Json],
    ) -> Value | Fault | Evaluation:
        if workflow is not None:
            if (fault := self.missing_secret(text, workflow)) is not None:
                return fault
            secrets = self._secrets.visible_to(workflow)
            extra = extra | {"secrets": secrets, "secret": secrets}
        try:
            expression = compile_expression(text)
        except ExpressionError as error:
            return expression_fault(error.message)
        if expression.native:
            given = {name: value.data for name, value in variables.items()} | extra
            return self.native(text, dot.data, given) or expression_fault("cannot be evaluated")
        named = {name: value.json for name, value in variables.items()}
        named |= {name: _encode(value) for name, value in extra.items() if name in expression.names}
        return Evaluation(text, dot.json, named)

    def missing_secret(self, text: str, workflow: Workflow) -> Fault | None:
        """authorization/403 for the first secret that the text names and the workflow may not see (DSL, "Secret")."""
        for match in _SECRET.finditer(text):
            name = match.group(1) or match.group(2)
            if (reason := self._secrets.reason_against(name, workflow)) is not None:
                return Fault(AUTHORIZATION, 403, "Secret not available", reason)
        return None

    async def _authorization(self, workflow: Workflow, need: Need) -> Json | Fault:
        """`$authorization`, from the policy with its deferred texts filled in."""
        policy = copy.deepcopy(need.authorization)
        for deferred in need.deferred:
            value = await self.value_of(deferred.expression, deferred.dot, deferred.variables, workflow)
            fault = value if isinstance(value, Fault) else put_in(policy, deferred.pointer, value.data)
            if fault is not None:
                return fault
        found = authorization_of(policy, lambda name: self._secrets.value_for(name, workflow))
        if isinstance(found, Fault):
            return found
        return {"scheme": found.scheme, "parameter": found.parameter}


def _answer(need: Need, found: Value | Fault | None) -> Answer:
    if isinstance(found, Fault):
        discreet = need.secrets or need.authorization is not None
        return Answer(need.key, fault=_discreet(found) if discreet else found)
    return Answer(need.key, value=found)


def _discreet(fault: Fault) -> Fault:
    """The failure of an expression with secrets, without its words: they may quote a secret, or a part of one."""
    if fault.type != EXPRESSION:
        return fault
    return expression_fault("the expression failed; it uses secrets, so that its message is withheld")


def _outcome(result: EvaluationResult) -> Value | Fault:
    if isinstance(result, Evaluated):
        return Value(json=result.value)
    return expression_fault(result.message)


def _sized(value: Value) -> Value | Fault:
    return value if value.size <= MAX_VALUE_BYTES else expression_fault(f"gives more than {MAX_VALUE_BYTES} bytes")


def expression_fault(detail: str) -> Fault:
    return Fault(EXPRESSION, 400, "Expression error", detail)

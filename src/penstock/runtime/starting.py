"""Starting runs from outside: idempotent by key, with labels, now or later."""

from hashlib import blake2b
from typing import Final

import msgspec

from penstock.errors import CallerError, Conflict, InfrastructureError, TooLarge
from penstock.kernel.ids import run_id
from penstock.kernel.messages import ResumePoint, Started
from penstock.kernel.values import Value
from penstock.model.json_value import Json, check_json
from penstock.model.limits import MAX_LABELS, MAX_NAME_CHARACTERS, MAX_START_DELAY_MS, MAX_VALUE_BYTES
from penstock.model.workflow import WorkflowIdentity
from penstock.runtime.clock import Clock, Ids
from penstock.runtime.definitions import Definitions
from penstock.runtime.mail import Origin, TurnResult
from penstock.runtime.shares import NotHeld, Shares
from penstock.runtime.turns import Turns
from penstock.store.protocol import Store
from penstock.store.rows import RunRow, StartKey

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Starting:
    """Answers only when the run is on disk."""

    def __init__(
        self, store: Store, shares: Shares, turns: Turns, definitions: Definitions, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._shares = shares
        self._turns = turns
        self._definitions = definitions
        self._clock = clock
        self._ids = ids

    async def start(
        self,
        identity: WorkflowIdentity,
        input: Json,  # noqa: A002 - the word of the API
        *,
        labels: dict[str, str],
        idempotency_key: str | None,
        at: int | None,
    ) -> str:
        """The id of the run, new or made earlier with the same key.

        Raises `NotFound` for an unknown workflow, `Conflict` for a key that was used with something else.
        """
        value = _checked(input)
        _check_labels(labels)
        now = self._clock.now_ms()
        if at is not None and at > now + MAX_START_DELAY_MS:
            raise CallerError("at: is too far in the future")
        new_id = self._new_id(now)
        key = None
        if idempotency_key is not None:
            # First of all: a start that was acknowledged is answered again, though its workflow was deleted since.
            key = self._key(identity, idempotency_key, value, labels, at, new_id)
            if (known := await self._store.start_key(key.namespace, key.name, key.key)) is not None:
                return _same(known, key)
        stored = await self._definitions.get(identity.namespace, identity.name, identity.version)
        found = WorkflowIdentity(stored.namespace, stored.name, stored.version)
        origin = Origin(labels=dict(labels), key=key, begin_at=at or 0)
        return await self._begin(Started(at=now, run_id=new_id, workflow=found, input=value), origin)

    async def retry(self, old: RunRow, started: Started, resume: ResumePoint | None) -> str:
        """The id of a new run that begins where `resume` says; None starts from the beginning."""
        now = self._clock.now_ms()
        new_id = self._new_id(now)
        message = Started(at=now, run_id=new_id, workflow=started.workflow, input=started.input, resume=resume)
        return await self._begin(message, Origin(labels=old.labels, retry_of=old.id))

    async def _begin(self, message: Started, origin: Origin) -> str:
        result = await self._asked(message, origin)
        if result.duplicate_of is not None:
            assert origin.key is not None
            return _same(result.duplicate_of, origin.key)
        if result.run is None:
            raise InfrastructureError("the run could not be started")
        return message.run_id

    async def _asked(self, message: Started, origin: Origin) -> TurnResult:
        """Begins the run; one that is not this engine's is only made, for its node to begin."""
        if self._shares.owns(message.run_id):
            try:
                return await self._turns.ask(message.run_id, message, origin)
            except NotHeld:
                pass  # nothing was done
        return await self._turns.ask(message.run_id, message, msgspec.structs.replace(origin, unowned=True))

    def _new_id(self, now: int) -> str:
        return run_id(now, self._shares.placed(self._ids.entropy()))

    def _key(
        self,
        identity: WorkflowIdentity,
        key: str,
        value: Value,
        labels: dict[str, str],
        at: int | None,
        new_id: str,
    ) -> StartKey:
        if not 0 < len(key) <= MAX_NAME_CHARACTERS:
            raise CallerError(f"Idempotency-Key: must have 1 to {MAX_NAME_CHARACTERS} characters")
        body = _encode([value.data, labels, at, identity.version])
        return StartKey(identity.namespace, identity.name, key, blake2b(body, digest_size=20).digest(), new_id)


def _same(known: StartKey, wanted: StartKey) -> str:
    if known.body_hash != wanted.body_hash:
        raise Conflict(f"the idempotency key {wanted.key!r} was used for another start")
    return known.run_id


def _checked(data: Json) -> Value:
    if (reason := check_json(data)) is not None:
        raise CallerError(f"the input {reason}")
    value = Value(data)
    if value.size > MAX_VALUE_BYTES:
        raise TooLarge(f"the input is larger than {MAX_VALUE_BYTES} bytes")
    return value


def _check_labels(labels: dict[str, str]) -> None:
    if len(labels) > MAX_LABELS:
        raise CallerError(f"label: a run has at most {MAX_LABELS} labels")
    for text in (text for label in labels.items() for text in label):
        if len(text) > MAX_NAME_CHARACTERS:
            raise CallerError(f"label: at most {MAX_NAME_CHARACTERS} characters")

"""Worker processes that evaluate the expressions outside the native subset, with hard limits.

libjq holds the interpreter lock, cannot be interrupted, may abort its process, and compiles hostile
constants for seconds; so it runs in processes that may be killed at any moment. What is enforced per
process: an empty environment but `TZ=UTC`, working directory `/`, limits on address space, CPU time, open
files and processes, no core dumps, no file writes; and from here a wall-clock limit per expression (kill
and replace). Not enforced by the system but by what libjq can do at all: it opens no connection, and the
only ways to read a file (`import`, `include`) are syntax errors where an expression stands.
"""

import asyncio
import contextlib
import importlib.util
import json
import struct
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from penstock.errors import InfrastructureError
from penstock.expressions import ExpressionError, compile_expression
from penstock.model import limits
from penstock.model.json_value import encoded_depth

_PROGRAM: Final = Path(__file__).resolve().with_name("jq_worker.py")
_READ_BYTES: Final = 256 * 1024
_GRACE_S: Final = 0.02
_START_S: Final = 30.0
_DYING_S: Final = 1.0
_MESSAGE_BYTES: Final = 16 * 1024

FailureReason: TypeAlias = Literal["expression", "timeout", "memory", "crash", "too_large"]


class Evaluation(msgspec.Struct, frozen=True):
    """One expression to evaluate: jq text, its input and the variables that it names, both as JSON.

    `text` is the text of a compiled `Expression`: balanced, and without forbidden names.
    """

    text: str
    dot: bytes
    variables: dict[str, bytes]


class Evaluated(msgspec.Struct, frozen=True, tag="evaluated"):
    """The first output as JSON, `null` when there was none; at most `value_bytes` and `MAX_JSON_DEPTH`."""

    value: bytes


class EvaluationFailed(msgspec.Struct, frozen=True, tag="failed"):
    """Why there is no value. `crash`: the process died twice, most often of too much memory or recursion.

    `message` may quote parts of the data, as libjq's messages do.
    """

    reason: FailureReason
    message: str


EvaluationResult: TypeAlias = Evaluated | EvaluationFailed


class WorkerLimits(msgspec.Struct, frozen=True):
    """What one evaluation may use."""

    evaluation_ms: int = limits.EVALUATION_MS
    memory_bytes: int = limits.EVALUATION_MEMORY_BYTES
    value_bytes: int = limits.MAX_VALUE_BYTES


DEFAULT_LIMITS: Final = WorkerLimits()


class WorkersBusy(InfrastructureError):
    """More expressions wait than `limits.MAX_WAITING_EVALUATIONS`; try again later."""


class _Batch:
    """The answers of one call, complete when `done` is."""

    __slots__ = ("done", "missing", "results")

    def __init__(self, size: int) -> None:
        self.results: list[EvaluationResult | None] = [None] * size
        self.missing = size
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, result: EvaluationResult) -> None:
        self.results[place] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)


class _Item:
    """One expression on its way; `message` is what the worker process gets."""

    __slots__ = ("alone", "batch", "message", "place", "spared")

    def __init__(self, batch: _Batch, place: int, message: tuple[str, str, list[str], bytes]) -> None:
        self.batch = batch
        self.place = place
        self.message = message
        self.alone = False
        self.spared = False


class ExpressionWorkers:
    """A fixed number of worker processes and the queue before them.

    Each process is owned by one task, which takes chunks off the queue, first come first served. When a
    process dies or makes no progress in time, it is replaced at once. The expression that it was at is a
    suspect: it is tried once more, alone; what fails alone has failed. The rest of the chunk is tried
    once more together; if that fails too, all of them are suspects.
    One process prefers fresh expressions, the others prefer suspects, so that neither keep the other
    waiting for longer than one expression may run.
    """

    def __init__(self, *, processes: int = 2, limits: WorkerLimits = DEFAULT_LIMITS) -> None:
        if processes < 2:
            raise ValueError("at least two worker processes are needed, so that a slow expression blocks nobody")
        self._processes = processes
        self._limits = limits
        self._chunks: deque[list[_Item]] = deque()
        self._suspects: deque[list[_Item]] = deque()
        self._waiting = 0
        self._wake = asyncio.Condition()
        self._slots: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the processes; returns when all of them answer. Raises `InfrastructureError`."""
        starts = (_Process.start(self._limits) for _ in range(self._processes))
        started = await asyncio.gather(*starts, return_exceptions=True)
        workers = [worker for worker in started if isinstance(worker, _Process)]
        self._slots = [asyncio.create_task(self._run_slot(worker, index > 0)) for index, worker in enumerate(workers)]
        for failure in started:
            if isinstance(failure, BaseException):
                await self.stop()
                raise failure

    async def stop(self) -> None:
        """Kill the processes. Calls that still wait are cancelled."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        self._slots = []
        for queue in (self._chunks, self._suspects):
            while queue:
                for item in queue.popleft():
                    item.batch.done.cancel()

    async def evaluate(self, batch: Sequence[Evaluation]) -> list[EvaluationResult]:
        """The results in the order of `batch`. Never raises for an author's mistake.

        Raises `WorkersBusy` when too many wait already.
        """
        return await self._submit([_message(evaluation) for evaluation in batch])

    async def check(self, texts: Sequence[str]) -> list[str | None]:
        """What is wrong with each expression, None when it compiles. Runs none of them."""
        answers: list[str | None] = [None] * len(texts)
        messages: list[tuple[str, str, list[str], bytes]] = []
        places: list[int] = []
        for place, text in enumerate(texts):
            try:
                names = compile_expression(text).names
            except ExpressionError as error:
                answers[place] = error.message
                continue
            messages.append(("c", text, sorted(names), b""))
            places.append(place)
        for place, result in zip(places, await self._submit(messages), strict=True):
            if isinstance(result, EvaluationFailed):
                answers[place] = result.message
        return answers

    async def _submit(self, messages: Sequence[tuple[str, str, list[str], bytes]]) -> list[EvaluationResult]:
        if not messages:
            return []
        if not self._slots:
            raise InfrastructureError("the expression workers are not running")
        if self._waiting + len(messages) > limits.MAX_WAITING_EVALUATIONS:
            raise WorkersBusy(f"{self._waiting} expressions wait for a worker")
        batch = _Batch(len(messages))
        items = [_Item(batch, place, message) for place, message in enumerate(messages)]
        self._waiting += len(items)
        try:
            async with self._wake:
                for start in range(0, len(items), limits.EVALUATION_CHUNK):
                    self._chunks.append(items[start : start + limits.EVALUATION_CHUNK])
                self._wake.notify(len(items))
            await batch.done
        finally:
            self._waiting -= len(items)
        return [result for result in batch.results if result is not None]

    async def _run_slot(self, worker: "_Process", suspects_first: bool) -> None:
        try:
            while True:
                async with self._wake:
                    await self._wake.wait_for(lambda: bool(self._chunks or self._suspects))
                    chunk = [item for item in self._take(suspects_first) if not item.batch.done.done()]
                worker = await self._run_chunk(worker, chunk)
        finally:
            await worker.kill()

    def _take(self, suspects_first: bool) -> list[_Item]:
        """A suspect, or as many fresh chunks as make up one: callers that come together share a round trip."""
        if self._suspects and (suspects_first or not self._chunks):
            return self._suspects.popleft()
        chunk = list(self._chunks.popleft())
        while self._chunks and len(chunk) + len(self._chunks[0]) <= limits.EVALUATION_CHUNK:
            chunk += self._chunks.popleft()
        return chunk

    async def _run_chunk(self, worker: "_Process", chunk: list[_Item]) -> "_Process":
        """Answer a chunk; the process to go on with, another one when this one had to be killed."""
        if not chunk:
            return worker
        reason = await worker.run(chunk, self._limits)
        if reason is None:
            return worker
        if chunk[0].alone:
            chunk[0].batch.settle(chunk[0].place, _ended(reason, self._limits))
        else:
            await self._try_again([item for item in chunk if item.batch.results[item.place] is None])
        await worker.kill()
        return await self._replace()

    async def _try_again(self, items: list[_Item]) -> None:
        """The first is most likely the culprit, so are those with its text; the others get one more try together."""
        text = items[0].message[1]
        spared: list[_Item] = []
        suspects: list[_Item] = []
        for item in items:
            item.alone = item.spared or item.message[1] == text
            item.spared = True
            (suspects if item.alone else spared).append(item)
        async with self._wake:
            self._suspects.extend([item] for item in suspects)
            if spared:
                self._chunks.append(spared)
            self._wake.notify(len(items))

    async def _replace(self) -> "_Process":
        """A fresh process; a start that fails (no memory, no process left) is tried again, a little later."""
        while True:
            try:
                return await _Process.start(self._limits)
            except InfrastructureError:
                await asyncio.sleep(1)


class _Process:
    """One worker process and its two pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._requests = process.stdin
        self._answers = process.stdout
        self._buffer = bytearray()

    @classmethod
    async def start(cls, limits: WorkerLimits) -> "_Process":
        """Start a process and wait until it answers. Raises `InfrastructureError`."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _PROGRAM, _settings(limits)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"TZ": "UTC"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise InfrastructureError(f"an expression worker cannot be started: {error}") from error
        worker = cls(process)
        try:
            first = _Item(_Batch(1), 0, ("e", ".", [], b"[null]"))
            worker._send([first])
            async with asyncio.timeout(_START_S):
                answered = await worker._read([first], 0, limits)
        except (OSError, TimeoutError):
            answered = 0
        except BaseException:
            await worker.kill()
            raise
        if not answered:
            await worker.kill()
            raise InfrastructureError("an expression worker does not answer")
        return worker

    async def kill(self) -> None:
        """End the process and reap it. One that has closed its pipe is dying: it is only waited for."""
        self._requests.close()
        if self._answers.at_eof():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DYING_S):
                    await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.kill()
        await asyncio.shield(self._process.wait())

    async def run(self, chunk: list[_Item], limits: WorkerLimits) -> Literal["timeout", "crash"] | None:
        """Answer the items in order; None when all are answered, else why the first unanswered one is not."""
        answered = 0
        try:
            self._send(chunk)
            while answered < len(chunk):
                read = await self._read_in_time(chunk, answered, limits)
                if not read:
                    return "crash" if read == 0 else "timeout"
                answered += read
        except OSError:
            return "crash"
        return None

    def _send(self, chunk: list[_Item]) -> None:
        """Hand over the whole chunk; the transport buffers it, bounded by the chunk and value limits."""
        body = msgspec.msgpack.encode([item.message for item in chunk])
        self._requests.write(struct.pack(">I", len(body)) + body)

    async def _read_in_time(self, chunk: list[_Item], answered: int, limits: WorkerLimits) -> int | None:
        """How many answers came, 0 when the process is gone, None when no progress came in time.

        After the time is up it looks once more: if this process was busy itself, the answer may lie there.
        """
        for seconds in (limits.evaluation_ms / 1000, _GRACE_S):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self._read(chunk, answered, limits)
        return None

    async def _read(self, chunk: list[_Item], answered: int, limits: WorkerLimits) -> int:
        """Settle the answers that come next, at least one; how many. 0 at the end of the pipe."""
        count = 0
        while not count:
            data = await self._answers.read(_READ_BYTES)
            if not data:
                return 0
            self._buffer += data
            start = 0
            while len(self._buffer) - start >= 4:
                (length,) = struct.unpack_from(">I", self._buffer, start)
                if not 0 < length <= limits.value_bytes + _MESSAGE_BYTES or answered + count == len(chunk):
                    raise OSError("the worker's answer is malformed")
                end = start + 4 + length
                if len(self._buffer) < end:
                    break
                item = chunk[answered + count]
                item.batch.settle(item.place, _result(bytes(self._buffer[start + 4 : end]), limits))
                count += 1
                start = end
            del self._buffer[:start]
        return count


def _message(evaluation: Evaluation) -> tuple[str, str, list[str], bytes]:
    names = sorted(evaluation.variables)
    payload = b",".join((evaluation.dot, *(evaluation.variables[name] for name in names)))
    return "e", evaluation.text, names, b"[" + payload + b"]"


def _settings(given: WorkerLimits) -> str:
    return json.dumps(
        {
            "paths": [str(_directory_of("jq")), str(_directory_of("msgspec").parent)],
            "memory_bytes": given.memory_bytes,
            "value_bytes": given.value_bytes,
            "cpu_s": given.evaluation_ms // 1000 + 1,
            "programs": limits.MAX_WORKER_PROGRAMS,
            "message_chars": limits.MAX_EXPRESSION_MESSAGE_CHARS,
        }
    )


def _directory_of(module: str) -> Path:
    """Where a library lies, without importing it here."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise InfrastructureError(f"the library {module} is not installed")
    return Path(found.origin).resolve().parent


def _result(answer: bytes, given: WorkerLimits) -> EvaluationResult:
    status, body = answer[:1], answer[1:]
    match status:
        case b"v":
            brackets = body.count(b"[") + body.count(b"{")
            if brackets > limits.MAX_JSON_DEPTH and encoded_depth(body) > limits.MAX_JSON_DEPTH:
                return EvaluationFailed("too_large", f"the value is nested deeper than {limits.MAX_JSON_DEPTH} levels")
            return Evaluated(body)
        case b"e":
            return EvaluationFailed("expression", body.decode(errors="replace"))
        case b"l":
            return EvaluationFailed("too_large", f"the value is larger than {given.value_bytes} bytes")
        case _:
            return EvaluationFailed("memory", "the expression needs too much memory")


def _ended(reason: Literal["timeout", "crash"], given: WorkerLimits) -> EvaluationFailed:
    if reason == "timeout":
        return EvaluationFailed("timeout", f"the expression ran longer than {given.evaluation_ms} ms")
    return EvaluationFailed("crash", "the expression used too much memory or nested too deeply, twice")

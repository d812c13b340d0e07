"""The program that an expression worker process runs: libjq over pipes, and nothing else.

It is started by path in an isolated interpreter (`-I -S`), so it imports only the standard library, `msgspec`
and `jq`; `workers.py` is its only client. It trusts what its parent sends, except the expressions.

Arguments: settings as JSON, see `Settings`.
Standard input: frames of a 4-byte big-endian length and a MessagePack list of items (kind, text, names,
payload): kind "e" evaluates, "c" only compiles; payload is a JSON array of the input and the values of the
names, in order.
Standard output: per item, in order, a frame of a 4-byte length, a status byte and UTF-8 bytes: `v` value as
JSON, `e` error message, `m` out of memory, `l` value too large. Frames leave when the list is done or after
`_FLUSH_S`, not one by one: waking the parent for each costs more than evaluating.

An expression runs as `. as [$__dot, $name…] | def …; $__dot | (text) | tojson`: variables are data, never
text, so a program compiles once per text and set of names, and large integers keep their digits on the
way through. Only the first output is computed; no output is `null`.
"""

import importlib
import json
import os
import re
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, Protocol

FORBIDDEN = (
    *(
        "env",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "input_filename",
        "input_line_number",
    ),
    *("modulemeta", "get_search_list", "localtime"),
)
"""Defined away although nobody may name them: the second lock behind the check of names."""

NOW_VARIABLE = "__now"
_OPEN_FILES = 16
_FLUSH_S = 0.001
_MISTAKE = re.compile(r"^jq: error: (.*) at <top-level>, line (\d+), column (\d+):$", re.MULTILINE)
"""One of libjq's complaints about a program: what, and where."""
_UNEXPECTED = re.compile(r"(?<=syntax error, unexpected )(?!end of file).*")
"""What a complaint says in the words of libjq's grammar: the kind of a token, and which kinds could stand there."""
_TOKEN = re.compile(r"\w+|\S")
_FEW = 2
"""Complaints that one message holds; the later ones are mostly consequences."""


class Settings(NamedTuple):
    """What the parent sets: sizes in bytes, CPU seconds per expression, directories of the libraries."""

    paths: list[str]
    memory_bytes: int
    value_bytes: int
    cpu_s: int
    programs: int
    message_chars: int


def main() -> None:
    settings = Settings(**json.loads(sys.argv[1]))
    sys.path.extend(settings.paths)
    # Found only now, because `-S` leaves the directories of the libraries out.
    jq, msgpack = importlib.import_module("jq"), importlib.import_module("msgspec.msgpack")
    _restrict(settings)
    _Worker(settings, jq.compile, msgpack.decode).serve(sys.stdin.buffer, sys.stdout.buffer)


def _restrict(settings: Settings) -> None:
    """Limits that the process cannot lift; the CPU limit is moved on by the worker between expressions."""
    os.chdir("/")
    for limit, value in (
        (resource.RLIMIT_AS, settings.memory_bytes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        # macOS knows the limit on address space and does not let anybody set it.
        if limit != resource.RLIMIT_AS or sys.platform != "darwin":
            resource.setrlimit(limit, (value, value))


class _Program(Protocol):
    """A compiled program of the `jq` library."""

    def input_text(self, text: str) -> Iterable[str]: ...


class _Worker:
    def __init__(
        self, settings: Settings, compile_program: Callable[[str], _Program], decode: Callable[[bytes], Any]
    ) -> None:
        self._settings = settings
        self._decode = decode
        self._compile = compile_program
        self._program = lru_cache(maxsize=settings.programs)(self._compile_wrapped)
        self._cpu_checked_s = -1

    def _compile_wrapped(self, text: str, names: tuple[str, ...]) -> _Program:
        return self._compile(_wrap(text, names))

    def serve(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Until the parent closes the pipe."""
        while header := requests.read(4):
            flushed_at = time.monotonic()
            for kind, text, names, payload in self._decode(requests.read(*struct.unpack(">I", header))):
                self._allow_cpu()
                status, body = self._answer(kind, text, tuple(names), payload)
                answers.write(struct.pack(">Ic", len(body) + 1, status) + body)
                if (now := time.monotonic()) - flushed_at > _FLUSH_S:
                    answers.flush()
                    flushed_at = now
            answers.flush()

    def _allow_cpu(self) -> None:
        used_s = int(time.process_time())
        if used_s != self._cpu_checked_s:
            self._cpu_checked_s = used_s
            resource.setrlimit(resource.RLIMIT_CPU, (used_s + self._settings.cpu_s + 1, resource.RLIM_INFINITY))

    def _answer(self, kind: str, text: str, names: tuple[str, ...], payload: bytes) -> tuple[bytes, bytes]:
        try:
            program = self._program(text, names)
            if kind == "c":
                return b"v", b"null"
            value = next(iter(program.input_text(payload.decode())), "null").encode()
        except MemoryError:
            return b"m", b""
        except Exception as error:  # the bulkhead: whatever an expression does is its author's error
            return b"e", self._message(str(error), text)
        if len(value) > self._settings.value_bytes:
            return b"l", b""
        return b"v", value

    def _message(self, message: str, text: str) -> bytes:
        if found := _MISTAKE.findall(message):
            said = "; ".join(dict.fromkeys(_in_own_text(text, *mistake) for mistake in found[:_FEW]))
        else:
            lines = message.removeprefix("jq: error: ").splitlines()
            said = lines[0].removesuffix(":") if lines else "failed without a message"
        return said[: self._settings.message_chars].encode("utf-8", "replace")


def _wrap(text: str, names: tuple[str, ...]) -> str:
    """The program around an expression, which begins on the second line."""
    bound = ", ".join("$" + name for name in ("__dot", *names))
    now = f"${NOW_VARIABLE}" if NOW_VARIABLE in names else 'error("the time is not available here")'
    shadows = "".join(f'def {name}: error("{name} is not allowed in a runtime expression"); ' for name in FORBIDDEN)
    return f". as [{bound}] | null as $ENV | {shadows}def now: {now}; $__dot | (\n{text}\n) | tojson"


def _in_own_text(text: str, reason: str, line: str, column: str) -> str:
    """A complaint of libjq with its place in the expression, of whose wrapper the author knows nothing."""
    lines = text.split("\n")
    row = int(line) - 2
    if not 0 <= row < len(lines):
        lines = text.rstrip().split("\n")
        return f"syntax error, it ends too early at line {len(lines)}, column {len(lines[-1]) + 1}"
    start = len(lines[row].encode()[: int(column) - 1].decode(errors="replace"))
    if token := _TOKEN.match(lines[row], start):
        reason = _UNEXPECTED.sub(lambda _: f"'{token[0]}'", reason)
    return f"{reason.replace('$*label-', 'label $')} at line {row + 1}, column {start + 1}"


if __name__ == "__main__":
    main()

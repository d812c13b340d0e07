"""Worker processes: what they answer, and that no expression can hurt anything but itself."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from penstock.errors import InfrastructureError
from penstock.model import limits
from penstock.runtime.workers import (
    Evaluated,
    Evaluation,
    EvaluationFailed,
    EvaluationResult,
    ExpressionWorkers,
    WorkerLimits,
    WorkersBusy,
)

LIMIT_S = 0.5
SOURCE = Path(__file__).parents[2] / "src"


def evaluation(text: str, dot: str = "null", **variables: str) -> Evaluation:
    return Evaluation(text, dot.encode(), {name: value.encode() for name, value in variables.items()})


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[ExpressionWorkers]:
    pool = ExpressionWorkers(limits=WorkerLimits(evaluation_ms=int(LIMIT_S * 1000)))
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def one(workers: ExpressionWorkers, text: str, dot: str = "null", **variables: str) -> EvaluationResult:
    (result,) = await workers.evaluate([evaluation(text, dot, **variables)])
    return result


async def test_answers_come_in_the_order_of_the_batch(workers: ExpressionWorkers) -> None:
    results = await workers.evaluate([evaluation("[.[] + 1]", f"[{number}]") for number in range(200)])
    assert results == [Evaluated(f"[{number + 1}]".encode()) for number in range(200)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1, 2, 3", b"1"),
        ("empty", b"null"),
        (".[]", b"null"),
        ("$x + $y", b"5"),
        (". as [$a] | $a", b"null"),
        ("now", b"1700000000.5"),
        ("def now: 1; now", b"1"),
        ("$ENV", b"null"),
        ('$x | "\\(.)" # comment', b'"2"'),
        ('"\\u00e9\\ud83d\\ude00"', '"é😀"'.encode()),
    ],
)
async def test_the_first_output_is_the_value_and_none_is_null(
    workers: ExpressionWorkers, text: str, value: bytes
) -> None:
    assert await one(workers, text, "[]", x="2", y="3", __now="1700000000.5") == Evaluated(value)


async def test_large_integers_keep_their_digits(workers: ExpressionWorkers) -> None:
    assert await one(workers, "{a: .[0], b: $x}", "[9007199254740993]", x="18446744073709551615") == Evaluated(
        b'{"a":9007199254740993,"b":18446744073709551615}'
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("foo", "foo/0 is not defined at line 1, column 1"),
        (".a |\n  $nobody", "$nobody is not defined at line 2, column 3"),
        ('"é✓" | nosuch', "nosuch/0 is not defined at line 1, column 8"),
        (".a |", "syntax error, it ends too early at line 1, column 5"),
        ("1 +\n 2 *\n\n", "syntax error, it ends too early at line 2, column 5"),
        (
            "if . then\n1",
            "it ends too early at line 2, column 2; Possibly unterminated 'if' statement at line 1, column 1",
        ),
        ("test(1) | {a b}", "syntax error, unexpected 'b' at line 1, column 14"),
        ("test(1)\n| .a ++ 1", "syntax error, unexpected '+' at line 2, column 7"),
        ("test(1) | 1 2\n3", "syntax error, unexpected '2' at line 1, column 13"),
        ("break $out", "label $out is not defined at line 1, column 1"),
        ('error("in line 7, column 3")', "in line 7, column 3"),
        (".a.b", "Cannot index"),
        ('error("own words")', "own words"),
        ('import "d" as $d {search:"/"}; $d', "syntax error"),
        ("env", "not allowed"),
        ("input", "not allowed"),
        ("halt", "not allowed"),
        ("now", "time is not available"),
        ('"a" | debug', "not allowed"),
    ],
)
async def test_mistakes_are_errors_with_the_author_s_own_lines(
    workers: ExpressionWorkers, text: str, part: str
) -> None:
    result = await one(workers, text, '{"a": 1}')
    assert isinstance(result, EvaluationFailed) and result.reason == "expression"
    assert part in result.message
    assert not re.search(r"top-level|tojson|expecting|compile error|[A-Z]{5}|\n", result.message)


HOSTILE = [
    ("[range(1e12)]", "null"),
    ("def f: f; f", "null"),
    ('"x"*1000000000', "null"),
    (".[1e8]=1", "null"),
    ('reduce .[] as $i ("a"; . + .)', "[" + "1," * 31 + "1]"),
    ("[.[] as $a | .[] as $b | .[] as $c | .[] as $d | $a + $b + $c + $d] | length", "[" + "1," * 149 + "1]"),
    ("[limit(100000000; repeat(1))] | length", "null"),
    ("reduce range(3000000) as $i (null; [.])", "null"),
]


@pytest.mark.parametrize(("text", "dot"), HOSTILE)
async def test_a_hostile_expression_ends_within_its_limit_while_others_go_on(
    workers: ExpressionWorkers, text: str, dot: str
) -> None:
    began_at = time.monotonic()
    hostile = asyncio.create_task(workers.evaluate([evaluation(text, dot)]))
    served = 0
    while not hostile.done():
        assert await one(workers, "[.[]]", "[1]") == Evaluated(b"[1]")
        served += 1
    (result,) = await hostile
    assert isinstance(result, EvaluationFailed) and result.reason in (
        "timeout",
        "memory",
        "crash",
        "too_large",
    )
    assert time.monotonic() - began_at < 2 * LIMIT_S + 3
    assert served
    assert await workers.evaluate([evaluation("[.]", "2")] * 200) == [Evaluated(b"[2]")] * 200


async def test_the_innocent_ones_of_a_batch_are_answered(workers: ExpressionWorkers) -> None:
    batch = [evaluation("[.]", str(number)) for number in range(9)]
    batch[4] = evaluation("def f: f; f")
    batch[6] = evaluation('"x"*1000000000')
    results = await workers.evaluate(batch)
    assert [isinstance(result, Evaluated) for result in results] == [i not in (4, 6) for i in range(9)]
    assert isinstance(results[4], EvaluationFailed) and results[4].reason == "timeout"


async def test_depth_and_bytes_are_bounded_at_the_limit_and_one_over(workers: ExpressionWorkers) -> None:
    deepest = f"reduce range({limits.MAX_JSON_DEPTH} - 1) as $i ([]; [.])"
    assert isinstance(await one(workers, deepest), Evaluated)
    over = await one(workers, f"[{deepest}]")
    assert isinstance(over, EvaluationFailed) and over.reason == "too_large"
    far_over = await one(workers, "reduce range(100000) as $i (null; [.])")
    assert isinstance(far_over, EvaluationFailed) and far_over.reason == "too_large"
    largest = limits.MAX_VALUE_BYTES - 2
    assert isinstance(await one(workers, '"x" * $size', size=str(largest)), Evaluated)
    larger = await one(workers, '"x" * $size', size=str(largest + 1))
    assert isinstance(larger, EvaluationFailed) and larger.reason == "too_large"


async def test_checking_compiles_without_running(workers: ExpressionWorkers) -> None:
    assert await workers.check([".a", "[.[] | $x]", "foo(1)", "(", "env", "def f: f; f"]) == [
        None,
        None,
        "foo/1 is not defined at line 1, column 1",
        "'(' is never closed",
        "'env' is not allowed in a runtime expression",
        None,
    ]


async def test_checking_a_hostile_constant_ends(workers: ExpressionWorkers) -> None:
    (message,) = await workers.check(['"x"*1000000000'])
    assert message is not None


async def test_too_many_waiting_expressions_are_turned_away(workers: ExpressionWorkers) -> None:
    with pytest.raises(WorkersBusy):
        await workers.evaluate([evaluation("1")] * (limits.MAX_WAITING_EVALUATIONS + 1))
    assert await one(workers, "[1]") == Evaluated(b"[1]")


async def test_a_cancelled_call_leaves_the_workers_in_order(workers: ExpressionWorkers) -> None:
    call = asyncio.create_task(workers.evaluate([evaluation("def f: f; f")] * 3))
    assert await one(workers, "1") == Evaluated(b"1")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await workers.evaluate([evaluation("[.]", "2")] * 100) == [Evaluated(b"[2]")] * 100


async def test_an_empty_batch_and_stopped_workers() -> None:
    pool = ExpressionWorkers()
    assert await pool.evaluate([]) == []
    with pytest.raises(InfrastructureError):
        await pool.evaluate([evaluation("1")])
    with pytest.raises(ValueError, match="two"):
        ExpressionWorkers(processes=1)


async def test_a_worker_has_no_environment_and_may_not_write(workers: ExpressionWorkers) -> None:
    del workers
    _check_confinement()


def _check_confinement() -> None:
    children = [pid for pid in _children(os.getpid()) if "jq_worker" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(children) == 2
    for pid in children:
        allowed = {"TZ", "LC_CTYPE", ""}
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        assert {entry.partition("=")[0] for entry in environment} <= allowed
        limits_text = Path(f"/proc/{pid}/limits").read_text()
        assert "Max file size             0                    0" in limits_text
        assert f"Max address space         {limits.EVALUATION_MEMORY_BYTES}" in limits_text
        assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_workers_start_without_an_installed_package(tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from penstock.runtime.workers import *\n"
        "async def main():\n"
        "    pool = ExpressionWorkers()\n"
        "    await pool.start()\n"
        "    print(await pool.evaluate([Evaluation('[.]', b'1', {})]))\n"
        "    await pool.stop()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[Evaluated(value=b'[1]')]"
    assert done.stderr == ""


def test_workers_run_under_uvloop_too() -> None:
    async def run() -> list[EvaluationResult]:
        pool = ExpressionWorkers(limits=WorkerLimits(evaluation_ms=300))
        await pool.start()
        try:
            return await pool.evaluate([evaluation("[.]", "1"), evaluation("def f: f; f"), evaluation("[.]", "2")])
        finally:
            await pool.stop()

    before = set(_children(os.getpid()))
    first, second, third = uvloop.run(run())
    assert (first, third) == (Evaluated(b"[1]"), Evaluated(b"[2]"))
    assert isinstance(second, EvaluationFailed) and second.reason == "timeout"
    assert set(_children(os.getpid())) <= before

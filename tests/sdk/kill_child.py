"""An engine inside a program that is killed: starts what is missing, and waits for all.

Arguments: database, file of records, number of runs. Each call appends a line `step number key` before it answers,
and says it. At the end it says `result number key key key` for each run. Every start carries a key, so starting again
starts nothing twice.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from penstock import Engine

STEPS = ("first", "second", "third")


async def main(database: str, records: str, count: int) -> None:
    file = os.open(records, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def record(step: str) -> Callable[..., object]:
        def in_thread(given: dict[str, Any], *, key: str) -> dict[str, Any]:
            line = f"{step} {given['n']} {key}\n".encode()
            os.write(file, line)
            os.write(sys.stdout.fileno(), line)
            return {**given, step: key}

        async def in_loop(given: dict[str, Any], *, key: str) -> dict[str, Any]:
            answer = in_thread(given, key=key)
            await asyncio.sleep(0.002)
            return answer

        return in_loop if step == "second" else in_thread

    async with Engine(f"sqlite:{database}") as engine:
        for step in STEPS:
            engine.tool(step, record(step))
        await engine.deploy(
            {
                "document": {"dsl": "1.0.3", "namespace": "test", "name": "kill", "version": "1.0.0"},
                "do": [{step: {"call": step}} for step in STEPS],
            }
        )
        runs = [await engine.start("test/kill", {"n": n}, key=f"k{n}") for n in range(count)]
        for n, run in enumerate(runs):
            result = await run.result(60)
            assert set(result) == {"n", *STEPS} and result["n"] == n, result
            sys.stdout.write(f"result {n} {' '.join(result[step] for step in STEPS)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

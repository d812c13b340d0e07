"""An engine in a process of its own, for tests that kill it: deploys, starts what is missing, waits for all.

Arguments: data directory, URL of the service, number of runs, URL of the store. Says
`done` when all have ended. Every start carries a key, so that starting again after a kill starts nothing twice.
"""

import asyncio
import sys

from penstock.runtime.engine import Engine
from penstock.runtime.settings import Settings


def workflow(url: str) -> str:
    """Two calls with a native and another expression, a wait, a loop, an emitted event and one listened for."""
    return f"""
document: {{dsl: '1.0.3', namespace: test, name: kill, version: '1.0.0'}}
do:
- first:
    call: http
    with: {{method: post, endpoint: '{url}/first', body: {{n: '${{ .n }}'}}}}
    output: {{as: '${{ .body }}'}}
- double: {{set: {{n: '${{ [range(.n)] | length * 2 }}'}}}}
- pause: {{wait: {{milliseconds: 20}}}}
- loop: {{for: {{in: '${{ [1, 2, 3] }}'}}, do: [{{add: {{set: {{n: '${{ .n + $item }}'}}}}}}]}}
- tell: {{emit: {{event: {{with: {{type: told, data: {{n: '${{ .n }}'}}}}}}}}, output: {{as: '${{ .data }}'}}}}
- hear:
    listen: {{to: {{one: {{with: {{type: told}}, correlate: {{n: {{from: .data.n, expect: '${{ .n }}'}}}}}}}}}}
    output: {{as: '${{ .[0] }}'}}
- second:
    call: http
    with: {{method: post, endpoint: '{url}/second', body: {{n: '${{ .n }}'}}}}
    output: {{as: '${{ .body }}'}}
"""


async def main(directory: str, url: str, count: int, store: str) -> None:
    settings = Settings(store=store, data_dir=directory, log_level="warning")
    async with Engine(settings) as engine:
        await engine.deploy(workflow(url))
        starts = (engine.start_run("test", "kill", "1.0.0", {"n": n}, idempotency_key=f"k{n}") for n in range(count))
        runs = await asyncio.gather(*starts)
        await asyncio.gather(*(engine.wait_run(run.id, 60) for run in runs))
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))

"""An order, with the engine inside the program: `python -m examples.embedded.order [FILE.db]`.

Kill it in the middle and start it again with the same file: the run goes on where it was.
"""

import asyncio
import sys
from typing import Any

from penstock import Engine, ToolError

WORKFLOW = """
document: { dsl: '1.0.3', namespace: shop, name: order, version: '1.0.0' }
do:
- pay:
    try:
    - charge: { call: charge, with: { amount: '${ .price * .count }' } }
    catch:
      errors: { with: { status: 503 } }
      retry: { delay: { milliseconds: 10 }, limit: { attempt: { count: 5 } } }
- ship: { call: ship, with: { payment: '${ .payment }', count: '${ $workflow.input.count }' } }
"""


async def main(store: str) -> None:
    refused = iter([ToolError(503, "Bank closed", "try again soon")])
    async with Engine(store) as engine:

        @engine.tool("charge")
        async def charge(order: dict[str, Any], *, key: str) -> dict[str, Any]:
            for error in refused:  # the first try fails; the workflow says what happens then
                raise error
            return {"payment": f"paid {order['amount']} under {key}"}

        @engine.tool("ship")
        def ship(order: dict[str, Any]) -> dict[str, Any]:  # an ordinary function: it runs in a thread
            return {"shipped": order["count"], "payment": order["payment"]}

        await engine.deploy(WORKFLOW)
        run = await engine.start("shop/order", {"price": 20, "count": 3}, key="order-7")
        print(f"run {run.id}:", await run.result(timeout=30))


if __name__ == "__main__":
    asyncio.run(main(f"sqlite:{sys.argv[1]}" if sys.argv[1:] else "memory:"))

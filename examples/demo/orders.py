"""Part 2: 50 orders that pause, retry a failing service, ask two at the same time, and wait for a payment event."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from examples.demo import checks
from examples.demo.board import Board, Progress
from examples.demo.shop import parcel_of, price_of
from examples.demo.stage import SEND_PAUSE_S, SENDERS, Stage, histories_of, outputs_of, spread

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "workflows" / "order.yaml"
ORDERS: Final = 50
CALLS_BEFORE_CRASH: Final = 80
CALLS_PER_ORDER: Final = 4  # the stock twice, because it fails at first; the price; the parcel
STRUCTURED: Final = "application/cloudevents+json"


def receipt(order: int) -> dict[str, Any]:
    """What the run of an order must end with."""
    price = price_of(order)
    return {"order": order, "reserved": True, "price": price, "parcel": parcel_of(order), "paid": price}


def payment(order: int) -> str:
    """The event that pays an order. The same id each time it is sent, so that it counts once."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"payment-{order}",
            "source": "https://bank.example",
            "type": "shop.payment.received",
            "data": {"order": order, "amount": price_of(order)},
        }
    )


async def process_orders(stage: Stage) -> None:
    """Raises `Untrue` unless every order ends with the right receipt in spite of the crash."""
    told = f"{ORDERS} orders: pause, failing service, fork, event"
    stage.say(f"[bold]2  {told}[/bold] (examples/workflows/order.yaml)")
    await stage.api.post("/api/v1/workflows", DOCUMENT.read_bytes(), media="application/yaml")
    progress = Progress("examples/order", stage.gateway.orders)
    run_ids: dict[str, str] = {}

    async def start(order: int) -> None:
        given = json.dumps({"order": order, "shop": f"{stage.gateway.base_url}/shop"})
        answer = await stage.api.post("/api/v1/workflows/examples/order/runs", given, key=f"order-{order}")
        run_ids[f"order-{order}"] = answer.body["id"]
        progress.sent += 1
        await asyncio.sleep(SEND_PAUSE_S)

    async def pay(order: int) -> None:
        for _ in range(2):  # twice on purpose
            await stage.api.post("/api/v1/events", payment(order), media=STRUCTURED)

    async with Board(stage.console, stage.api, progress) as board, asyncio.TaskGroup() as group:
        crash = group.create_task(stage.crash(progress, CALLS_BEFORE_CRASH))
        await spread(range(ORDERS), start, workers=SENDERS)
        await spread(range(0, ORDERS, 2), pay, workers=SENDERS)
        await crash
        await spread(range(1, ORDERS, 2), pay, workers=SENDERS)
        await stage.all_ended(board, progress, ORDERS)
    await _prove(stage, run_ids)


async def _prove(stage: Stage, run_ids: dict[str, str]) -> None:
    calls = stage.gateway.orders
    runs = await stage.api.runs("examples/order")
    stage.prove(
        f"{ORDERS} orders acknowledged, {ORDERS} runs completed, each payment (sent twice) taken once",
        checks.run_mistakes(run_ids, runs, expected=ORDERS),
    )
    outputs = await outputs_of(stage.api, run_ids)
    expected = {f"order-{order}": receipt(order) for order in range(ORDERS)}
    stage.prove(
        f"{ORDERS} receipts right: pauses, retries and payments survived",
        checks.output_mistakes(outputs, expected),
    )
    histories = await histories_of(stage.api, run_ids)
    mistakes = [f"{key}: {what}" for key, events in histories.items() for what in checks.history_mistakes(events)]
    facts = sum(len(events) for events in histories.values())
    stage.prove(f"{facts} facts in their histories: no gap, no transition twice", mistakes)
    wanted = ORDERS * CALLS_PER_ORDER
    stage.prove(
        f"{wanted} calls under {wanted} keys, {calls.repeated} sent again; {ORDERS} things taken from stock, not more",
        checks.call_mistakes(calls, keys=wanted) + checks.once_mistakes(stage.gateway.reservations, expected=ORDERS),
    )

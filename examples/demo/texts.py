"""Part 1: 200 texts through three services in three languages, described in the machinery notation."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from examples.demo import checks
from examples.demo.board import Board, Progress
from examples.demo.stage import SEND_PAUSE_S, SENDERS, Stage, histories_of, outputs_of, spread

DOCUMENTS: Final = Path(__file__).resolve().parent.parent / "machinery"
SERVICES: Final = ("upper", "reverse", "space-counter")
EVENTS: Final = 200
CALLS_BEFORE_CRASH: Final = 250
WORDS: Final = ("water", "goes", "down", "the", "penstock", "and", "turns", "the", "wheel")


def texts() -> dict[str, str]:
    """A text for each event, by idempotency key; no two are the same."""
    return {f"text-{n:03d}": " ".join((*WORDS[: n % len(WORDS) + 1], str(n))) for n in range(EVENTS)}


async def process_texts(stage: Stage) -> None:
    """Raises `Untrue` unless every text comes out right in spite of the crash."""
    stage.say(f"[bold]1  {EVENTS} texts, each through three services[/bold] (examples/machinery)")
    await _register(stage)
    progress = Progress("machinery/process-text", stage.gateway.texts)
    messages = texts()
    run_ids: dict[str, str] = {}

    async def send(key: str) -> None:
        event = json.dumps({"data": {"message": messages[key]}})
        answer = await stage.api.post("/e/process-text?async=true", event, key=key)
        run_ids[key] = answer.headers["Penstock-Run"]
        progress.sent += 1
        await asyncio.sleep(SEND_PAUSE_S)

    async with Board(stage.console, stage.api, progress) as board, asyncio.TaskGroup() as group:
        group.create_task(stage.crash(progress, CALLS_BEFORE_CRASH))
        await spread(list(messages), send, workers=SENDERS)
        await stage.all_ended(board, progress, EVENTS)
    await _prove(stage, run_ids, messages)


async def _register(stage: Stage) -> None:
    for name in SERVICES:
        definition: dict[str, Any] = json.loads((DOCUMENTS / f"service-{name}.json").read_text())
        definition["address"] = f"{stage.gateway.base_url}/tools/{name}"
        await stage.api.post("/s", json.dumps(definition))
    await stage.api.post("/w", (DOCUMENTS / "workflow-process-text.json").read_text())


async def _prove(stage: Stage, run_ids: dict[str, str], messages: dict[str, str]) -> None:
    calls = stage.gateway.texts
    runs = await stage.api.runs("machinery/process-text")
    stage.prove(
        f"{EVENTS} events acknowledged, {EVENTS} runs completed: none lost, none started twice",
        checks.run_mistakes(run_ids, runs, expected=EVENTS),
    )
    outputs = await outputs_of(stage.api, run_ids)
    expected = {key: checks.text_output(message) for key, message in messages.items()}
    stage.prove(f"{EVENTS} outputs right; the demo computes them by itself", checks.output_mistakes(outputs, expected))
    histories = await histories_of(stage.api, run_ids)
    mistakes = [f"{key}: {what}" for key, events in histories.items() for what in checks.history_mistakes(events)]
    facts = sum(len(events) for events in histories.values())
    stage.prove(f"{facts} facts in their histories: no gap, no transition twice", mistakes)
    wanted = EVENTS * len(SERVICES)
    stage.prove(
        f"{wanted} calls under {wanted} keys; {calls.repeated} had to be sent again, each under its own key",
        checks.call_mistakes(calls, keys=wanted),
    )

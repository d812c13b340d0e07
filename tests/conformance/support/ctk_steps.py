"""The CTK's steps: each sentence of the kit, and what it does to or asks of a server.

A sentence that is not in the table fails its scenario: nothing is passed over in silence.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ruamel.yaml import YAML

from penstock.model.json_value import Json

from .client import Api
from .expectation import names_of_tasks_run
from .gherkin import Scenario, Step
from .harness import match

RUN_DEADLINE_S = 30.0


@dataclass
class World:
    """One scenario under way: what was given, and the run once it was executed."""

    api: Api
    hosts: dict[str, str]
    definition: str = ""
    run_input: Json = field(default_factory=dict[str, Json])
    run: Json = None

    def rewritten(self, text: str) -> str:
        """The text with the public hosts replaced by their local stand-in."""
        for public, local in self.hosts.items():
            text = text.replace(public, local)
        return text

    def require(self, what: str, expected: Json, actual: Json) -> None:
        """Fail with the run's own words unless the value matches."""
        problems = match(expected, actual)
        if problems:
            raise AssertionError(
                f"{what}: expected {expected!r}, actual {actual!r} ({'; '.join(problems)}); run {self.run!r}"
            )


def read_yaml(text: str) -> Json:
    """A YAML 1.2 document as plain JSON values."""
    return YAML(typ="safe", pure=True).load(text)


async def perform(scenario: Scenario, world: World) -> None:
    """Carry out every step; the first that does not hold raises AssertionError naming it."""
    for step in scenario.steps:
        try:
            await _perform(step, world)
        except AssertionError as error:
            raise AssertionError(f"{scenario.feature}:{step.line}: {step.text}: {error}") from error


async def _perform(step: Step, world: World) -> None:
    for pattern, action in STEPS:
        if (found := re.fullmatch(pattern, step.text)) is not None:
            await action(world, step, found.groups())
            return
    raise AssertionError("a sentence that this kit's steps do not know")


def _doc(step: Step) -> str:
    if step.doc is None:
        raise AssertionError("expected a doc string, there is none")
    return step.doc


async def _define(world: World, step: Step, _: tuple[str, ...]) -> None:
    world.definition = world.rewritten(_doc(step))


async def _give_input(world: World, step: Step, _: tuple[str, ...]) -> None:
    world.run_input = read_yaml(_doc(step))


async def _execute(world: World, step: Step, _: tuple[str, ...]) -> None:
    (await world.api.deploy(world.definition, "application/yaml")).expect(201)
    document = read_yaml(world.definition)["document"]
    started = await world.api.start(
        document["namespace"],
        document["name"],
        world.run_input,
        version=document["version"],
        wait_s=RUN_DEADLINE_S,
    )
    world.run = await world.api.run(started.expect(200).body["id"])


async def _end_as(world: World, step: Step, found: tuple[str, ...]) -> None:
    world.require("status", _STATUS_OF[found[0]], world.run["status"])


async def _complete_with(world: World, step: Step, _: tuple[str, ...]) -> None:
    world.require("status", "completed", world.run["status"])
    world.require("output", read_yaml(_doc(step)), world.run["output"])


async def _fault_with(world: World, step: Step, _: tuple[str, ...]) -> None:
    world.require("status", "faulted", world.run["status"])
    world.require("error", {"$subset": read_yaml(_doc(step))}, world.run["error"])


async def _have_properties(world: World, step: Step, found: tuple[str, ...]) -> None:
    for path in re.findall(r"'([^']+)'", found[0]):
        at(world.run["output"], path)


async def _have_value(world: World, step: Step, found: tuple[str, ...]) -> None:
    world.require(f"output.{found[0]}", read_yaml(_doc(step)), at(world.run["output"], found[0]))


async def _have_items(world: World, step: Step, found: tuple[str, ...]) -> None:
    value = at(world.run["output"], found[0])
    world.require(f"type of output.{found[0]}", {"$type": "array"}, value)
    world.require(f"number of items of output.{found[0]}", int(found[1]), len(value))


async def _run_at(world: World, step: Step, found: tuple[str, ...]) -> None:
    names = names_of_tasks_run(world.run["tasks"])
    index = 0 if found[1] == "first" else -1
    world.require(f"task that ran {found[1]}", found[0], names[index] if names else None)


async def _run_relative(world: World, step: Step, found: tuple[str, ...]) -> None:
    names = names_of_tasks_run(world.run["tasks"])
    earlier, later = (found[0], found[2]) if found[1] == "before" else (found[2], found[0])
    if earlier not in names or later not in names or names.index(earlier) >= names.index(later):
        raise AssertionError(f"tasks: expected {earlier} before {later}, actual order {names!r}")


async def _task_ends_as(world: World, step: Step, found: tuple[str, ...]) -> None:
    rows = [task["status"] for task in world.run["tasks"] if task["name"] == found[0]]
    world.require(f"last status of task {found[0]}", _STATUS_OF[found[1]], rows[-1] if rows else None)


def at(value: Json, path: str) -> Json:
    """The member at a dotted path; fails naming the first part that is missing."""
    here = value
    for part in path.split("."):
        if not isinstance(here, dict) or part not in here:
            raise AssertionError(f"output.{path}: expected a property {part!r}, actual {here!r}")
        here = here[part]
    return here


_STATUS_OF = {"complete": "completed", "fault": "faulted", "cancel": "cancelled"}

STEPS: tuple[tuple[str, Callable[[World, Step, tuple[str, ...]], Awaitable[None]]], ...] = (
    (r"a workflow with definition:", _define),
    (r"given the workflow input is:", _give_input),
    (r"the workflow is executed", _execute),
    (r"the workflow should (complete|fault|cancel)", _end_as),
    (r"the workflow should complete with output:", _complete_with),
    (r"the workflow should fault with error:", _fault_with),
    (r"the workflow output should have properties ((?:'[^']+'(?:, )?)+)", _have_properties),
    (r"the workflow output should have a '([^']+)' property with value:", _have_value),
    (r"the workflow output should have a '([^']+)' property containing (\d+) items", _have_items),
    (r"(\S+) should run (first|last)", _run_at),
    (r"(\S+) should run (before|after) (\S+)", _run_relative),
    (r"(\S+) should (complete|fault|cancel)", _task_ends_as),
)
"""Sentence pattern and action. Patterns match whole sentences, so that their order does not matter."""

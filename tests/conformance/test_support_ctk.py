"""The CTK reader and its sentences, proved without an engine."""

import re

import aiohttp
import pytest

from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir

from .support.client import Api
from .support.ctk_steps import STEPS, World, at, perform
from .support.gherkin import Scenario, Step, parse_scenarios, read_scenarios

FOLDERS = (("serverless-workflow", "ctk", "features"), ("open-workflow-2026-07", "features"))

FEATURE = '''Feature: Two
  As a reader
  I want text that is no step

  # a comment
  Scenario: First
    Given a workflow with definition:
    """yaml
    do:
      - a: {}

      - "quoted": {}
    """
    When the workflow is executed

  Scenario: Second
    When the workflow is executed
'''


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder[0])
def test_every_feature_is_read_and_every_sentence_known(folder: tuple[str, ...]) -> None:
    paths = sorted(conformance_dir(*folder).glob("*.feature"))
    scenarios = [scenario for path in paths for scenario in read_scenarios(path)]
    assert (len(paths), len(scenarios)) == (11, 21)
    unknown = [
        step.text
        for scenario in scenarios
        for step in scenario.steps
        if sum(re.fullmatch(pattern, step.text) is not None for pattern, _ in STEPS) != 1
    ]
    assert unknown == []


def test_scenarios_steps_and_doc_strings() -> None:
    first, second = parse_scenarios(FEATURE, "two")
    assert (first.name, [step.text for step in first.steps]) == (
        "First",
        ["a workflow with definition:", "the workflow is executed"],
    )
    assert first.steps[0].doc == 'do:\n  - a: {}\n\n  - "quoted": {}\n'
    assert second == Scenario("two", "Second", (Step("the workflow is executed", None, 17),))


@pytest.mark.parametrize(
    "text",
    [
        "Feature: none",
        "Scenario: a\n  Perhaps it rains",
        'Scenario: a\n  """\n  text\n  """',
        'Scenario: a\n  Given this\n  """\n  text',
        'Scenario: a\n  Given this\n  """\n  text\n  """\n  """\n  more\n  """',
    ],
)
def test_what_is_no_gherkin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bad"):
        list(parse_scenarios(text, "bad"))


RUN: Json = {
    "status": "completed",
    "output": {"colors": ["red"], "nested": {"name": "x"}},
    "error": None,
    "tasks": [
        {"name": "a", "status": "completed"},
        {"name": "s", "status": "skipped"},
        {"name": "b", "status": "faulted"},
    ],
}


async def _say(text: str, doc: str | None = None, run: Json = RUN) -> None:
    async with aiohttp.ClientSession() as session:
        world = World(Api("http://127.0.0.1:9", session), {"https://public": "http://local"}, run=run)
        await perform(Scenario("f", "s", (Step(text, doc, 7),)), world)


@pytest.mark.parametrize(
    ("text", "doc"),
    [
        ("the workflow should complete", None),
        ("the workflow should complete with output:", "colors: [red]\nnested: {name: x}"),
        ("the workflow output should have properties 'colors', 'nested.name'", None),
        ("the workflow output should have a 'nested.name' property with value:", "x"),
        ("the workflow output should have a 'colors' property containing 1 items", None),
        ("a should run first", None),
        ("b should run last", None),
        ("a should run before b", None),
        ("b should run after a", None),
        ("a should complete", None),
        ("b should fault", None),
    ],
)
async def test_sentences_that_hold(text: str, doc: str | None) -> None:
    await _say(text, doc)


@pytest.mark.parametrize(
    ("text", "doc"),
    [
        ("the workflow should fault", None),
        ("the workflow should cancel", None),
        ("the workflow should complete with output:", "colors: [blue]"),
        ("the workflow should complete with output:", None),
        ("the workflow should fault with error:", "status: 400"),
        ("the workflow output should have properties 'colors', 'nested.age'", None),
        ("the workflow output should have a 'nested.name' property with value:", "y"),
        ("the workflow output should have a 'colors' property containing 2 items", None),
        ("the workflow output should have a 'nested' property containing 1 items", None),
        ("b should run first", None),
        ("a should run last", None),
        ("b should run before a", None),
        ("a should run after missing", None),
        ("b should complete", None),
        ("the workflow should sing", None),
    ],
)
async def test_sentences_that_do_not_hold_are_named(text: str, doc: str | None) -> None:
    with pytest.raises(AssertionError, match=r"f:7: " + re.escape(text)):
        await _say(text, doc)


async def test_fault_with_error_compares_the_listed_members() -> None:
    run = {**RUN, "status": "faulted", "error": {"status": 400, "title": "T", "instance": "/do/0/a"}}
    await _say("the workflow should fault with error:", "status: 400\ninstance: /do/0/a", run)
    with pytest.raises(AssertionError, match="title"):
        await _say("the workflow should fault with error:", "title: Other", run)


def test_a_missing_property_is_named() -> None:
    with pytest.raises(AssertionError, match="'b'"):
        at({"a": {"c": 1}}, "a.b")

"""Every line of the page about guarantees names tests that exist."""

import ast
import re
from pathlib import Path
from typing import Final

from tests.conformance_data import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "guarantees.md"
_LINK: Final = re.compile(r"\[`(\w+)`\]\(([^)#]+)\)")


def names_in(path: Path) -> set[str]:
    """The names of the test functions of a file, in classes or not."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name for name in found if name.startswith("test_")}


def test_every_test_that_the_page_names_is_in_its_file() -> None:
    links = _LINK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(links) > 40
    missing = [
        f"{name} in {target}"
        for name, target in links
        if not (PAGE.parent / target).is_file() or name not in names_in(PAGE.parent / target)
    ]
    assert missing == []


def test_every_promise_is_shown_by_a_test() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promises = [line for line in lines if not line.startswith("| what happens")]
    assert len(promises) > 25
    assert [line for line in promises if not _LINK.search(line.rpartition(" | ")[2])] == []

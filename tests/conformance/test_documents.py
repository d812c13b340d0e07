"""The example documents of both editions load and the invalid ones are refused, in process and over HTTP.

An example may use a construct that this engine refuses to deploy. It still is a valid document of
the language, so it must load; a check over HTTP must then name the construct, with its line.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.model import load_document
from penstock.model.json_value import Json
from tests.conformance_data import conformance_dir

from .support.client import Api
from .support.ctk_steps import read_yaml
from .support.refusals import names_refusal, refused_constructs

EDITIONS = ("serverless-workflow", "open-workflow-2026-07")
EXAMPLE_COUNTS = {"serverless-workflow": 66, "open-workflow-2026-07": 68}


@dataclass(frozen=True)
class Document:
    """One YAML file of an edition."""

    edition: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text("utf8")


def _documents(folder: str) -> list[Document]:
    return [
        Document(edition, path)
        for edition in EDITIONS
        for path in sorted(conformance_dir(edition, folder).glob("*.yaml"))
    ]


def _name(document: Document) -> str:
    return f"{document.edition}-{document.path.stem.replace(' ', '-')}"


EXAMPLES = _documents("examples")
INVALID = _documents("invalid")


def test_the_folders_are_read_whole() -> None:
    assert {e: sum(d.edition == e for d in EXAMPLES) for e in EDITIONS} == EXAMPLE_COUNTS
    assert {e: sum(d.edition == e for d in INVALID) for e in EDITIONS} == dict.fromkeys(EDITIONS, 3)


@pytest.mark.parametrize("document", EXAMPLES, ids=_name)
def test_example_loads(document: Document) -> None:
    loaded = load_document(document.text, name=document.path.name)
    problems = [error.render(document.path.name) for error in loaded.errors]
    assert loaded.workflow is not None and not problems, f"{_name(document)}: expected no error, actual {problems}"
    written = read_yaml(document.text)["document"]
    identity = loaded.workflow.identity
    assert (identity.namespace, identity.name, identity.version) == (
        written["namespace"],
        written["name"],
        written["version"],
    ), f"{_name(document)}: identity: expected {written!r}, actual {identity!r}"


@pytest.mark.parametrize("document", INVALID, ids=_name)
def test_invalid_document_is_refused_with_its_place(document: Document) -> None:
    loaded = load_document(document.text, name=document.path.name)
    assert loaded.workflow is None, f"{_name(document)}: expected a refusal, actual {loaded.workflow!r}"
    lines = document.text.count("\n") + 1
    for error in loaded.errors:
        assert 1 <= error.line <= lines and error.column >= 1 and error.message, f"{_name(document)}: {error!r}"


@pytest.mark.parametrize("edition", EDITIONS)
async def test_examples_are_checked(edition: str, api: Api) -> None:
    """One server checks all: a check stores nothing, which is looked at in the end."""
    wrong: list[str] = []
    for document in (document for document in EXAMPLES if document.edition == edition):
        checked = await api.check(document.text, "application/yaml")
        wrong += [f"{document.path.name}: {problem}" for problem in _check_problems(document, checked)]
    assert not wrong, f"{edition}:\n  " + "\n  ".join(wrong)
    listed = await api.items("/api/v1/workflows")
    assert listed == [], f"{edition}: workflows stored by checks: expected none, actual {listed!r}"


def _check_problems(document: Document, checked: Json) -> list[str]:
    """What is wrong with a check of a valid document; what a deployment would refuse must be told."""
    refusals = refused_constructs(read_yaml(document.text))
    found: list[str] = []
    if checked["valid"] and checked["errors"]:
        found.append(f"errors: expected none when valid, actual {checked['errors']!r}")
    if not checked["valid"] and not refusals:
        found.append(f"valid: expected true, actual false with {checked['errors']!r}")
    told = [finding for finding in (*checked["errors"], *checked["warnings"]) if finding.get("line")]
    untold = [r for r in refusals if not any(names_refusal(finding, r) for finding in told)]
    return found + [f"errors and warnings: expected {r} with its line, actual {told!r}" for r in untold]


@pytest.mark.parametrize("document", INVALID, ids=_name)
async def test_invalid_document_is_checked_and_not_deployed(document: Document, api: Api) -> None:
    checked = await api.check(document.text, "application/yaml")
    assert checked["valid"] is False, f"{_name(document)}: valid: expected false, actual {checked!r}"
    assert checked["errors"], f"{_name(document)}: errors: expected some, actual {checked!r}"
    problem = (await api.deploy(document.text, "application/yaml")).expect_problem(422)
    assert problem["errors"], f"{_name(document)}: errors: expected some, actual {problem!r}"

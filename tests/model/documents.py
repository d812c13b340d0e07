"""Small documents for tests: the frame of a workflow around what a test is about."""

from penstock.model import LoadedDocument, Workflow, load_data, load_document
from penstock.model.json_value import Json

HEAD = {"dsl": "1.0.3", "namespace": "tests", "name": "sample", "version": "1.0.0"}


def document(*tasks: Json, **members: Json) -> dict[str, Json]:
    """A document whose tasks are named t0, t1 … unless they are given as one-key maps with a name."""
    return {"document": HEAD, **members, "do": [_named(index, task) for index, task in enumerate(tasks)]}


def _named(index: int, task: Json) -> Json:
    only = next(iter(task.values())) if isinstance(task, dict) and len(task) == 1 else None
    kinds = ("call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait")
    named = isinstance(only, dict) and any(kind in only for kind in kinds) and next(iter(task)) not in kinds
    return task if named else {f"t{index}": task}


def load(*tasks: Json, **members: Json) -> LoadedDocument:
    return load_data(document(*tasks, **members))


def workflow(*tasks: Json, **members: Json) -> Workflow:
    """The loaded workflow; the test fails with the findings when it is not valid."""
    loaded = load(*tasks, **members)
    assert loaded.workflow is not None, [str(found) for found in loaded.errors]
    return loaded.workflow


def codes(loaded: LoadedDocument) -> list[str]:
    return [found.code for found in loaded.errors]


def text(body: str) -> LoadedDocument:
    """A YAML document: the frame in its first line, the body from line 2 on."""
    return load_document(
        "document: {dsl: '1.0.3', namespace: tests, name: sample, version: '1.0.0'}\n" + body,
        name="sample.yaml",
    )

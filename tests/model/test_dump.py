"""What is written reads back to the equal definition, in the same order, and people can read it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from penstock.model import dump_json, dump_yaml, load_document
from penstock.model.json_value import Json
from penstock.model.source import read_source
from tests.model.test_load import examples


def same(left: Json, right: Json) -> bool:
    """Equal with the order of keys."""
    return json.dumps(left) == json.dumps(right)


@pytest.mark.parametrize("path", examples("examples"), ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_an_example_survives_a_round_trip(path: Path) -> None:
    loaded = load_document(path.read_bytes())
    assert loaded.workflow is not None
    definition = loaded.workflow.definition
    for text in (dump_yaml(definition), dump_json(definition)):
        again = load_document(text)
        assert again.workflow == loaded.workflow
        assert same(again.workflow and again.workflow.definition, definition)


def test_the_text_is_in_block_style_with_literal_blocks() -> None:
    data = {
        "a": [{"code": "line 1\n  line 2\n", "m": 1}],
        "e": "${ .a.b }",
        "empty": {},
        "none": [],
        "t": "a b",
    }
    assert dump_yaml(data) == (
        "a:\n  - code: |\n      line 1\n        line 2\n    m: 1\ne: ${ .a.b }\nempty: {}\nnone: []\nt: a b\n"
    )


MISREAD = [
    "on",
    "Yes",
    "n",
    "null",
    "~",
    "",
    "12:30",
    "0o7",
    "010",
    "1e3",
    ".5",
    "0x1",
    "1_000",
    "2026-01-31",
    "<<",
    "=",
    "- a",
    "a: b",
    "a #b",
    "@a",
    "`a",
    "*a",
    "&a",
    "!a",
    "%a",
    " a",
    "a ",
    "a\tb",
    "[a",
    "{a",
    "?",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "no",
    "OFF",
    "NaN",
    ".inf",
    "---",
    "...",
    "\u2028",
    "\u0085",
    "\ufeff",
    "\x7f",
    "\x00",
]


@pytest.mark.parametrize("text", MISREAD)
def test_texts_that_could_be_misread_stay_texts(text: str) -> None:
    written = dump_yaml({"a": text, text: "b", "c": [text], "d": f"{text}\n{text}"})
    assert read_source(written).data == {"a": text, text: "b", "c": [text], "d": f"{text}\n{text}"}


def test_readers_of_yaml_1_1_see_the_same_texts() -> None:
    texts = [text for text in MISREAD if text.isprintable() and text.isascii()]
    older = YAML(typ="safe", pure=True)
    older.version = (1, 1)
    assert older.load(dump_yaml({"a": texts})) == {"a": texts}


def test_shared_parts_are_written_out() -> None:
    part = {"x": [1]}
    assert "&" not in dump_yaml({"a": part, "b": part})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=15) | st.text(
    " \n\t#:-'\"{}[]a0.e&*!|>%@`?,<~\\\u2028\x85\x7f\ufeff", max_size=10
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_any_definition_survives_a_round_trip(definition: dict[str, Json]) -> None:
    assert same(read_source(dump_yaml(definition)).data, definition)
    assert same(read_source(dump_json(definition)).data, definition)

"""Documents' texts become data with positions, or one clear refusal, whatever the text is."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.model.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_DOCUMENT_DEPTH,
    MAX_DOCUMENT_NODES,
    MAX_MESSAGE_CHARS,
)
from penstock.model.source import UnreadableDocument, read_source, source_of_data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("-12", -12),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-31", "2026-01-31"),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("1.0.0", "1.0.0"),
        ("'5'", "5"),
        ('"\\u00e9"', "é"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    read = read_source(f"a: {text}").data["a"]
    assert read == value
    assert type(read) is type(value)


def test_keys_are_always_texts() -> None:
    assert list(read_source("on: 1\n8080: 2\ntrue: 3\nnull: 4\n1.5: 5").data) == [
        "on",
        "8080",
        "true",
        "null",
        "1.5",
    ]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3", "duplicate-key", 3, 1),
        ('{"a": 1,\n "b": {"c": 1, "c": 2}}', "duplicate-key", 2, 16),
        ("a: &x {b: 1}\nc:\n  <<: *x", "merge-key", 3, 3),
        ("a: 1\n---\nb: 2", "several-documents", 2, 1),
        ("a: !custom 1", "tag", 1, 4),
        ("a: !!int five", "tag", 1, 4),
        ("a: !thing {b: 1}", "tag", 1, 4),
        ("a: *missing", "alias", 1, 4),
        ("a: &x [*x]", "alias", 1, 8),
        ("? [a]\n: 1", "key", 1, 3),
        ("? *x\n: 1", "key", 1, 3),
        (": 1", "key", 1, 1),
        ("a: .inf", "value", 1, 4),
        ("a: .NaN", "value", 1, 4),
        ("a: 1e999", "value", 1, 4),
        ("a: 18446744073709551616", "value", 1, 4),
        ("a: " + "9" * 5000, "value", 1, 4),
        ('{"a": ' + "9" * 5000 + "}", "value", 1, 1),
        ('a: "\\ud800"', "value", 1, 4),
        ('{"a": "\\ud800"}', "value", 1, 7),
        ('{"a": [1, {"b": 1e999}]}', "value", 1, 17),
        ('{"a": NaN}', "value", 1, 1),
        ("a: b: c", "syntax", 1, 5),
        ('{"a": 1,}\n}', "syntax", 1, 9),
        ("", "empty", 1, 1),
        ("# nothing", "empty", 1, 1),
        ("a: \x00", "syntax", 1, 1),
        ('a: "\\UFFFFFFFF"', "syntax", 1, 1),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_source(text)
    assert (refused.value.code, refused.value.line, refused.value.column) == (code, line, column)


def test_aliases_are_expanded() -> None:
    data = read_source("a: &x [1, {b: 2}]\nc: *x\nd: &y text\ne: *y").data
    assert data == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "text", "e": "text"}


def laughs(levels: int, width: int) -> str:
    lines = [f"a0: &a0 [{', '.join('x' * width)}]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


def test_a_billion_laughs_is_refused_before_it_is_expanded() -> None:
    begun = time.perf_counter()
    with pytest.raises(UnreadableDocument, match="aliases expanded"):
        read_source(laughs(9, 10))
    assert time.perf_counter() - begun < 1


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="aliases expanded"):
        read_source("a: &x " + "x" * 10_000 + "\nb: [" + ", ".join(["*x"] * 200) + "]")


def test_aliases_that_nest_too_deep_are_refused() -> None:
    lines = ["a0: &a0 [1]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, MAX_DOCUMENT_DEPTH + 2)]
    with pytest.raises(UnreadableDocument, match="nested deeper"):
        read_source("\n".join(lines))


@pytest.mark.parametrize("opening", ["[", '{"a":', "- ", "{a: ", '[{"a":'])
def test_deep_nesting_is_refused_and_never_a_recursion_error(opening: str) -> None:
    with pytest.raises(UnreadableDocument):
        read_source(opening * 100_000)
    with pytest.raises(UnreadableDocument):
        read_source('{"a":' + opening * 100_000)


@pytest.mark.parametrize("form", ["yaml", "json", "data"])
def test_the_depth_limit_is_exact(form: str) -> None:
    def read(depth: int) -> object:
        inner = "[" * (depth - 1) + "]" * (depth - 1)
        if form == "data":
            return source_of_data(json.loads(f'{{"a":{inner}}}')).data
        return read_source(f'{{"a":{inner}}}' if form == "json" else f"a: {inner}").data

    assert read(MAX_DOCUMENT_DEPTH) is not None
    with pytest.raises(UnreadableDocument, match="nested deeper"):
        read(MAX_DOCUMENT_DEPTH + 1)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_limit_on_values_is_exact(form: str) -> None:
    def text(values: int) -> str:
        items = ",".join("1" * 1 for _ in range(values - 2))
        return f'{{"a":[{items}]}}' if form == "json" else f"a: [{items}]"

    assert len(read_source(text(MAX_DOCUMENT_NODES)).data["a"]) == MAX_DOCUMENT_NODES - 2
    with pytest.raises(UnreadableDocument):
        read_source(text(MAX_DOCUMENT_NODES + 1))


@pytest.mark.parametrize("form", ["text", "bytes"])
def test_the_limit_on_size_is_exact_and_counts_bytes(form: str) -> None:
    def read(size: int) -> object:
        text = "a: é" + "x" * (size - 5)
        return read_source(text if form == "text" else text.encode()).data

    assert read(MAX_DOCUMENT_BYTES)
    with pytest.raises(UnreadableDocument, match="larger than"):
        read(MAX_DOCUMENT_BYTES + 1)


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(UnreadableDocument, match="UTF-8") as refused:
        read_source(b"a: 1\nb: \xff")
    assert refused.value.line == 2
    with pytest.raises(UnreadableDocument, match="surrogate"):
        read_source("a: \ud800")


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_source("\ufeffa: 1".encode()).data == {"a": 1}
    assert read_source("\ufeffa: 1").data == {"a": 1}


def test_messages_are_short_whatever_the_text_says() -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_source("!" * 100_000)
    assert len(refused.value.detail) <= MAX_MESSAGE_CHARS


YAML = "a:\n  - b: 1\n    c: [x, yy]\n  - &n {d: 2}\ne/f~g: *n\n"
JSON = '{"a": [\n  {"b": 1,\n   "c": ["x", "yy"]},\n  {"d": 2}],\n "e/f~g": {"d": 2}}'


@pytest.mark.parametrize(
    ("pointer", "in_yaml", "in_json"),
    [
        ("", (1, 1), (1, 1)),
        ("/a", (2, 3), (1, 7)),
        ("/a/0/c/1", (3, 12), (3, 15)),
        ("/a/0/missing", (2, 5), (2, 3)),
        ("/a/7/x/y", (2, 3), (1, 7)),
        ("/a/-1", (2, 3), (1, 7)),
        ("/e~1f~0g", (5, 8), (5, 11)),
    ],
)
def test_values_are_located_by_pointer(pointer: str, in_yaml: tuple[int, int], in_json: tuple[int, int]) -> None:
    assert read_source(YAML).locate(pointer) == in_yaml
    assert read_source(JSON).locate(pointer) == in_json


def test_keys_are_located_by_pointer() -> None:
    assert read_source(YAML).locate_key("/a/0/c") == (3, 5)
    assert read_source(JSON).locate_key("/a/0/c") == (3, 4)
    assert read_source(YAML).locate_key("/a/0") == (2, 5)
    assert read_source(YAML).locate_key("/a/0/missing") == (2, 5)


def test_data_without_a_text_has_no_positions() -> None:
    source = source_of_data({"a": [1]})
    assert source.locate("/a/0") == source.locate_key("/a") == (0, 0)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {2}}, {"a": object()}, {"a": float("nan")}, {"\ud800": 1}, b"x"])
def test_data_that_is_not_json_is_refused(value: object) -> None:
    with pytest.raises(UnreadableDocument):
        source_of_data(value)


def test_data_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UnreadableDocument, match="nested deeper"):
        source_of_data({"a": loop})


def test_flow_style_yaml_is_read_although_it_begins_with_a_brace() -> None:
    assert read_source("{a: 1, b: [x, y]}").data == {"a": 1, "b": ["x", "y"]}


scraps = st.text(alphabet=" \n\t#:-'\"{}[]a0.e&*!|>%@`?,<~\\\u2028\ufeff", max_size=60)


@given(scraps)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        source = read_source(text)
    except UnreadableDocument as refused:
        assert refused.line >= 1
        assert refused.column >= 1
    else:
        assert source.locate("") >= (1, 1)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_source(data)
    except UnreadableDocument as refused:
        assert refused.detail


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ab/~"\\ é', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text('ab/~"\\ é', max_size=3), values, max_size=3), st.sampled_from([None, 1]))
def test_json_reads_to_its_data_and_every_pointer_has_a_place(data: dict[str, object], indent: int | None) -> None:
    text = json.dumps(data, indent=indent)
    source = read_source(text)
    assert source.data == data
    for key, value in data.items():
        line, column = source.locate("/" + key.replace("~", "~0").replace("/", "~1"))
        assert text.splitlines()[line - 1][column - 1 :].startswith(json.dumps(value, indent=indent)[:1])

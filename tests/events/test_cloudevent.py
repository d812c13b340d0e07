"""CloudEvents 1.0 in and out: three modes over HTTP, validation that says where, limits, time to live."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import CallerError
from penstock.events.cloudevent import (
    BATCH,
    STRUCTURED,
    EventError,
    event_ttl_ms,
    parse_http,
    parse_structured,
    to_batch,
    to_binary,
    to_structured,
)
from penstock.model.json_value import Json
from penstock.model.limits import (
    EVENT_TTL_MS,
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTE_NAME,
    MAX_BODY_BYTES,
    MAX_EVENT_ATTRIBUTES,
    MAX_EVENT_TTL_MS,
    MAX_EVENTS_PER_BATCH,
)

EVENT = {"specversion": "1.0", "id": "1", "source": "/a", "type": "com.example.a"}


def refusal_of(event: Json) -> EventError:
    with pytest.raises(EventError) as raised:
        parse_structured(event)
    return raised.value


def http_refusal_of(headers: dict[str, str], body: bytes) -> EventError:
    with pytest.raises(EventError) as raised:
        parse_http(headers, body)
    return raised.value


class TestStructured:
    def test_the_smallest_event(self):
        assert parse_structured(EVENT) == EVENT

    def test_everything_that_an_event_can_say(self):
        event = {
            **EVENT, "subject": "s", "time": "2025-02-28T23:59:60.123456789+01:00", "dataschema": "urn:x:y",
            "datacontenttype": "application/json; charset=utf-8", "triggeredid": "t",
            "count": -5, "flag": True,
            "data": {"a": None},
        }  # fmt: skip
        assert parse_structured(event) == event

    def test_null_attributes_are_left_out_and_null_data_stays(self):
        assert parse_structured({**EVENT, "subject": None, "data": None}) == {**EVENT, "data": None}

    def test_binary_data_stays_base64(self):
        assert parse_structured({**EVENT, "data_base64": "AP8="})["data_base64"] == "AP8="

    @pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
    def test_a_required_attribute_that_is_missing(self, name):
        for event in ({k: v for k, v in EVENT.items() if k != name}, {**EVENT, name: None}):
            error = refusal_of(event)
            assert error.pointer == f"/{name}"
            assert error.status == 400
            assert f"{name!r} is missing" in str(error)

    @pytest.mark.parametrize(
        ("change", "pointer"),
        [
            ({"specversion": "0.3"}, "/specversion"),
            ({"specversion": 1.0}, "/specversion"),
            ({"id": ""}, "/id"),
            ({"id": 7}, "/id"),
            ({"type": ""}, "/type"),
            ({"type": "a\nb"}, "/type"),
            ({"source": ""}, "/source"),
            ({"source": "a b"}, "/source"),
            ({"subject": ""}, "/subject"),
            ({"time": "yesterday"}, "/time"),
            ({"time": "2025-02-29T00:00:00Z"}, "/time"),
            ({"time": "2025-01-01T24:00:00Z"}, "/time"),
            ({"time": "2025-01-01T00:00:00"}, "/time"),
            ({"time": 0}, "/time"),
            ({"dataschema": "relative"}, "/dataschema"),
            ({"datacontenttype": "json"}, "/datacontenttype"),
            ({"Upper": "x"}, "/Upper"),
            ({"with_line": "x"}, "/with_line"),
            ({"": "x"}, "/"),
            ({"ext": {"a": 1}}, "/ext"),
            ({"ext": 1.5}, "/ext"),
            ({"ext": 2**31}, "/ext"),
            ({"data": 1, "data_base64": "AA=="}, "/data_base64"),
            ({"data_base64": "A"}, "/data_base64"),
            ({"data_base64": 5}, "/data_base64"),
            ({"penstockttl": "soon"}, "/penstockttl"),
            ({"penstockttl": -1}, "/penstockttl"),
            ({"penstockttl": True}, "/penstockttl"),
        ],
    )
    def test_a_mistake_is_told_with_its_place(self, change, pointer):
        error = refusal_of({**EVENT, **change})
        assert (error.status, error.pointer) == (400, pointer)
        (finding,) = error.errors
        assert finding.pointer == pointer
        assert isinstance(error, CallerError)

    @pytest.mark.parametrize("event", [None, [], "x", 5])
    def test_what_is_no_object(self, event):
        assert "JSON object" in str(refusal_of(event))

    def test_what_the_engine_cannot_carry(self):
        assert "64 bits" in str(refusal_of({**EVENT, "data": 2**65}))
        assert "surrogate" in str(refusal_of({**EVENT, "data": "\ud800"}))

    def test_limits_at_the_edge_and_one_over(self):
        most = {f"x{n}": "" for n in range(MAX_EVENT_ATTRIBUTES - len(EVENT))}
        assert len(parse_structured({**EVENT, **most, "data": 1})) == MAX_EVENT_ATTRIBUTES + 1
        assert refusal_of({**EVENT, **most, "more": ""}).status == 413
        assert parse_structured({**EVENT, "x": "a" * MAX_ATTRIBUTE_BYTES})
        assert refusal_of({**EVENT, "x": "a" * (MAX_ATTRIBUTE_BYTES + 1)}).status == 413
        assert parse_structured({**EVENT, "x" * MAX_ATTRIBUTE_NAME: ""})
        assert refusal_of({**EVENT, "x" * (MAX_ATTRIBUTE_NAME + 1): ""}).status == 413


class TestHttp:
    def test_structured_mode(self):
        headers = {"content-TYPE": f"{STRUCTURED.upper()}; charset=utf-8"}
        assert parse_http(headers, json.dumps(EVENT).encode()) == [EVENT]

    def test_plain_json_that_is_an_event(self):
        assert parse_http({"Content-Type": "application/json"}, json.dumps(EVENT).encode()) == [EVENT]

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"id":1}'])
    def test_plain_json_that_is_none(self, body):
        assert http_refusal_of({"Content-Type": "application/json"}, body).status == 400

    def test_batches(self):
        events = [EVENT, {**EVENT, "id": "2"}]
        assert parse_http({"Content-Type": BATCH}, json.dumps(events).encode()) == events
        assert parse_http({"Content-Type": BATCH}, b"[]") == []

    def test_a_batch_tells_which_event_is_wrong(self):
        body = json.dumps([EVENT, {**EVENT, "id": ""}]).encode()
        assert http_refusal_of({"Content-Type": BATCH}, body).pointer == "/1/id"
        assert http_refusal_of({"Content-Type": BATCH}, b"{}").status == 400

    def test_a_batch_at_the_limit_and_one_over(self):
        assert (
            len(parse_http({"Content-Type": BATCH}, to_batch([EVENT] * MAX_EVENTS_PER_BATCH))) == MAX_EVENTS_PER_BATCH
        )
        over = to_batch([EVENT] * (MAX_EVENTS_PER_BATCH + 1))
        assert http_refusal_of({"Content-Type": BATCH}, over).status == 413

    def test_binary_mode(self):
        headers = {
            "CE-SpecVersion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "t", "ce-count": "5",
            "ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80", "ce-quoted": '"a \\"b\\" c"',
            "Content-Type": "application/json", "X-Other": "y",
        }  # fmt: skip
        assert parse_http(headers, b'{"a":1}') == [
            {
                "specversion": "1.0", "id": "1", "source": "/a", "type": "t", "count": "5",
                "subject": "Euro € 😀", "quoted": 'a "b" c',
                "datacontenttype": "application/json", "data": {"a": 1},
            }
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("content_type", "body", "expected"),
        [
            ("text/plain", "grün".encode(), {"data": "grün"}),
            ("text/plain; charset=latin-1", b"gr\xfcn", {"data_base64": "Z3L8bg=="}),
            ("text/plain", b"\xff", {"data_base64": "/w=="}),
            ("application/octet-stream", b"\x00\xff", {"data_base64": "AP8="}),
            ("application/vnd.a+json", b"[1]", {"data": [1]}),
            ("", b"\x00", {"data_base64": "AA=="}),
            ("application/json", b"", {}),
        ],
    )
    def test_binary_mode_by_type_of_the_body(self, content_type, body, expected):
        headers = {f"ce-{name}": value for name, value in EVENT.items()}
        if content_type:
            headers["content-type"] = content_type
            expected = {**expected, "datacontenttype": content_type}
        assert parse_http(headers, body) == [{**EVENT, **expected}]

    @pytest.mark.parametrize(
        "change",
        [
            {"ce-data": "x"},
            {"ce-datacontenttype": "a/b"},
            {"ce-subject": "%ff"},
            {"ce-a_b": "x"},
            {"ce-id": ""},
        ],
    )
    def test_binary_mode_that_is_wrong(self, change):
        headers = {f"ce-{name}": value for name, value in EVENT.items()} | change
        assert http_refusal_of(headers, b"").status == 400

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "", "application/cloudevents+avro", "application/cloudevents-batch+protobuf"],
    )
    def test_types_that_hold_no_event(self, content_type):
        assert http_refusal_of({"Content-Type": content_type}, b"x").status == 415

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b"[" * 100_000])
    def test_bodies_that_are_no_json(self, body):
        assert http_refusal_of({"Content-Type": STRUCTURED}, body).status == 400

    def test_a_body_over_the_limit(self):
        assert http_refusal_of({"Content-Type": STRUCTURED}, b" " * (MAX_BODY_BYTES + 1)).status == 413


class TestOut:
    def test_structured_puts_the_data_last_and_leaves_nulls_out(self):
        out = to_structured({"data": None, "subject": None, **EVENT})
        assert list(out) == [*EVENT, "data"]

    def test_binary_escapes_what_no_header_may_hold(self):
        headers, body = to_binary({**EVENT, "subject": 'Euro "€" 100%', "flag": True, "n": -1, "data": {"a": 1}})
        assert headers["ce-subject"] == "Euro%20%22%E2%82%AC%22%20100%25"
        assert (headers["ce-flag"], headers["ce-n"]) == ("true", "-1")
        assert (headers["content-type"], body) == ("application/json", b'{"a":1}')

    def test_binary_of_a_text_and_of_bytes(self):
        assert to_binary({**EVENT, "datacontenttype": "text/plain", "data": "grün"})[1] == "grün".encode()
        assert to_binary({**EVENT, "data": "text"})[1] == b'"text"'
        assert to_binary({**EVENT, "data_base64": "AP8="})[1] == b"\x00\xff"
        assert to_binary(EVENT) == ({f"ce-{name}": value for name, value in EVENT.items()}, b"")

    @given(
        subject=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=50),
        data=st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.text(st.characters(exclude_categories=("Cs",))),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=3)
            ),
            max_leaves=10,
        ),
    )
    def test_what_goes_out_comes_back(self, subject, data):
        event = {**EVENT, "subject": subject, "datacontenttype": "application/json", "data": data}
        assert parse_http(*to_binary(event)) == [event]
        structured = msgspec.json.encode(to_structured(event))
        assert parse_http({"content-type": STRUCTURED}, structured) == [event]

    @given(
        body=st.binary(max_size=200),
        content_type=st.sampled_from([STRUCTURED, BATCH, "application/json", "text/plain", ""]),
        extra=st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=4),
    )
    def test_reading_ends_with_events_or_an_event_error(self, body, content_type, extra):
        headers = {
            "content-type": content_type,
            "ce-specversion": "1.0",
            **{f"ce-{k}": v for k, v in extra.items()},
        }
        try:
            parse_http(headers, body)
        except EventError as error:
            assert 400 <= error.status < 500


class TestTimeToLive:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (None, EVENT_TTL_MS), (0, 0), (90, 90_000), ("90", 90_000), ("PT1M30S", 90_000), ("PT0.5S", 500),
            (MAX_EVENT_TTL_MS // 1000, MAX_EVENT_TTL_MS), (MAX_EVENT_TTL_MS // 1000 + 1, MAX_EVENT_TTL_MS),
            ("P1Y", MAX_EVENT_TTL_MS), ("P1000Y", EVENT_TTL_MS), ("soon", EVENT_TTL_MS),
            (-1, EVENT_TTL_MS), ({"a": 1}, EVENT_TTL_MS),
        ],
    )  # fmt: skip
    def test_seconds_or_a_duration_within_the_limit(self, given, expected):
        event = EVENT if given is None else {**EVENT, "penstockttl": given}
        assert event_ttl_ms(event) == expected

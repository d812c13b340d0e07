"""From an OpenAPI or Swagger document to a request: where each parameter goes, and what is refused."""

import json

import pytest

from penstock.errors import CONFIGURATION, Fault
from penstock.model.json_value import Json
from penstock.tools.http_request import HttpRequest
from penstock.tools.openapi import prepare
from tests.conformance_data import conformance_dir

URI = "https://api.example/docs/openapi.json"


def document(parameters: Json = (), path: str = "/things", method: str = "get", **operation: Json) -> Json:
    return {
        "openapi": "3.1.0",
        "servers": [{"url": "https://api.example/v1/"}],
        "paths": {path: {method: {"operationId": "op", "parameters": list(parameters), **operation}}},
    }


def body(schema: Json = None, media_type: str = "application/json", required: bool = False) -> Json:
    return {"content": {media_type: {"schema": schema or {"type": "object"}}}, "required": required}


def parameter(name: str, place: str, **more: Json) -> Json:
    return {"name": name, "in": place, "schema": {}, **more}


def request_of(data: Json, parameters: Json = None, uri: str = URI, operation: Json = "op") -> HttpRequest:
    prepared = prepare(data, uri, operation, parameters)
    assert isinstance(prepared, HttpRequest), prepared
    return prepared


def refusal_of(data: Json, parameters: Json = None, operation: Json = "op") -> str:
    prepared = prepare(data, URI, operation, parameters)
    assert isinstance(prepared, Fault), prepared
    assert (prepared.type, prepared.status) == (CONFIGURATION, 400)
    return prepared.detail


class TestParameters:
    @pytest.mark.parametrize(
        ("style", "explode", "value", "expected"),
        [
            (None, None, "a/b c", "/v1/x/a%2Fb%20c"),
            ("simple", False, ["a", "b,c"], "/v1/x/a,b%2Cc"),
            ("simple", False, {"k": "v", "n": 1}, "/v1/x/k,v,n,1"),
            ("simple", True, {"k": "v", "n": 1}, "/v1/x/k=v,n=1"),
            ("label", False, ["a", "b"], "/v1/x/.a,b"),
            ("label", True, ["a", "b"], "/v1/x/.a.b"),
            ("label", True, {"k": "v", "n": 1}, "/v1/x/.k=v.n=1"),
            ("matrix", False, "a", "/v1/x/;p=a"),
            ("matrix", False, ["a", "b"], "/v1/x/;p=a,b"),
            ("matrix", True, ["a", "b"], "/v1/x/;p=a;p=b"),
            ("matrix", True, {"k": "v", "n": 1}, "/v1/x/;k=v;n=1"),
        ],
    )
    def test_styles_of_a_path(self, style, explode, value, expected):
        more = {} if style is None else {"style": style, "explode": explode}
        request = request_of(document([parameter("p", "path", **more)], "/x/{p}"), {"p": value})
        assert request.uri == "https://api.example" + expected

    @pytest.mark.parametrize(
        ("more", "value", "expected"),
        [
            ({}, True, "p=true"),
            ({}, "a&b=c", "p=a%26b%3Dc"),
            ({}, ["a", "b,c"], "p=a&p=b%2Cc"),
            ({}, {"k": "v", "n": 1}, "k=v&n=1"),
            ({"explode": False}, ["a", "b,c"], "p=a,b%2Cc"),
            ({"explode": False}, {"k": "v", "n": 1}, "p=k,v,n,1"),
            ({"style": "spaceDelimited", "explode": False}, ["a", "b"], "p=a%20b"),
            ({"style": "pipeDelimited", "explode": False}, ["a", "b"], "p=a%7Cb"),
            ({"style": "deepObject", "explode": True}, {"k": "v", "n": 1}, "p%5Bk%5D=v&p%5Bn%5D=1"),
            ({"allowReserved": True}, "a/b?c&d", "p=a/b?c%26d"),
            ({"content": {"application/json": {}}}, {"a": [1]}, "p=%7B%22a%22%3A%5B1%5D%7D"),
        ],
    )
    def test_styles_of_a_query(self, more, value, expected):
        assert (
            request_of(document([parameter("p", "query", **more)]), {"p": value}).uri
            == f"https://api.example/v1/things?{expected}"
        )

    def test_an_empty_list_and_null_say_nothing(self):
        found = request_of(document([parameter("p", "query"), parameter("q", "query")]), {"p": [], "q": None})
        assert found.uri == "https://api.example/v1/things"

    def test_headers_and_cookies(self):
        declared = [parameter("X-List", "header"), parameter("sid", "cookie"), parameter("lang", "cookie")]
        request = request_of(document(declared), {"x-list": [1, 2], "sid": "a b", "lang": "en"})
        assert request.header("X-List") == "1,2"
        assert request.header("Cookie") == "sid=a%20b; lang=en"

    def test_those_of_the_path_count_and_the_operation_wins(self):
        data = document([parameter("q", "query", required=True)])
        data["paths"]["/things"]["parameters"] = [
            parameter("q", "query", explode=False),
            parameter("r", "query"),
        ]
        assert request_of(data, {"q": ["a", "b"], "r": 1}).uri.endswith("?q=a&q=b&r=1")

    def test_a_required_one_that_is_missing_is_named(self):
        assert "'q' is required" in refusal_of(document([parameter("q", "query", required=True)]))
        assert "'p' is required" in refusal_of(document([parameter("p", "path")], "/x/{p}"))

    def test_a_required_one_with_a_default_takes_it(self):
        declared = parameter("q", "query", required=True, schema={"default": 5})
        assert request_of(document([declared])).uri.endswith("?q=5")

    def test_authorization_may_come_from_elsewhere(self):
        assert request_of(document([parameter("Authorization", "header", required=True)])).headers == ()

    def test_an_unknown_one_is_refused_with_a_suggestion(self):
        detail = refusal_of(document([parameter("status", "query")]), {"stauts": 1})
        assert "no parameter 'stauts'" in detail
        assert "'status'" in detail

    @pytest.mark.parametrize("value", ["", ".", "..", [], {}])
    def test_a_path_cannot_be_left(self, value):
        assert "must not be empty" in refusal_of(document([parameter("p", "path")], "/x/{p}"), {"p": value})

    @pytest.mark.parametrize(("place", "style"), [("query", "matrix"), ("path", "deepObject"), ("query", "simple")])
    def test_a_style_in_the_wrong_place_is_refused(self, place, style):
        declared = parameter("p", place, style=style)
        assert style in refusal_of(document([declared], "/x/{p}" if place == "path" else "/x"), {"p": {"a": 1}})

    def test_a_header_cannot_break_out(self):
        assert "line break" in refusal_of(document([parameter("X", "header")]), {"X": "a\r\nY: b"})


class TestBody:
    def test_what_no_parameter_claims_is_the_body(self):
        data = document([parameter("q", "query")], method="post", requestBody=body())
        request = request_of(data, {"q": 1, "name": "a", "tags": ["x"]})
        assert request.method == "POST"
        assert request.body is not None
        assert json.loads(request.body) == {"name": "a", "tags": ["x"]}
        assert request.header("Content-Type") == "application/json"

    def test_a_body_that_is_no_object_is_given_as_body(self):
        data = document(method="post", requestBody=body({"type": "array"}))
        assert request_of(data, {"body": [1, 2]}).body == b"[1,2]"

    def test_a_member_called_body_stays_a_member(self):
        data = document(method="post", requestBody=body({"properties": {"body": {}}}))
        assert request_of(data, {"body": "text"}).body == b'{"body":"text"}'

    def test_a_form(self):
        data = document(method="post", requestBody=body(media_type="application/x-www-form-urlencoded"))
        request = request_of(data, {"a": "b c", "n": [1, 2]})
        assert request.body == b"a=b%20c&n=1&n=2"
        assert request.header("Content-Type") == "application/x-www-form-urlencoded"

    def test_a_text(self):
        data = document(method="post", requestBody=body(media_type="text/plain"))
        assert request_of(data, {"body": "hello"}).body == b"hello"

    def test_a_required_one_that_is_missing(self):
        assert "body is required" in refusal_of(document(method="post", requestBody=body(required=True)))
        assert request_of(document(method="post", requestBody=body())).body is None

    def test_one_that_cannot_be_made(self):
        data = document(method="post", requestBody=body(media_type="multipart/form-data"))
        assert "multipart/form-data" in refusal_of(data, {"a": 1})


class TestDocument:
    def test_a_server_is_relative_to_the_document(self):
        for servers, expected in [
            ([{"url": "/v2"}], "https://api.example/v2/things"),
            ([{"url": "v3"}], "https://api.example/docs/v3/things"),
            ([], "https://api.example/things"),
            (
                [{"url": "http://{h}/x", "variables": {"h": {"default": "h.example"}}}],
                "http://h.example/x/things",
            ),
            ([{"url": "wss://h.example"}, {"url": "https://ok.example"}], "https://ok.example/things"),
        ]:
            assert request_of({**document(), "servers": servers}).uri == expected

    def test_the_nearest_servers_win(self):
        assert request_of(document(servers=[{"url": "https://near.example"}])).uri == "https://near.example/things"

    def test_local_references_are_followed(self):
        data = document(
            [{"$ref": "#/components/parameters/Q"}],
            method="post",
            requestBody={"$ref": "#/components/requestBodies/B"},
        )
        data["components"] = {
            "parameters": {
                "Q": {"$ref": "#/components/parameters/a~1b"},
                "a/b": parameter("q", "query", schema={"$ref": "#/components/schemas/S"}),
            },
            "requestBodies": {"B": body({"$ref": "#/components/schemas/O"})},
            "schemas": {"S": {"type": "string"}, "O": {"properties": {"body": {}}}},
        }
        request = request_of(data, {"q": 1, "body": 2})
        assert request.uri.endswith("?q=1")
        assert request.body == b'{"body":2}'

    @pytest.mark.parametrize(
        ("reference", "words"),
        [
            ("other.json#/Q", "another one"),
            ("#/nowhere", "does not have"),
            ("#/paths/~1things/get/parameters/0", "one after the other"),
        ],
    )
    def test_references_that_lead_nowhere(self, reference, words):
        assert words in refusal_of(document([{"$ref": reference}]))

    def test_an_unknown_operation_is_refused_with_a_suggestion(self):
        data = document(operationId="getPetById")
        assert "did you mean 'getPetById'" in refusal_of(data, operation="getPetByID")
        assert "no operation 'op'" in refusal_of({"openapi": "3.0.0"})

    @pytest.mark.parametrize("data", [{}, [], None, "x", {"swagger": "1.2"}, {"openapi": "2.0"}, {"asyncapi": "3.0.0"}])
    def test_another_kind_of_document(self, data):
        assert "neither OpenAPI" in refusal_of(data)

    def test_broken_documents_are_refused_not_raised(self):
        for paths in [
            None,
            [],
            {"/x": None},
            {"/x": {"get": []}},
            {"/x": {"get": {"operationId": "op", "parameters": {}}}},
        ]:
            prepare({"openapi": "3.0.0", "paths": paths}, URI, "op", {})
        assert "must be an object" in refusal_of(document(), [1])
        assert "must be a text" in refusal_of(document(), operation=5)


class TestSwagger:
    def swagger(self, parameters: Json, method: str = "post", **more: Json) -> Json:
        return {
            "swagger": "2.0",
            "host": "pets.example",
            "basePath": "/v2/",
            "paths": {"/pet": {method: {"operationId": "op", "parameters": parameters}}},
            **more,
        }

    def test_the_scheme_is_the_documents_own_if_it_may_be(self):
        assert request_of(self.swagger([], schemes=["http", "https"])).uri == "https://pets.example/v2/pet"
        assert request_of(self.swagger([], schemes=["http"])).uri == "http://pets.example/v2/pet"
        assert request_of(self.swagger([]), uri="http://x.example/s.json").uri == "http://pets.example/v2/pet"

    def test_without_a_host_it_is_that_of_the_document(self):
        data = {**self.swagger([]), "host": None}
        assert request_of(data).uri == "https://api.example/v2/pet"

    @pytest.mark.parametrize(
        ("collection", "expected"),
        [
            (None, "s=a,b"),
            ("csv", "s=a,b"),
            ("ssv", "s=a%20b"),
            ("tsv", "s=a%09b"),
            ("pipes", "s=a%7Cb"),
            ("multi", "s=a&s=b"),
        ],
    )
    def test_collection_formats(self, collection, expected):
        declared = {
            "name": "s",
            "in": "query",
            "type": "array",
            **({"collectionFormat": collection} if collection else {}),
        }
        assert request_of(self.swagger([declared], "get"), {"s": ["a", "b"]}).uri.endswith("?" + expected)

    def test_a_body_by_name_or_by_its_members(self):
        data = self.swagger([{"name": "pet", "in": "body", "required": True, "schema": {}}])
        assert request_of(data, {"pet": {"id": 1}}).body == b'{"id":1}'
        assert request_of(data, {"id": 1, "name": "a"}).body == b'{"id":1,"name":"a"}'
        assert "body is required" in refusal_of(data)

    def test_form_data(self):
        data = self.swagger([{"name": "a", "in": "formData", "type": "string"}, {"name": "b", "in": "formData"}])
        request = request_of(data, {"a": "x y", "b": 2})
        assert request.body == b"a=x%20y&b=2"
        assert request.header("Content-Type") == "application/x-www-form-urlencoded"

    def test_a_file_cannot_be_sent(self):
        data = self.swagger([{"name": "f", "in": "formData", "type": "file"}], consumes=["multipart/form-data"])
        assert "file" in refusal_of(data, {"f": "x"})


@pytest.mark.parametrize(
    "name", ["openapi-post-query-header-body", "openapi-output-response", "openapi-error-status-faults"]
)
def test_the_conformance_cases_give_the_request_that_they_expect(name):
    text = (conformance_dir() / "serverless-workflow" / "cases" / f"{name}.json").read_text()
    case = json.loads(text.replace("{{port}}", "8080"))
    mocks = case["http_mocks"]
    given = case["workflow"]["do"][0]["callIt"]["with"]
    description = mocks[0]["response"]["json"]
    request = request_of(description, given["parameters"], given["document"]["endpoint"], given["operationId"])
    expected = mocks[-1]
    target, _, query = request.uri.partition("?")
    assert request.method == expected["method"]
    assert target == "http://127.0.0.1:8080" + expected["path"]
    for key, value in expected.get("query", {}).items():
        assert f"{key}={value}" in query.split("&")
    if "json" in expected:
        assert request.body is not None
        assert json.loads(request.body) == expected["json"]
        assert request.header("Authorization") == expected["headers"]["Authorization"]

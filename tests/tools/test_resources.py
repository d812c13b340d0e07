"""Documents fetched at deploy: YAML or JSON, with or without credentials, under limits."""

from hashlib import sha256

import pytest

from penstock.errors import CallerError
from penstock.model.limits import MAX_DOCUMENT_BYTES
from penstock.tools.resources import ResourceFetcher, ResourceUnavailable


@pytest.fixture
def fetcher(client) -> ResourceFetcher:
    return ResourceFetcher(client)


async def test_yaml_and_json(fetcher, service):
    text = "on: yes\nnumber: 0o10\n"
    uri = service.on("/f.yaml", text=text)
    found = await fetcher.fetch(uri)
    assert (found.uri, found.text, found.data) == (uri, text, {"on": "yes", "number": 8})
    assert found.sha256 == sha256(text.encode()).hexdigest()
    assert (await fetcher.fetch(service.on("/f.json", text='{"a":[1]}'))).data == {"a": [1]}


async def test_redirects_are_followed(fetcher, service):
    service.on("/new", text="a: 1")
    uri = service.on("/old", status=302, headers={"Location": "/new"})
    assert (await fetcher.fetch(uri)).data == {"a": 1}


async def test_credentials(fetcher, service):
    uri = service.on("/f", text="a: 1")
    await fetcher.fetch(uri, {"bearer": {"use": "key"}}, secret=lambda _: {"token": "t"})
    assert service.seen[0].headers["Authorization"] == "Bearer t"
    with pytest.raises(ResourceUnavailable, match="'key' does not exist"):
        await fetcher.fetch(uri, {"bearer": {"use": "key"}})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"status": 404}, "answered 404"),
        ({"text": "a: [1"}, "line 1"),
        ({"text": "a: 1\na: 2"}, "line 2"),
        ({"body": b"\xff\xfe"}, "not UTF-8"),
        ({"text": "x" * (MAX_DOCUMENT_BYTES + 1)}, str(MAX_DOCUMENT_BYTES)),
    ],
)
async def test_what_cannot_be_had_is_told_with_its_uri(fetcher, service, given, words):
    uri = service.on("/f", **given)
    with pytest.raises(ResourceUnavailable) as raised:
        await fetcher.fetch(uri)
    assert isinstance(raised.value, CallerError)
    assert raised.value.status == 422
    assert uri in str(raised.value)
    assert words in str(raised.value)


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "x.yaml", "http://169.254.169.254/x"])
async def test_only_http_to_allowed_addresses(fetcher, uri):
    with pytest.raises(ResourceUnavailable):
        await fetcher.fetch(uri)


async def test_a_document_at_the_limit_is_taken(fetcher, service):
    text = "a: " + "x" * (MAX_DOCUMENT_BYTES - 3)
    assert (await fetcher.fetch(service.on("/f", text=text))).text == text

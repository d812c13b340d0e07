"""Fetches what a definition refers to when it is deployed: schemas, functions, API descriptions."""

from collections.abc import Callable
from hashlib import sha256

import msgspec

from penstock.errors import Fault, Unprocessable
from penstock.model.json_value import Json
from penstock.model.limits import FETCH_TIMEOUT_MS, MAX_DOCUMENT_BYTES
from penstock.model.source import UnreadableDocument, read_source
from penstock.tools.authentication import authorization_of
from penstock.tools.contract import SecretUnavailable
from penstock.tools.http_client import HttpClient
from penstock.tools.http_output import fault_of_status
from penstock.tools.http_request import HttpRequest, InvalidRequest, target_of


class ResourceUnavailable(Unprocessable):
    """A document that the definition refers to cannot be had, or is no YAML or JSON."""

    title = "Resource not available"


class FetchedResource(msgspec.Struct, frozen=True):
    """A document as it was at deploy. `uri` is what was asked for, `sha256` the hash of its bytes in hex."""

    uri: str
    data: Json
    text: str
    sha256: str


def no_secret(name: str) -> Json:
    """For documents that need no secret."""
    raise SecretUnavailable(f"the secret {name!r} does not exist")


class ResourceFetcher:
    """Fetches over the connections (and under the address policy) of calls; follows redirects."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def fetch(
        self,
        endpoint_uri: str,
        authentication: Json = None,
        *,
        secret: Callable[[str], Json] = no_secret,
        timeout_ms: int = FETCH_TIMEOUT_MS,
    ) -> FetchedResource:
        """The document at an absolute http(s) URI, at most `MAX_DOCUMENT_BYTES`.

        `authentication` has the shape A of `Invoke`. Raises `ResourceUnavailable`, whose message names the
        URI and the reason, but no credential.
        """
        request = self._request(endpoint_uri, authentication, secret)
        response = await self._client.exchange(
            request, timeout_ms=timeout_ms, redirect=True, max_body_bytes=MAX_DOCUMENT_BYTES
        )
        if isinstance(response, Fault):
            raise _unavailable(endpoint_uri, response.detail)
        if not 200 <= response.status < 300:
            raise _unavailable(endpoint_uri, fault_of_status(response).detail)
        try:
            text = response.body.decode("utf-8-sig")
            data = read_source(text, name=endpoint_uri).data
        except UnicodeDecodeError:
            raise _unavailable(endpoint_uri, "it is not UTF-8") from None
        except UnreadableDocument as error:
            raise _unavailable(endpoint_uri, f"line {error.line}, column {error.column}: {error}") from None
        return FetchedResource(endpoint_uri, data, text, sha256(response.body).hexdigest())

    def _request(self, uri: str, authentication: Json, secret: Callable[[str], Json]) -> HttpRequest:
        try:
            request = HttpRequest("GET", target_of(uri))
        except InvalidRequest as error:
            raise _unavailable(uri, str(error)) from None
        request = request.with_header("Accept", "application/json, application/yaml, text/yaml, */*;q=0.5")
        if authentication is None:
            return request
        authorization = authorization_of(authentication, secret)
        if isinstance(authorization, Fault):
            raise _unavailable(uri, authorization.detail)
        return request.with_header("Authorization", authorization.header)


def _unavailable(uri: str, reason: str) -> ResourceUnavailable:
    return ResourceUnavailable(f"{uri[:300]} cannot be fetched: {reason}")

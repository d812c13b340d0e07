"""Checks the settings of the oauth2 and oidc authentications, which load but do not run yet."""

from typing import Final

from penstock.model.readers.node import Fields, Node
from penstock.model.readers.values import read_call_text, read_choice

_KEYS: Final = (
    "authority", "grant", "client", "request", "issuers", "scopes", "audiences",
    "username", "password", "subject", "actor",
)  # fmt: skip
_GRANTS: Final = (
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
_CLIENT_METHODS: Final = (
    "client_secret_post",
    "client_secret_basic",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
)
_ENCODINGS: Final = ("application/x-www-form-urlencoded", "application/json")


def check_oauth(settings: Node, *, endpoints: bool) -> None:
    """`endpoints` tells oauth2 from oidc, which discovers them."""
    fields = Fields(settings, (*_KEYS, "endpoints") if endpoints else _KEYS)
    for key in ("authority", "username", "password"):
        fields.read(key, read_call_text, "")
    fields.read("grant", lambda node: read_choice(node, _GRANTS), "")
    fields.read("client", _check_client, None)
    fields.read("request", _check_request, None)
    fields.read("endpoints", _check_endpoints, None)
    for key in ("issuers", "scopes", "audiences"):
        fields.read(key, _check_texts, None)
    for key in ("subject", "actor"):
        fields.read(key, _check_token, None)


def _check_client(node: Node) -> None:
    fields = Fields(node, ("id", "secret", "assertion", "authentication"))
    for key in ("id", "secret", "assertion"):
        fields.read(key, read_call_text, "")
    fields.read("authentication", lambda member: read_choice(member, _CLIENT_METHODS), "")


def _check_request(node: Node) -> None:
    Fields(node, ("encoding",), open_=True).read("encoding", lambda member: read_choice(member, _ENCODINGS), "")


def _check_endpoints(node: Node) -> None:
    fields = Fields(node, ("token", "revocation", "introspection"), open_=True)
    for key in ("token", "revocation", "introspection"):
        fields.read(key, read_call_text, "")


def _check_texts(node: Node) -> None:
    for item in node.items():
        read_call_text(item)


def _check_token(node: Node) -> None:
    fields = Fields(node, ("token", "type"), ("token", "type"))
    fields.read("token", read_call_text, "")
    fields.read("type", read_call_text, "")

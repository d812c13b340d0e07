"""From an `authentication` of the DSL to the scheme and parameter of an `Authorization` header."""

import base64
from collections.abc import Callable
from typing import cast

import msgspec

from penstock import errors
from penstock.errors import Fault
from penstock.model.json_value import Json
from penstock.tools.contract import SecretUnavailable


class Authorization(msgspec.Struct, frozen=True):
    """`$authorization` of the DSL, and the value of the header. A credential: never logged."""

    scheme: str
    parameter: str

    @property
    def header(self) -> str:
        return f"{self.scheme} {self.parameter}"

    def __repr__(self) -> str:
        return f"Authorization(scheme={self.scheme!r}, parameter='***')"


def authorization_of(authentication: Json, secret: Callable[[str], Json]) -> Authorization | Fault:
    """The credentials of `{"basic": …}` or `{"bearer": …}`, whose fields are given or in a secret (`use`).

    `secret` gives a value or raises `SecretUnavailable`, which becomes authorization/403 (DSL, "Secret");
    fields that are missing or unfit become authentication/401.
    """
    if not isinstance(authentication, dict) or len(cast("dict[str, Json]", authentication)) != 1:
        return _configuration("the authentication must have exactly one scheme")
    ((scheme, given),) = cast("dict[str, Json]", authentication).items()
    if scheme not in ("basic", "bearer"):
        return _configuration(f"the authentication scheme {scheme!r} is not available; use basic or bearer")
    fields = _fields(scheme, given, secret)
    if isinstance(fields, Fault):
        return fields
    return _basic(fields) if scheme == "basic" else _bearer(fields)


def _fields(scheme: str, given: Json, secret: Callable[[str], Json]) -> dict[str, Json] | Fault:
    if not isinstance(given, dict):
        return _configuration(f"the authentication {scheme!r} must be an object")
    members = cast("dict[str, Json]", given)
    if "use" not in members:
        return members
    name = members["use"]
    if not isinstance(name, str):
        return _configuration(f"`use` of the authentication {scheme!r} must be the name of a secret")
    try:
        value = secret(name)
    except SecretUnavailable as error:
        return Fault(errors.AUTHORIZATION, 403, "Secret not available", str(error))
    if not isinstance(value, dict):
        return _unusable(f"the secret {name!r} is not an object with the fields of {scheme!r}")
    return cast("dict[str, Json]", value)


def _basic(fields: dict[str, Json]) -> Authorization | Fault:
    username, password = fields.get("username"), fields.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        return _unusable("basic authentication needs the texts `username` and `password`")
    if ":" in username:
        return _unusable("the username of basic authentication must not hold a colon")
    text = f"{username}:{password}".encode("utf-8", "surrogatepass")
    return Authorization("Basic", base64.b64encode(text).decode())


def _bearer(fields: dict[str, Json]) -> Authorization | Fault:
    token = fields.get("token")
    if not isinstance(token, str) or not token:
        return _unusable("bearer authentication needs the text `token`")
    if not token.isascii() or any(character <= " " or character == "\x7f" for character in token):
        return _unusable("the token of bearer authentication holds characters that no header may hold")
    return Authorization("Bearer", token)


def _configuration(detail: str) -> Fault:
    return Fault(errors.CONFIGURATION, 400, "Invalid authentication", detail)


def _unusable(detail: str) -> Fault:
    return Fault(errors.AUTHENTICATION, 401, "Unusable credentials", detail)

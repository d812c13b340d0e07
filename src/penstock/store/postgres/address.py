"""A store's URL taken apart: what goes to the driver, the schema that is ours, and what people may see of it."""

import re
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from penstock.errors import CallerError
from penstock.store.open import shown_url

_USUAL_SCHEMA: Final = "penstock"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Address(msgspec.Struct, frozen=True):
    """Where a store is. `dsn` may hold a password and is never shown; `place` never holds one."""

    dsn: str
    schema: str
    place: str

    def lock_key(self, purpose: str) -> int:
        """The advisory lock of this schema for a purpose, as PostgreSQL's signed 64 bits. Locks are per database."""
        digest = blake2b(f"penstock/{purpose}/{self.schema}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)


def parse_address(url: str) -> Address:
    """`postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME` and what else libpq takes in such a URL.

    `schema` (or `search_path`, with one name) is where the tables lie; `penstock` when absent. Raises `CallerError`
    without repeating the URL.
    """
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        _ = parts.port  # a bad one is a ValueError
    except ValueError as error:
        raise CallerError("the URL of the PostgreSQL store cannot be read") from error
    schema = query.pop("schema", None) or query.pop("search_path", None) or _USUAL_SCHEMA
    query.pop("search_path", None)
    if not _SCHEMA.fullmatch(schema):
        raise CallerError("the schema in the store's URL is not a name: small letters, digits and _, at most 63")
    place = shown_url(url) if schema == _USUAL_SCHEMA else f"{shown_url(url)}?schema={schema}"
    return Address(parts._replace(query=urlencode(query)).geturl(), schema, place)

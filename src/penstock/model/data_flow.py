"""What shapes data: schemas, input, output, export, external resources, endpoints and authentication."""

from typing import Literal

import msgspec

from penstock.model.json_value import Json


class BasicAuthentication(msgspec.Struct, frozen=True, tag="basic", omit_defaults=True):
    """Literal or `${ }` credentials, or `use`: the name of a secret that holds both fields."""

    username: str = ""
    password: str = ""
    use: str | None = None


class BearerAuthentication(msgspec.Struct, frozen=True, tag="bearer", omit_defaults=True):
    """A literal or `${ }` token, or `use`: the name of a secret with a `token` field."""

    token: str = ""
    use: str | None = None


class OtherAuthentication(msgspec.Struct, frozen=True, tag="other"):
    """A policy that loads but does not run yet: digest, oauth2, oidc."""

    scheme: Literal["digest", "oauth2", "oidc"]
    settings: Json


Authentication = BasicAuthentication | BearerAuthentication | OtherAuthentication


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """`uri` as written: a literal, a URI template, or a whole-string `${ }` expression."""

    uri: str
    authentication: Authentication | None = None  # references to use.authentications are already resolved


class ExternalResource(msgspec.Struct, frozen=True, omit_defaults=True):
    """A document somewhere else; the shell fetches it at deploy and pins it by hash."""

    endpoint: Endpoint
    name: str | None = None


class SchemaReference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schema: `resource` when it lies elsewhere, else the inline `document` (which may be any JSON)."""

    document: Json = None
    resource: ExternalResource | None = None
    format: str = "json"


class InputDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """`from_` is None when absent; a string is an expression, an object is walked."""

    schema: SchemaReference | None = None
    from_: Json = None


class OutputDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """`as_` is None when absent; a string is an expression, an object is walked. Also used for `export`."""

    schema: SchemaReference | None = None
    as_: Json = None

"""Readers of schemas, input, output, export, endpoints, external resources and authentication."""

import re
from typing import Final, Literal, assert_never

from penstock.model.data_flow import (
    Authentication,
    BasicAuthentication,
    BearerAuthentication,
    Endpoint,
    ExternalResource,
    InputDefinition,
    OtherAuthentication,
    OutputDefinition,
    SchemaReference,
)
from penstock.model.plain_data import is_map
from penstock.model.readers.node import Fields, Node
from penstock.model.readers.oauth import check_oauth
from penstock.model.readers.values import (
    is_expression,
    note_text,
    read_call_text,
    read_name,
    read_text,
    read_transform,
)

_URI: Final = re.compile(r"([^:/?#\s]+:)?(//[^/?#\s]*)?[^?#\s]*(\?[^#\s]*)?(#\S*)?")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://.*", re.DOTALL)
_BRACES: Final = re.compile(r"\{[^{}\s]+\}")
_SCHEMES: Final = ("basic", "bearer", "digest", "oauth2", "oidc")
_JSON_FORMAT: Final = re.compile(r"json(:.+)?")


def read_uri(node: Node) -> str:
    """A URI, a relative reference, a URI template of `{name}` parts, or a `${ }` expression."""
    text = read_text(node)
    if not isinstance(node.value, str):
        return text
    note_text(node, "call")
    if is_expression(text):
        return text
    if not text or not _URI.fullmatch(_BRACES.sub("x", text)):
        node.error(f"{text[:120]!r} is no URI, URI template or ${{ }} expression", "uri")
    elif re.search(r"[{}]", _BRACES.sub("", text)):
        node.error(f"the braces of the URI template {text[:120]!r} do not pair up", "uri-template")
    return text


def is_relative(uri: str) -> bool:
    """Whether a literal URI names no scheme; templates and expressions may turn out absolute."""
    return not (is_expression(uri) or _ABSOLUTE.match(uri) or uri.startswith("{"))


def read_endpoint(node: Node) -> Endpoint:
    if isinstance(node.value, str):
        return Endpoint(uri=read_uri(node))
    if not is_map(node.value):
        node.wrong_type("a URI or a map with the key 'uri'")
        return Endpoint(uri="")
    fields = Fields(node, ("uri", "authentication"), ("uri",))
    return Endpoint(
        uri=fields.read("uri", read_uri, ""),
        authentication=fields.read("authentication", read_authentication, None),
    )


def read_resource(node: Node) -> ExternalResource:
    fields = Fields(node, ("name", "endpoint"), ("endpoint",))
    endpoint = fields.read("endpoint", read_endpoint, Endpoint(uri=""))
    return ExternalResource(endpoint=endpoint, name=fields.read("name", read_text, None))


def read_schema(node: Node) -> SchemaReference:
    fields = Fields(node, ("format", "document", "resource"))
    if fields.has("document") == fields.has("resource"):
        node.error("a schema has either 'document' or 'resource'", "schema")
    format_ = fields.read("format", read_text, "json")
    node.reading.note("schema" if _JSON_FORMAT.fullmatch(format_) else "schema-format", node.pointer)
    if not fields.has("resource"):
        return SchemaReference(document=fields.plain("document"), format=format_)
    node.reading.note("schema-resource", node.pointer)
    return SchemaReference(resource=fields.read("resource", read_resource, None), format=format_)


def read_input(node: Node) -> InputDefinition:
    fields = Fields(node, ("schema", "from"))
    schema = fields.read("schema", read_schema, None)
    return InputDefinition(schema=schema, from_=fields.read("from", read_transform, None))


def read_output(node: Node) -> OutputDefinition:
    """`output` and `export`, which have the same shape."""
    fields = Fields(node, ("schema", "as"))
    schema = fields.read("schema", read_schema, None)
    return OutputDefinition(schema=schema, as_=fields.read("as", read_transform, None))


def read_authentication(node: Node) -> Authentication | None:
    """A policy inline, or `use`: the name of one under `use.authentications`."""
    if not is_map(node.value) or "use" not in node.value:
        return read_policy(node)
    fields = Fields(node, ("use",))
    name = fields.read("use", read_name, "")
    known = node.reading.authentications
    if name in known:
        policy = known[name]
        node.reading.note(f"authentication-{scheme_of(policy)}", node.pointer)
        return policy
    fields.node_of("use").error(
        f"no authentication {name[:100]!r} under use.authentications{node.reading.suggest(name, known)}",
        "unknown-reference",
    )
    return None


def scheme_of(policy: Authentication) -> str:
    """The scheme as the DSL spells it."""
    match policy:
        case BasicAuthentication():
            return "basic"
        case BearerAuthentication():
            return "bearer"
        case OtherAuthentication():
            return policy.scheme
        case _:
            assert_never(policy)


def read_policy(node: Node) -> Authentication | None:
    """An authentication policy that is written out."""
    fields = Fields(node, _SCHEMES)
    schemes = [scheme for scheme in _SCHEMES if fields.has(scheme)]
    if len(schemes) != 1:
        if is_map(node.value):
            node.error(f"an authentication has exactly one of {', '.join(_SCHEMES)}", "authentication")
        return None
    settings = fields.node_of(schemes[0])
    match schemes[0]:
        case "basic":
            return _read_basic(settings)
        case "bearer":
            return _read_bearer(settings)
        case "digest":
            return _read_other(settings, "digest")
        case "oauth2":
            return _read_other(settings, "oauth2")
        case _:
            return _read_other(settings, "oidc")


def _names_secret(settings: Node) -> str | None:
    """The secret under `use`, which must be declared; None when the fields stand inline."""
    if not is_map(settings.value) or "use" not in settings.value:
        return None
    fields = Fields(settings, ("use",))
    name = fields.read("use", read_name, "")
    known = settings.reading.secrets
    if name not in known:
        fields.node_of("use").error(
            f"no secret {name[:100]!r} under use.secrets{settings.reading.suggest(name, known)}",
            "unknown-secret",
        )
    return name


def _read_basic(settings: Node) -> BasicAuthentication:
    settings.reading.note("authentication-basic", settings.pointer)
    secret = _names_secret(settings)
    if secret is not None:
        return BasicAuthentication(use=secret)
    fields = Fields(settings, ("username", "password"), ("username", "password"))
    username = fields.read("username", read_call_text, "")
    return BasicAuthentication(username=username, password=fields.read("password", read_call_text, ""))


def _read_bearer(settings: Node) -> BearerAuthentication:
    settings.reading.note("authentication-bearer", settings.pointer)
    secret = _names_secret(settings)
    if secret is not None:
        return BearerAuthentication(use=secret)
    fields = Fields(settings, ("token",), ("token",))
    return BearerAuthentication(token=fields.read("token", read_call_text, ""))


def _read_other(settings: Node, scheme: Literal["digest", "oauth2", "oidc"]) -> OtherAuthentication:
    settings.reading.note(f"authentication-{scheme}", settings.pointer)
    if _names_secret(settings) is None:
        if scheme == "digest":
            fields = Fields(settings, ("username", "password"), ("username", "password"))
            fields.read("username", read_call_text, "")
            fields.read("password", read_call_text, "")
        else:
            check_oauth(settings, endpoints=scheme == "oauth2")
    return OtherAuthentication(scheme=scheme, settings=settings.value)

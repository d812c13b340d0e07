"""Fetches the documents that a workflow refers to when it is deployed, so that its runs need nobody for them."""

from typing import Final

from penstock.errors import Fault, Unprocessable
from penstock.expressions import strip_wrapper
from penstock.kernel import Resources, ResourceUse, external_resources
from penstock.kernel.values import NULL
from penstock.model.data_flow import Authentication, BasicAuthentication, BearerAuthentication
from penstock.model.diagnostics import Diagnostic
from penstock.model.json_value import Json
from penstock.model.limits import MAX_RESOURCES
from penstock.model.workflow import Workflow
from penstock.runtime.evaluate import Evaluator
from penstock.runtime.secret_values import Secrets
from penstock.tools.resources import ResourceFetcher, ResourceUnavailable

_ROUNDS: Final = 2  # what a workflow names, and what the functions among it name


class Pinning:
    """Every document is fetched once per deploy and kept with the definition."""

    def __init__(self, fetcher: ResourceFetcher, evaluator: Evaluator, secrets: Secrets) -> None:
        self._fetcher = fetcher
        self._evaluator = evaluator
        self._secrets = secrets

    async def fetch(self, workflow: Workflow) -> dict[str, Json]:
        """The documents by URI. Raises `Unprocessable` naming the place in the workflow."""
        documents: dict[str, Json] = {}
        for _ in range(_ROUNDS):
            uses = [use for use in external_resources(workflow, Resources(documents)) if use.uri not in documents]
            if not uses:
                break
            if len(documents) + len(uses) > MAX_RESOURCES:
                raise Unprocessable(f"the workflow refers to more than {MAX_RESOURCES} documents")
            for use in uses:
                documents[use.uri] = await self._one(workflow, use)
        return documents

    async def _one(self, workflow: Workflow, use: ResourceUse) -> Json:
        try:
            authentication = await self._authentication(workflow, use.authentication)
            found = await self._fetcher.fetch(
                use.uri, authentication, secret=lambda name: self._secrets.value_for(name, workflow)
            )
        except ResourceUnavailable as error:
            finding = Diagnostic("error", use.pointer, error.detail, "resource")
            raise Unprocessable(error.detail, errors=(finding,)) from None
        return found.data

    async def _authentication(self, workflow: Workflow, policy: Authentication | None) -> Json:
        match policy:
            case None:
                return None
            case BasicAuthentication(use=str() as name):
                return {"basic": {"use": name}}
            case BearerAuthentication(use=str() as name):
                return {"bearer": {"use": name}}
            case BasicAuthentication():
                username = await self._text(workflow, policy.username)
                return {"basic": {"username": username, "password": await self._text(workflow, policy.password)}}
            case BearerAuthentication():
                return {"bearer": {"token": await self._text(workflow, policy.token)}}
            case _:
                raise ResourceUnavailable(f"authentication {policy.scheme!r} does not run yet")

    async def _text(self, workflow: Workflow, text: str) -> Json:
        expression = strip_wrapper(text)
        if expression is None:
            return text
        value = await self._evaluator.value_of(expression, NULL, {}, workflow)
        if isinstance(value, Fault):
            raise ResourceUnavailable(f"the credentials cannot be rendered: {value.detail}")
        return value.data

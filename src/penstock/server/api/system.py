"""Is it alive, is it ready, what is it, how is it: and the interface's own description."""

from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.runtime.views import summary_json
from penstock.server.docs_page import RUNS_SHOWN, docs_page
from penstock.server.endpoints import Answer, Endpoint
from penstock.server.reach import grant_of, visible_runs
from penstock.server.replies import reply
from penstock.server.schemas import ANY, TEXT, record

_ESSENTIAL = frozenset({"/healthz", "/readyz", "/version", "/metrics"})
_STATUS = record({"status": TEXT})


class SystemApi:
    """`document` gives the OpenAPI document and `listed` the endpoints, once all of them are known."""

    def __init__(
        self,
        engine: Engine,
        version: str,
        document: Callable[[], Json],
        listed: Callable[[], Sequence[Endpoint]],
    ) -> None:
        self._engine = engine
        self._version = version
        self._document = document
        self._listed = listed

    def endpoints(self) -> tuple[Endpoint, ...]:
        version = record({"name": TEXT, "version": TEXT})
        return (
            Endpoint(
                "GET",
                "/healthz",
                "Is the process alive",
                handler=self.health,
                answers=(Answer(200, "It is", _STATUS),),
            ),
            Endpoint(
                "GET",
                "/readyz",
                "Does it take work",
                handler=self.ready,
                answers=(Answer(200, "It does", _STATUS),),
            ),
            Endpoint(
                "GET",
                "/version",
                "What runs here",
                handler=self.version,
                answers=(Answer(200, "The version", version),),
            ),
            Endpoint(
                "GET",
                "/metrics",
                "Metrics for Prometheus",
                handler=self.metrics,
                answers=(Answer(200, "Metrics", TEXT, CONTENT_TYPE_LATEST.partition(";")[0]),),
            ),
            Endpoint(
                "GET",
                "/openapi.json",
                "This document",
                handler=self.openapi,
                answers=(Answer(200, "OpenAPI 3.1", ANY),),
            ),
            Endpoint(
                "GET",
                "/docs",
                "The interface and the newest runs as a page",
                handler=self.docs,
                answers=(Answer(200, "The page", TEXT, "text/html"),),
            ),
        )

    def essentials(self) -> tuple[Endpoint, ...]:
        """What every process answers, one that takes no requests for runs, too."""
        return tuple(endpoint for endpoint in self.endpoints() if endpoint.path in _ESSENTIAL)

    async def health(self, request: web.Request) -> web.Response:
        return reply({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        # The engine is open before the server listens; asking it for one row shows that its store answers.
        self._engine.check_ready()
        await self._engine.list_runs(limit=1)
        return reply({"status": "ready"})

    async def version(self, request: web.Request) -> web.Response:
        return reply({"name": "penstock", "version": self._version})

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._engine.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def openapi(self, request: web.Request) -> web.Response:
        return reply(self._document())

    async def docs(self, request: web.Request) -> web.Response:
        runs = await visible_runs(self._engine, grant_of(request), {}, RUNS_SHOWN)
        return docs_page(self._listed(), [summary_json(run) for run in runs], self._version)

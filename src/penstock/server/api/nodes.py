"""The nodes that share the database: a read-only list."""

from aiohttp import web

from penstock.model.json_value import Json
from penstock.runtime.engine import Engine
from penstock.server.endpoints import Answer, Endpoint
from penstock.server.replies import instant, page
from penstock.server.schemas import listing, ref
from penstock.store.shares import NodeRow


class NodesApi:
    """Who is a member, by the database's clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint(
                "GET",
                "/api/v1/nodes",
                "The nodes that share the database, in the order in which they joined",
                handler=self.list,
                answers=(Answer(200, "All of them; one, over a store of its own", listing(ref("Node"))),),
                tag="nodes",
            ),
        )

    async def list(self, request: web.Request) -> web.Response:
        return page([_as_json(node) for node in await self._engine.nodes()], None)


def _as_json(node: NodeRow) -> Json:
    return {
        "id": node.id,
        "name": node.name,
        "engine": node.engine,
        "partitions": sorted(node.partitions),
        "joined_at": instant(node.joined_at),
        "seen_at": instant(node.seen_at),
        "lease_until": instant(node.until),
    }

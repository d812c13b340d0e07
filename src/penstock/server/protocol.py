"""What is no HTTP request that the library can read is answered with problem details too."""

import asyncio
import logging
import socket
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from penstock.server.problems import problem

_SHOWN_CHARACTERS: Final = 200


class _Connection(RequestHandler):
    """One connection. The library calls `handle_error` for what has no route: bytes that are no request."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, message)
        said = (message or "").partition("\n")[0].rstrip(": ")[:_SHOWN_CHARACTERS]
        detail = f"the request cannot be read: {said}" if status < 500 and said else "the connection met a defect"
        title = "Bad request" if status < 500 else "Internal error"
        answer = problem(answer.status, title, detail, headers={"X-Content-Type-Options": "nosniff"})
        answer.headers["Server"] = "penstock"
        answer.force_close()
        return answer


class ProblemSite(web.SockSite):
    """A bound socket whose connections answer so. The runner must be set up already."""

    def __init__(self, runner: web.AppRunner, listener: socket.socket, logger: logging.Logger) -> None:
        super().__init__(runner, listener)
        self._logger = logger

    async def start(self) -> None:
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        manager = self._runner.server
        assert manager is not None, "the runner is set up"

        def connection() -> RequestHandler:
            # The library takes None for no access log, and says so in its documentation only.
            return _Connection(
                manager,
                loop=loop,
                access_log=None,  # pyright: ignore[reportArgumentType]
                auto_decompress=False,
                logger=self._logger,
            )

        self._server = await loop.create_server(connection, sock=self._sock, backlog=self._backlog)

"""What stands in front of the services: it counts calls by their key, and makes each take a little while.

The delay gives every call a middle in which the engine can be killed. `/tools/NAME` passes the call on to a text
service; `/shop/…` is answered by `Shop`.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Self

import aiohttp
from aiohttp import web

from examples.demo.call_log import CallLog
from examples.demo.shop import Shop

DELAY_S: Final = 0.04


class Gateway:
    """An HTTP server on a free port of 127.0.0.1; `texts` and `orders` are what it received for each part."""

    def __init__(self, session: aiohttp.ClientSession, services: Mapping[str, str]) -> None:
        self._session = session
        self._services = services
        self._shop = Shop()
        self.texts = CallLog()
        self.orders = CallLog()
        self.base_url = ""
        app = web.Application()
        app.router.add_post("/tools/{name}", self._pass_on)
        app.router.add_post("/shop/{question}", self._ask_shop)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    @property
    def reservations(self) -> Mapping[int, int]:
        """How many times the shop's stock really went down, by order."""
        return self._shop.reservations

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await _received(self.texts, request)
        address = self._services[request.match_info["name"]] + "/event"
        async with self._session.post(address, data=body, headers={"Content-Type": "application/json"}) as response:
            answer = web.Response(body=await response.read(), status=response.status, content_type="application/json")
        self.texts.answer()
        return answer

    async def _ask_shop(self, request: web.Request) -> web.Response:
        await _received(self.orders, request)
        key = request.headers.get("Idempotency-Key", "")
        order = int((await request.json())["order"])
        status, answer = self._shop.answer(request.match_info["question"], key, order)
        self.orders.answer()
        return web.json_response(answer, status=status)


async def _received(log: CallLog, request: web.Request) -> bytes:
    """Counts the call when it comes in, and takes its time. What was received is worked on to the end, even if the
    caller dies meanwhile, as a service elsewhere would."""
    body = await request.read()
    log.receive(request.headers.get("Idempotency-Key", ""), request.path, body)
    await asyncio.sleep(DELAY_S)
    return body

"""A small HTTP server over one function, JSON in and JSON out.

It is the service that W2 and W7 call, and it stands before the subjects that have no HTTP interface of their own: it
costs them less than any web framework would.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

Answer = Callable[[dict[str, int]], Awaitable[object]]


async def serve(answer: Answer, port: int = 0) -> asyncio.Server:
    """Listens on a port of this machine; any for 0. Every POST is answered, whatever its path."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = await _request(reader)
                out = json.dumps(await answer(json.loads(body))).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(out)}\r\n\r\n"
                writer.write(head.encode() + out)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(connected, "127.0.0.1", port, backlog=1024)


def port_of(server: asyncio.Server) -> int:
    return server.sockets[0].getsockname()[1]


async def _request(reader: asyncio.StreamReader) -> bytes:
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
    return await reader.readexactly(length)


async def main() -> None:
    """The service that is called: {"n": N} gives {"n": N + 1}."""

    async def successor(given: dict[str, int]) -> object:
        return {"n": given["n"] + 1}

    server = await serve(successor)
    print(port_of(server), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

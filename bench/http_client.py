"""A small HTTP/1.1 client with connections that are kept: one for all subjects, and too cheap to count."""

import asyncio
import json
from dataclasses import dataclass, field


@dataclass
class Client:
    """Requests with JSON to one port of this machine; any number at once, each over a connection of its own."""

    port: int
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def post(self, path: str, body: object, content_type: str = "application/json") -> tuple[int, bytes]:
        """Status and body of the answer. A `str` goes as it is, anything else as JSON."""
        return await self._request(
            "POST", path, body.encode() if isinstance(body, str) else json.dumps(body).encode(), content_type
        )

    async def get(self, path: str) -> tuple[int, bytes]:
        return await self._request("GET", path, b"", "application/json")

    async def _request(self, method: str, path: str, sent: bytes, content_type: str) -> tuple[int, bytes]:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(sent)}\r\n\r\n"
        )
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.encode() + sent)
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
        answer = await reader.readexactly(length)
        self._idle.append((reader, writer))
        return int(lines[0].split()[1]), answer

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

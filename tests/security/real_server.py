"""The REST application behind a real socket, served as the service serves it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from backend.api.serving import serve_app
from tests.contract.rest_server import RestServer, rest_server

LIMIT_S = 10.0


class RealServer:
    """Where it listens, and raw bytes to and from it."""

    def __init__(self, rest: RestServer, port: int) -> None:
        self.rest = rest
        self.port = port

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, *pieces: bytes) -> bytes:
        """Send *pieces*, and return all that comes back until the server closes."""
        reader, writer = await self.open()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(LIMIT_S):
                return await reader.read()
        except ConnectionError:
            return b""  # it closed while we were still sending
        finally:
            writer.close()

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """Return a whole request of ann's that ends its connection."""
        given = {
            "Host": f"127.0.0.1:{self.port}",
            "Connection": "close",
            "Content-Length": str(len(body)),
            **self.rest.as_user("ann"),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in given.items() if v != "-")]
        return "\r\n".join([*lines, "", ""]).encode() + body


def status_of(answer: bytes) -> int:
    """Return the status of the first answer; 0 if there is none."""
    return int(answer.split(None, 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@asynccontextmanager
async def real_server(**options: Any) -> AsyncIterator[RealServer]:
    """Give a server; *options* go to `rest_server`."""
    async with rest_server(**options) as rest:
        listener = socket.create_server(("127.0.0.1", 0))
        started, stopping = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            serve_app(
                rest.app,
                listener,
                stopping=stopping,
                on_started=started.set,
                drain_s=1,
                options={"lifespan": "off"},
            )
        )
        await started.wait()
        try:
            yield RealServer(rest, listener.getsockname()[1])
        finally:
            stopping.set()
            await serving
            listener.close()

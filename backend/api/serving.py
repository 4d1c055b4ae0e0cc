"""Serves an ASGI app on a socket that is open already, until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn

from backend.api.wary import WaryProtocol, connections_allowed


async def serve_app(
    app: Any,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    on_started: Callable[[], None],
    drain_s: int = 5,
    options: Mapping[str, Any] | None = None,
) -> None:
    """
    Serve *app* until *stopping* is set, then let requests end for *drain_s* seconds.

    Signals are the caller's: uvicorn installs no handlers here. *options* are uvicorn's own.
    """
    WaryProtocol.max_connections = connections_allowed()
    config = uvicorn.Config(
        app,
        **{
            "loop": "none",
            "http": WaryProtocol,
            "ws": "none",
            "access_log": False,
            "log_config": None,
            "server_header": False,
            "date_header": False,
            "timeout_graceful_shutdown": drain_s,
            "timeout_keep_alive": 75,
            **(options or {}),
        },
    )
    server = _Server(config)
    served = asyncio.create_task(server.serve(sockets=[listener]))
    started = asyncio.create_task(server.startup_done.wait())
    await asyncio.wait([served, started], return_when=asyncio.FIRST_COMPLETED)
    if started.done():
        on_started()
    started.cancel()
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait([served, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    server.should_exit = True
    await served


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it is up and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.startup_done = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.startup_done.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await self._serve(sockets)

"""How uvicorn must serve our WebSockets: small buffers, a way to cut off, and no tokens in logs."""

import asyncio
import logging
import socket
from asyncio.transports import BaseTransport
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

#: The largest frame that a client may send; a larger one ends its socket with code 1009.
MAX_FRAME_BYTES: Final = 1_048_576
#: What waits for a slow client outside our own queue, in this process and in the kernel.
BUFFER_BYTES: Final = 65_536

#: Under this name the application finds, in the state of a request, what ends its socket at once.
ABORT: Final = "abort"


def uvicorn_options() -> dict[str, Any]:
    """Return what the server of `create_ws_app` needs beside address and log settings."""
    return {
        "ws": FrugalProtocol,
        "ws_max_size": MAX_FRAME_BYTES,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
        # Costs a compressor and its window per socket, and most of the time that a frame takes.
        "ws_per_message_deflate": False,
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 3,
    }


class FrugalProtocol(WebSocketsSansIOProtocol):
    """
    uvicorn's own protocol, for clients that do not play along.

    A client that reads nothing would keep its socket and buffers for ever: closing waits until
    everything was sent. The address of a request holds the token, so it is never logged.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, ABORT: self.abort}, _loop)
        self.logger = logging.getLogger("uvicorn.error.websocket")
        self.logger.setLevel(logging.WARNING)
        self.conn.debug = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Make the buffers small."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)

    def keepalive_timeout(self) -> None:
        """Cut off who does not answer a ping."""
        super().keepalive_timeout()
        self.abort()

    def abort(self) -> None:
        """End the connection now, whatever was not sent; twice is harmless."""
        if not self.disconnected:
            self.transport.abort()

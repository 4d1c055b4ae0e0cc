"""Face of the WebSocket service, and of the shapes of its messages. Its work is in wiring.py."""

from typing import TYPE_CHECKING, Any

from backend.util.service import AsyncService, ServiceStarted

if TYPE_CHECKING:
    import asyncio

    from backend.api.ws.messages import (
        WSMessage,
        WSMethod,
        WSSubscribeGraphExecutionRequest,
        WSSubscribeGraphExecutionsRequest,
    )
    from backend.settings import Settings

__all__ = [
    "WSMessage",
    "WSMethod",
    "WSSubscribeGraphExecutionRequest",
    "WSSubscribeGraphExecutionsRequest",
    "WebsocketServer",
]


def __getattr__(name: str) -> Any:
    """Return a message shape. Loaded only when asked for: the supervisor imports this module."""
    if name in __all__:
        from backend.api.ws import messages  # noqa: PLC0415 - see above

        return getattr(messages, name)
    raise AttributeError(name)


class WebsocketServer(AsyncService):
    """Shows clients what happens, as it happens."""

    depends_on = ("DatabaseManager",)
    host_setting = "websocket_server_host"
    port_setting = "websocket_server_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring import serve_websocket  # noqa: PLC0415 -- not in the supervisor

        await serve_websocket(settings, started, stopping)

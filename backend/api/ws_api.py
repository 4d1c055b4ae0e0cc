"""Face of the WebSocket service. Its work is in wiring.py."""

from typing import TYPE_CHECKING

from backend.util.service import AsyncService, ServiceStarted

if TYPE_CHECKING:
    import asyncio

    from backend.settings import Settings


class WebsocketServer(AsyncService):
    """Shows clients what happens, as it happens."""

    depends_on = ("DatabaseManager",)
    host_setting = "websocket_server_host"
    port_setting = "websocket_server_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend import wiring  # noqa: PLC0415 -- not in the supervisor

        await wiring.serve_websocket(settings, started, stopping)

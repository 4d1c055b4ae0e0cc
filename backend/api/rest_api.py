"""Face of the REST service. Its work is in wiring.py."""

from typing import TYPE_CHECKING

from backend.util.service import AsyncService, ServiceStarted

if TYPE_CHECKING:
    import asyncio

    from backend.settings import Settings


class AgentServer(AsyncService):
    """Answers REST requests."""

    depends_on = ("DatabaseManager",)
    host_setting = "agent_api_host"
    port_setting = "agent_api_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring import serve_rest  # noqa: PLC0415 -- not in the supervisor

        await serve_rest(settings, started, stopping)

"""Face of the notification service. Its work is in wiring.py."""

from typing import TYPE_CHECKING

from backend.util.service import AsyncService, ServiceStarted

if TYPE_CHECKING:
    import asyncio

    from backend.settings import Settings


class NotificationManager(AsyncService):
    """Sends notices by mail."""

    depends_on = ("DatabaseManager",)
    host_setting = "pyro_host"
    port_setting = "notification_service_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring_notices import serve_notifications  # noqa: PLC0415 -- not in the supervisor

        await serve_notifications(settings, started, stopping)

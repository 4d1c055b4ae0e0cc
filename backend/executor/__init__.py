"""Faces of three services: database manager, scheduler, executor. Their work is in wiring.py."""

from typing import TYPE_CHECKING

from backend.util.service import AsyncService, ServiceStarted

if TYPE_CHECKING:
    import asyncio

    from backend.settings import Settings


class DatabaseManager(AsyncService):
    """Owns the database file: migrations before anybody is ready, checkpoints, retention."""

    host_setting = "pyro_host"
    port_setting = "database_api_port"
    log_level_setting = "database_manager_log_level"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring_database import serve_database  # noqa: PLC0415 -- not in the supervisor

        await serve_database(settings, started, stopping)


class Scheduler(AsyncService):
    """Starts runs when their time has come, and the jobs of the system."""

    depends_on = ("DatabaseManager",)
    host_setting = "pyro_host"
    port_setting = "execution_scheduler_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring_scheduler import serve_scheduler  # noqa: PLC0415 -- not in the supervisor

        await serve_scheduler(settings, started, stopping)


class ExecutionManager(AsyncService):
    """Runs graphs."""

    depends_on = ("DatabaseManager",)
    host_setting = "pyro_host"
    port_setting = "execution_manager_port"

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """See `AsyncService.serve`."""
        from backend.wiring import serve_executor  # noqa: PLC0415 -- not in the supervisor

        await serve_executor(settings, started, stopping)

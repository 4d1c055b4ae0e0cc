"""The wiring of the two services that people talk to. Part of wiring.py, apart only for its size."""

import time
from contextlib import AsyncExitStack
from typing import Any

from backend.adapters.clock import SystemClock
from backend.adapters.ipc import socket_path
from backend.adapters.storage import SqlStorage
from backend.api.auth import Authenticator
from backend.api.context import Context, Health
from backend.core.errors import AgentServerError
from backend.ports.bus import EventSubscriber
from backend.settings import Settings
from backend.telemetry import Metrics


def authenticator_of(settings: Settings) -> Authenticator:
    """Return who checks the tokens."""
    return Authenticator(
        key=settings.jwt_verify_key.get_secret_value(),
        algorithm=settings.jwt_sign_algorithm,
        now_s=time.time,
        enabled=settings.enable_auth,
    )


def _on_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


async def rest_context(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Context:
    """Return what the REST routes work with; *stack* closes it."""
    from backend.adapters.dispatch.local import LocalDispatcher
    from backend.adapters.web import GuardedWebClient
    from backend.core.cron import Dialect
    from backend.discovery import broken, load_blocks, load_catalog
    from backend.engine.solo import SoloRunner
    from backend.engine.tools import Limits
    from backend.services.blocks import BlockService
    from backend.services.executions import ExecutionService
    from backend.services.graphs import GraphService
    from backend.services.schedules import ScheduleService
    from backend.services.users import UserService
    from backend.wiring import open_database

    clock, catalog = SystemClock(), load_catalog()
    storage = open_database(settings)
    stack.push_async_callback(storage.close)
    dispatcher = LocalDispatcher(socket_path(settings.agpt_data_dir, "signals"))
    stack.push_async_callback(dispatcher.close)
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    solo = SoloRunner(blocks=load_blocks(), web=web, clock=clock, limits=Limits())
    users = UserService(storage=storage, clock=clock)
    graphs = GraphService(storage=storage, catalog=catalog, clock=clock)
    executions = ExecutionService(
        storage=storage, dispatcher=dispatcher, graphs=graphs, catalog=catalog, clock=clock
    )
    database = storage.database
    metrics.gauge("database_busy_waits", "Waits for another writer").set_function(
        lambda: database.busy_waits
    )

    async def health() -> Health:
        details: dict[str, Any] = {}
        if broken():
            details["broken_block_packages"] = dict(broken())
        try:
            await storage.ping()
        except AgentServerError as exc:
            return Health(ready=False, details={**details, "storage": str(exc)})
        return Health(ready=True, details=details)

    return Context(
        users=users,
        blocks=BlockService(catalog=catalog, run=solo.run),
        graphs=graphs,
        executions=executions,
        schedules=ScheduleService(
            storage=storage,
            executions=executions,
            users=users,
            clock=clock,
            dialect=Dialect(settings.cron_dialect),
        ),
        catalog=catalog,
        clock=clock,
        authenticator=authenticator_of(settings),
        health=health,
        metrics=metrics.text,
        metrics_open=_on_loopback(settings.agent_api_host),
    )

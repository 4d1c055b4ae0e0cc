"""The only place that knows which adapter stands behind which port. One function a service.

Embedded: SQLite (or PostgreSQL), ZeroMQ inside the data directory, one executor. Clustered:
PostgreSQL and RabbitMQ, any number of each service. What differs is in wiring_bus.py.
"""

import asyncio
import socket
import uuid
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from backend.adapters.clock import SystemClock
from backend.adapters.database_place import Place
from backend.adapters.storage import SqlStorage
from backend.core.errors import CannotStart
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring_bus import EVENTS, NOTICES, Ways, open_ways
from backend.wiring_files import large_values, open_rows

if TYPE_CHECKING:
    from backend.adapters.models import ProviderModels
    from backend.adapters.web import GuardedWebClient
    from backend.engine.engine import Engine
    from backend.ports.processes import Processes

#: How long blocks may go on after the executor was told to stop.
DRAIN_S: Final = 5.0


class Started(Protocol):
    """How a service says that it is ready; *listener* is the open socket it must serve on."""

    listener: socket.socket | None

    def __call__(self, address: str = "") -> None:
        """Report ready at *address*."""


def database_path(settings: Settings) -> Path:
    """Return the SQLite file of this installation."""
    return settings.agpt_data_dir / "agpt.db"


def database_place(settings: Settings) -> Place:
    """Return where the database of this installation is."""
    return Place(database_path(settings), settings.database_url, large_values(settings))


def open_database(settings: Settings, *, owner: str = "") -> SqlStorage:
    """Return the storage; its tables must be there. *owner*: the id of an executor, if it is one's."""
    return open_rows(settings, database_place(settings), owner=owner)


def _listener(started: Started) -> socket.socket:
    if started.listener is None:
        raise CannotStart("this service was started without a port to listen on")
    return started.listener


def _on_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


async def serve_internal(
    settings: Settings,
    started: Started,
    stopping: asyncio.Event,
    *,
    health: Callable[[], Any],
    metrics: Metrics,
    calls: Mapping[str, Any] | None = None,
) -> None:
    """Serve the small app of an internal service until *stopping* is set."""
    from backend.api.internal import create_internal_app
    from backend.api.serving import serve_app

    app = create_internal_app(
        health=health,
        metrics=metrics.text,
        metrics_open=_on_loopback(settings.pyro_host),
        instance_key=settings.instance_key.get_secret_value(),
        calls=calls,
    )
    listener = _listener(started)
    host, port = listener.getsockname()[:2]
    await serve_app(app, listener, stopping=stopping, on_started=lambda: started(f"{host}:{port}"))


async def serve_executor(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Run agents."""
    from backend.adapters.lock import ExecutorLock
    from backend.adapters.web import GuardedWebClient
    from backend.engine.explain import explained
    from backend.engine.figures import watch_engine, watch_processes
    from backend.wiring_credentials import open_models, warm_when_idle
    from backend.wiring_files import worker_pool

    metrics = Metrics("ExecutionManager")
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    me = str(uuid.uuid4())  # new with each process: what dies does not come back
    storage = open_database(settings, owner=me)
    async with AsyncExitStack() as stack:
        lock = await ExecutorLock.take(settings.agpt_data_dir / "executor.lock")
        stack.callback(lock.release)
        await _alone_on_database(settings, stack, stopping)
        stack.push_async_callback(storage.close)
        stack.push_async_callback(web.aclose)
        processes = worker_pool(settings, stack)
        models = open_models(settings, web)
        ways = await open_ways(settings, metrics, stack, owner=me)
        engine = _engine(settings, storage, web, processes, models, ways, stack)
        watch_engine(engine, storage.database, metrics)
        watch_processes(processes, metrics)
        _free_others_rows(settings, storage, metrics, stack, stopping)

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {"active_runs": engine.worker.active, **ways.facts()}

        drained = asyncio.Event()
        up = asyncio.Event()
        running = asyncio.create_task(
            engine.serve(ready=up.set, stopping=stopping, drain_s=DRAIN_S)
        )

        def ended(_: object) -> None:
            up.set()
            drained.set()

        running.add_done_callback(ended)
        await up.wait()
        if settings.preload_models:
            warming = asyncio.create_task(warm_when_idle(models, lambda: engine.worker.active))
            stack.push_async_callback(_cancel, warming)
        await serve_internal(
            settings,
            started,
            drained,
            health=health,
            metrics=metrics,
            calls={"why": lambda body: explained(engine, body)},
        )
        await running


async def _alone_on_database(
    settings: Settings, stack: AsyncExitStack, stopping: asyncio.Event
) -> None:
    """Keep executors of other data directories from the database; in a cluster they are welcome."""
    url = settings.database_url
    if not url or settings.rabbitmq_url:
        return
    from backend.adapters.storage.postgres_lock import PostgresLock

    lock = await PostgresLock.take(url)
    stack.callback(lock.release)
    work_beside(stack, stopping, lock.keep())


def _free_others_rows(
    settings: Settings,
    storage: SqlStorage,
    metrics: Metrics,
    stack: AsyncExitStack,
    stopping: asyncio.Event,
) -> None:
    """Of a cluster each executor does it, too: whoever else does may be the one that is frozen."""
    if settings.rabbitmq_url:
        from backend.adapters.storage.stalled import keep_ending_stalled

        work_beside(stack, stopping, keep_ending_stalled(storage.database, metrics.counter))


def _engine(
    settings: Settings,
    storage: SqlStorage,
    web: "GuardedWebClient",
    processes: "Processes",
    models: "ProviderModels",
    ways: Ways,
    stack: AsyncExitStack,
) -> "Engine":
    from backend import wiring_files as around
    from backend.discovery import load_blocks
    from backend.engine.engine import Engine
    from backend.wiring_chat import open_copilot
    from backend.wiring_credentials import (
        model_registry,
        open_catalog,
        open_credentials,
    )
    from backend.wiring_library import ledger_of
    from backend.wiring_notices import end_notices
    from backend.wiring_servers import open_tool_servers

    clock, catalog = SystemClock(), open_catalog(settings)
    return Engine(
        storage=storage,
        signals=ways.signals(),
        publisher=ways.publisher(EVENTS),
        clock=clock,
        catalog=catalog,
        blocks=load_blocks(),
        web=web,
        mail=web.mail(),
        base_urls=settings.provider_base_urls,
        files=around.file_desk(settings, web),
        memory=around.memories_of(settings, storage),
        lender=open_credentials(settings, storage, web),
        processes=processes,
        sandboxes=around.sandboxes_of(settings, stack),
        models=models,
        tool_servers=open_tool_servers(settings, web, stack),
        registry=model_registry(settings),
        limits=around.engine_limits(settings),
        slots=settings.num_graph_workers,
        end_notice=end_notices(settings, clock),
        ledger=ledger_of(settings, storage),
        prices=settings.block_prices,
        turns=open_copilot(settings, storage, catalog, ways.dispatcher()),
        fleet=ways.fleet(storage),
    )


async def serve_rest(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Answer the REST API."""
    from backend import __version__
    from backend.api.asgi import create_app
    from backend.api.serving import serve_app
    from backend.wiring_api import rest_context

    metrics = Metrics("AgentServer")
    async with AsyncExitStack() as stack:
        host, port = (listener := _listener(started)).getsockname()[:2]
        context = await rest_context(settings, metrics, stack, port=port)
        keys = context.doors.api_keys
        works = (context.chats.serve(stopping), context.webhooks.serve())
        work_beside(stack, stopping, keys.keep_noting(), *works)
        app = create_app(
            context,
            version=__version__,
            cors_origins=settings.backend_cors_allow_origins,
            show_docs=settings.app_env == "local",
            everybody_is_owner=not settings.enable_auth,
        )
        await serve_app(
            app,
            listener,
            stopping=stopping,
            on_started=lambda: started(f"{host}:{port}"),
        )


async def serve_websocket(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Show runs live."""
    from backend.api.serving import serve_app
    from backend.api.ws.protocol import uvicorn_options
    from backend.wiring_accounts import issuer_web
    from backend.wiring_api import websocket_app

    metrics = Metrics("WebsocketServer")
    storage = open_database(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        ways = await open_ways(settings, metrics, stack)
        subscriber, notices = ways.subscriber(EVENTS), ways.subscriber(NOTICES)
        errors: list[BaseException] = []

        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                errors.append(error)
            stopping.set()

        web = issuer_web(settings, stack)
        app = websocket_app(
            settings, metrics, storage, subscriber, ended, web, notices, facts=ways.facts
        )
        listener = _listener(started)
        host, port = listener.getsockname()[:2]
        await serve_app(
            app,
            listener,
            stopping=stopping,
            on_started=lambda: started(f"{host}:{port}"),
            options=uvicorn_options(),
        )
        if errors:
            raise errors[0]  # as `work_beside` does: half of this service is none


def work_beside(
    stack: AsyncExitStack, stopping: asyncio.Event, *works: Coroutine[Any, Any, None]
) -> None:
    """
    Do *works* while the service answers; *stack* cancels them.

    None of them ends by itself. One that does ends the service: half of a service would look well
    from outside, and nobody would do its work. The supervisor starts it again.
    """
    for work in works:
        task = asyncio.create_task(work)
        stack.push_async_callback(_cancel, task)
        task.add_done_callback(lambda _: stopping.set())


async def _cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error

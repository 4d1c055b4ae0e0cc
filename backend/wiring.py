"""The only place that knows which adapter stands behind which port. One function a service.

This release wires the embedded row: SQLite, ZeroMQ inside the data directory, one executor.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from backend.adapters.clock import SystemClock
from backend.adapters.ipc import socket_path
from backend.adapters.storage import SqlStorage
from backend.core.errors import CannotStart
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring_files import open_rows

if TYPE_CHECKING:
    from backend.adapters.web import GuardedWebClient
    from backend.core.execution import Execution
    from backend.core.records import NoticeRecord
    from backend.engine.engine import Engine
    from backend.engine.tools import Limits
    from backend.ports.mail import Mailer
    from backend.ports.processes import Processes
    from backend.ports.storage import StoredRun

#: How long blocks may go on after the executor was told to stop.
DRAIN_S: Final = 5.0
#: AGENT_RUN notices are gathered: for a day by mail (spec/contract.md 8.2); a folder disturbs
#: nobody, so there only so long that a busy minute does not make a thousand files.
MAIL_DELAY_US: Final = 24 * 3600 * 1_000_000
OUTBOX_DELAY_US: Final = 5 * 1_000_000
#: Often enough to keep up with a busy server.
_RETENTION_EVERY_S: Final = 300.0


class Started(Protocol):
    """How a service says that it is ready; *listener* is the open socket it must serve on."""

    listener: socket.socket | None

    def __call__(self, address: str = "") -> None:
        """Report ready at *address*."""


def database_path(settings: Settings) -> Path:
    """Return the SQLite file of this installation."""
    return settings.agpt_data_dir / "agpt.db"


def open_database(settings: Settings) -> SqlStorage:
    """Return the storage; its tables must be there."""
    return open_rows(settings, database_path(settings))


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
    from backend.wiring_files import worker_pool

    metrics = Metrics("ExecutionManager")
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    storage = open_database(settings)
    async with AsyncExitStack() as stack:
        lock = await ExecutorLock.take(settings.agpt_data_dir / "executor.lock")
        stack.callback(lock.release)
        stack.push_async_callback(storage.close)
        stack.push_async_callback(web.aclose)
        processes = worker_pool(settings, stack)
        engine = _engine(settings, storage, web, processes)
        watch_engine(engine, storage.database, metrics)
        watch_processes(processes, metrics)

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {"active_runs": engine.worker.active}

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
        await serve_internal(
            settings,
            started,
            drained,
            health=health,
            metrics=metrics,
            calls={"why": lambda body: explained(engine, body)},
        )
        await running


def _engine(
    settings: Settings, storage: SqlStorage, web: "GuardedWebClient", processes: "Processes"
) -> "Engine":
    from backend.adapters.bus.local import LocalPublisher
    from backend.adapters.dispatch.local import LocalSignalSource
    from backend.core import notices
    from backend.discovery import load_blocks, load_catalog
    from backend.engine.engine import Engine
    from backend.wiring_credentials import open_credentials
    from backend.wiring_files import file_desk, memories_of
    from backend.wiring_library import ledger_of

    clock = SystemClock()
    delay_us = MAIL_DELAY_US if settings.smtp_host else OUTBOX_DELAY_US

    def end_notice(stored: "StoredRun", execution: "Execution") -> "NoticeRecord | None":
        if stored.depth:
            return None  # its root tells
        record = stored.record
        return notices.agent_run(
            execution,
            user_id=record.user_id,
            graph_id=record.graph_id,
            now_us=clock.now_us(),
            delay_us=delay_us,
        )

    return Engine(
        storage=storage,
        signals=LocalSignalSource(socket_path(settings.agpt_data_dir, "signals")),
        publisher=LocalPublisher(socket_path(settings.agpt_data_dir, "events")),
        clock=clock,
        catalog=load_catalog(),
        blocks=load_blocks(),
        web=web,
        files=file_desk(settings, web),
        memory=memories_of(settings, storage),
        lender=open_credentials(settings, storage, web),
        processes=processes,
        limits=_limits(settings),
        slots=settings.num_graph_workers,
        end_notice=end_notice,
        ledger=ledger_of(settings, storage),
        prices=settings.block_prices,
    )


def _limits(settings: Settings) -> "Limits":
    from backend.engine.tools import Limits

    return Limits(
        parallel_nodes=settings.max_parallel_nodes_per_run,
        node_executions=settings.max_node_executions_per_run,
        outputs_per_node=settings.max_outputs_per_node,
        value_bytes=settings.max_value_mb * 1024 * 1024,
        nesting=settings.max_agent_nesting,
        node_s=settings.max_node_time_s,
        run_s=settings.max_run_time_s,
        block_threads=settings.block_threads,
        runs_per_graph=settings.max_concurrent_graph_executions_per_user,
        runs_per_user=settings.max_runs_per_user,
    )


async def serve_scheduler(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Fire schedules, and run the system's own jobs."""
    from backend.adapters.dispatch.local import LocalDispatcher
    from backend.adapters.internal_calls import InternalCaller
    from backend.core.cron import Dialect
    from backend.discovery import load_catalog
    from backend.engine.figures import watch_jobs
    from backend.engine.jobs import Job, Jobs, StuckRunWatch
    from backend.engine.ticker import Ticker
    from backend.services.executions import ExecutionService
    from backend.services.fires import FireService
    from backend.services.graphs import GraphService
    from backend.wiring_credentials import credentials_store

    metrics, clock, catalog = Metrics("Scheduler"), SystemClock(), load_catalog()
    storage = open_database(settings)
    dispatcher = LocalDispatcher(socket_path(settings.agpt_data_dir, "signals"))
    executions = ExecutionService(
        storage=storage,
        credentials=credentials_store(storage),
        dispatcher=dispatcher,
        graphs=GraphService(storage=storage, catalog=catalog, clock=clock),
        catalog=catalog,
        clock=clock,
    )
    fires = FireService(executions=executions, dialect=Dialect(settings.cron_dialect))
    ticker = Ticker(storage, dispatcher, clock, fires, fires.prepare)
    watch = StuckRunWatch(storage, dispatcher, clock)
    database = InternalCaller(
        settings.pyro_host,
        settings.database_api_port,
        key=settings.instance_key.get_secret_value(),
    )
    jobs = Jobs(
        storage,
        clock,
        [
            Job(name="report_late_executions", every_s=60, work=watch.look),
            Job(
                name="retention",
                every_s=_RETENTION_EVERY_S,
                work=lambda: database.call("retention"),
            ),
            Job(name="file_sweep", every_s=3600, work=lambda: database.call("file_sweep")),
        ],
    )
    watch_jobs(jobs, metrics)
    metrics.gauge("schedules_fired", "Runs started by schedules").set_function(lambda: ticker.fired)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        stack.push_async_callback(dispatcher.close)
        work_beside(stack, stopping, ticker.serve(), jobs.serve())

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {}

        await serve_internal(settings, started, stopping, health=health, metrics=metrics)


async def serve_notifications(
    settings: Settings, started: Started, stopping: asyncio.Event
) -> None:
    """Tell owners what happened."""
    from backend.adapters.storage.preferences import SqlPreferences
    from backend.engine.postman import Postman
    from backend.wiring_library import unsubscribe_urls

    metrics, clock = Metrics("NotificationManager"), SystemClock()
    storage = open_database(settings)
    postman = Postman(
        storage,
        mailer_of(settings),
        clock,
        SqlPreferences(storage.database),
        limited=bool(settings.smtp_host),
        unsubscribe_url=unsubscribe_urls(settings),
    )
    metrics.gauge("notices_sent", "Notices that left").set_function(lambda: postman.sent)
    metrics.gauge("notices_failed", "Notices given up").set_function(lambda: postman.failed)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        work_beside(stack, stopping, postman.serve())

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return {}

        await serve_internal(settings, started, stopping, health=health, metrics=metrics)


def mailer_of(settings: Settings) -> "Mailer":
    """Return the way for letters: the mail server if one is set, else the outbox folder."""
    from backend.adapters.mail import OutboxMailer, SmtpMailer, SmtpServer

    if not settings.smtp_host:
        return OutboxMailer(settings.agpt_data_dir / "outbox", sender=settings.smtp_sender)
    server = SmtpServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        security=settings.smtp_security,
    )
    return SmtpMailer(server, sender=settings.smtp_sender)


async def serve_rest(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Answer the REST API."""
    from backend import __version__
    from backend.api.asgi import create_app
    from backend.api.serving import serve_app
    from backend.wiring_api import rest_context

    metrics = Metrics("AgentServer")
    async with AsyncExitStack() as stack:
        listener = _listener(started)
        host, port = listener.getsockname()[:2]
        context = await rest_context(settings, metrics, stack, port=port)
        work_beside(stack, stopping, context.doors.api_keys.keep_noting())
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
    from backend.adapters.bus.local import LocalSubscriber
    from backend.api.serving import serve_app
    from backend.api.ws.protocol import uvicorn_options
    from backend.wiring_accounts import issuer_web
    from backend.wiring_api import websocket_app

    metrics = Metrics("WebsocketServer")
    storage = open_database(settings)
    subscriber = LocalSubscriber(socket_path(settings.agpt_data_dir, "events"))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        stack.push_async_callback(subscriber.close)
        errors: list[BaseException] = []

        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                errors.append(error)
            stopping.set()

        web = issuer_web(settings, stack)
        app = websocket_app(settings, metrics, storage, subscriber, ended, web)
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

"""Wires the scheduler. Part of wiring.py, apart for its size."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from backend.adapters.clock import SystemClock
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring import Started, open_database, serve_internal, work_beside
from backend.wiring_bus import open_ways

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backend.adapters.storage import SqlStorage
    from backend.core.catalog import Catalog
    from backend.engine.alert_watch import AlertWatch
    from backend.engine.jobs import Jobs
    from backend.engine.summarist import Summarist
    from backend.ports.dispatch import Dispatcher
    from backend.services.hook_checks import HookChecks

    Housekeeping = Callable[[str], Awaitable[str]]

#: Often enough to keep up with a busy server.
_RETENTION_EVERY_S: Final = 300
_DAY_S: Final = 24 * 3600


#: A summary comes at nine, or so much later.
_SUMMARIES_EVERY_S: Final = 60.0


async def serve_scheduler(settings: Settings, started: Started, stopping: asyncio.Event) -> None:
    """Fire schedules, and run the system's own jobs."""
    from backend.core.cron import Dialect
    from backend.engine.figures import watch_jobs
    from backend.engine.ticker import Ticker
    from backend.services.executions import ExecutionService
    from backend.services.fires import FireService
    from backend.services.graphs import GraphService
    from backend.wiring_credentials import credentials_store, open_catalog
    from backend.wiring_watches import hook_checks, watch_triggers

    metrics, clock, catalog = Metrics("Scheduler"), SystemClock(), open_catalog(settings)
    storage = open_database(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        ways = await open_ways(settings, metrics, stack)
        dispatcher = ways.dispatcher()
        executions = ExecutionService(
            storage=storage,
            credentials=credentials_store(storage),
            dispatcher=dispatcher,
            graphs=GraphService(storage=storage, catalog=catalog, clock=clock),
            catalog=catalog,
            clock=clock,
        )
        fires = FireService(executions=executions, dialect=Dialect(settings.cron_dialect))
        ticker = Ticker(storage, dispatcher, clock, fires)
        metrics.gauge("schedules_fired", "Runs started by schedules").set_function(
            lambda: ticker.fired
        )
        housekeeping = _housekeeping(settings, storage, metrics)
        checks = hook_checks(settings, storage, executions, catalog, stack)
        jobs = _jobs(storage, dispatcher, clock, catalog, housekeeping, checks)
        watch_jobs(jobs, metrics)
        alerts = _alert_watch(settings, storage, clock, catalog, metrics)
        watching = watch_triggers(settings, storage, executions, catalog, metrics, stack)
        work_beside(stack, stopping, ticker.serve(), jobs.serve(), alerts.serve(), *watching)

        async def health() -> Mapping[str, object]:
            await storage.ping()
            return ways.facts()

        await serve_internal(settings, started, stopping, health=health, metrics=metrics)


def _summarist(storage: "SqlStorage", clock: SystemClock) -> "Summarist":
    from backend.adapters.storage.notice_queue import SqlNoticeQueue
    from backend.adapters.storage.preferences import SqlPreferences
    from backend.adapters.storage.summaries import SqlSummaryFacts
    from backend.engine.summarist import Summarist

    database = storage.database
    return Summarist(
        SqlSummaryFacts(database), SqlNoticeQueue(database), SqlPreferences(database), clock
    )


def _housekeeping(settings: Settings, storage: "SqlStorage", metrics: Metrics) -> "Housekeeping":
    """
    Return what does a job of the database manager by its name, and says what came of it.

    In a cluster the database manager may be on any machine, and does nothing that this cannot do.
    """
    if settings.rabbitmq_url:
        from backend.wiring_database import housekeeping

        works = housekeeping(settings, storage, SystemClock(), metrics)

        async def done(name: str) -> str:
            return str(await works[name](None))

        return done
    from backend.adapters.internal_calls import InternalCaller

    database = InternalCaller(
        settings.pyro_host,
        settings.database_api_port,
        key=settings.instance_key.get_secret_value(),
    )

    async def called(name: str) -> str:
        return str(await database.call(name))

    return called


def _jobs(
    storage: "SqlStorage",
    dispatcher: "Dispatcher",
    clock: SystemClock,
    catalog: "Catalog",
    housekeeping: "Housekeeping",
    checks: "HookChecks",
) -> "Jobs":
    from backend.adapters.storage.jobs import SqlJobs
    from backend.adapters.storage.oauth import SqlOAuth
    from backend.engine.job_reports import OutcomeReports
    from backend.engine.jobs import Job, Jobs, Report, StuckRunWatch

    kept, oauth = SqlJobs(storage.database), SqlOAuth(storage.database)
    reports = OutcomeReports(kept, clock, block_name=_block_names(catalog))

    async def cleanup_oauth_tokens() -> str:
        return f"{await oauth.forget(now_us=clock.now_us())} codes and tokens deleted"

    declared: dict[str, tuple[float, Callable[[], Awaitable[Report | str]]]] = {
        "report_late_executions": (60, StuckRunWatch(storage, dispatcher, clock).look),
        "report_block_error_rates": (_DAY_S, reports.block_error_rates),
        "report_execution_accuracy_alerts": (_DAY_S, reports.accuracy),
        "cleanup_expired_files": (3600, lambda: housekeeping("file_sweep")),
        "cleanup_oauth_tokens": (6 * 3600, cleanup_oauth_tokens),
        "check_webhooks": (_DAY_S, checks.look),
        "summaries": (_SUMMARIES_EVERY_S, _summarist(storage, clock).look),
        "retention": (_RETENTION_EVERY_S, lambda: housekeeping("retention")),
    }
    return Jobs(
        kept,
        clock,
        [Job(name=name, every_s=every_s, work=work) for name, (every_s, work) in declared.items()],
    )


def _block_names(catalog: "Catalog") -> "Callable[[str], str]":
    from backend.core.ids import BlockId

    def block_name(block_id: str) -> str:
        block = catalog.get(BlockId(block_id))
        return block_id if block is None else block.name

    return block_name


def _alert_watch(
    settings: Settings,
    storage: "SqlStorage",
    clock: SystemClock,
    catalog: "Catalog",
    metrics: Metrics,
) -> "AlertWatch":
    from backend.adapters.storage.alerts import SqlAlerts
    from backend.engine.alert_watch import AlertWatch

    def link(graph_id: str, run_id: str) -> str:
        base = settings.frontend_base_url.rstrip("/")
        return f"{base}/library/agents/{graph_id}?executionId={run_id}" if base and run_id else ""

    watch = AlertWatch(
        SqlAlerts(storage.database), clock, block_name=_block_names(catalog), link=link
    )
    fired = metrics.gauge("alerts_fired", "Alerts on agents that came true")
    fired.set_function(lambda: watch.fired)
    return watch

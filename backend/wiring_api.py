"""The wiring of the two services that people talk to. Part of wiring.py, apart only for its size."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.api.context import Context, Health, Notices
from backend.core.catalog import Catalog
from backend.core.errors import AgentServerError
from backend.core.ids import UserId
from backend.ports.bus import EventSubscriber
from backend.settings import Settings
from backend.telemetry import Metrics
from backend.wiring_bus import EVENTS, Ways, open_ways

if TYPE_CHECKING:
    from backend.adapters.web import GuardedWebClient
    from backend.ports.dispatch import Dispatcher
    from backend.ports.web import WebClient
    from backend.services.audit import AuditService
    from backend.services.credits import CreditService
    from backend.services.executions import ExecutionService
    from backend.services.files import FileService
    from backend.services.graphs import GraphService
    from backend.services.preferences import PreferenceService
    from backend.services.presets import PresetService
    from backend.services.reviews import ReviewService
    from backend.services.schedules import ScheduleService
    from backend.services.users import UserService
    from backend.services.webhooks import WebhookService


def _on_loopback(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


async def rest_context(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack, *, port: int
) -> Context:
    """Return what the REST routes, served on *port*, work with; *stack* closes it."""
    from backend.wiring import open_database

    storage = open_database(settings)
    stack.push_async_callback(storage.close)
    ways = await open_ways(settings, metrics, stack)
    database = storage.database
    metrics.gauge("database_busy_waits", "Waits for another writer").set_function(
        lambda: database.busy_waits
    )
    return _context(settings, metrics, stack, storage, ways, port)


def _context(
    settings: Settings,
    metrics: Metrics,
    stack: AsyncExitStack,
    storage: SqlStorage,
    ways: Ways,
    port: int,
) -> Context:
    from backend import wiring_library as around
    from backend.wiring_accounts import SignIn
    from backend.wiring_chat import blocks_of, chat_of, copilot_model, open_watches
    from backend.wiring_credentials import open_catalog, open_credentials_and_sign_ins
    from backend.wiring_keys import doors_of
    from backend.wiring_webhooks import webhooks_of as hooks_of

    clock, catalog, web = SystemClock(), open_catalog(settings), _web(settings, stack)
    credentials, sign_ins = open_credentials_and_sign_ins(settings, storage, web)
    accounts = (sign_in := SignIn(settings, storage, clock)).account_service()
    users, credits_ = around.users_of(storage, clock), around.credits_of(settings, storage, clock)
    watches, dispatcher = open_watches(settings, ways.subscriber(EVENTS)), ways.dispatcher()
    graphs, executions = _graphs_and_runs(storage, dispatcher, catalog, credits_)
    base_url = settings.platform_base_url or settings.rest_address(port)
    webhooks = hooks_of(settings, storage, executions, clock, base_url, catalog, credentials, web)
    return Context(
        audit=_audit(storage, clock),
        users=users,
        accounts=accounts,
        sessions=sign_in.session_service(),
        oidc=sign_in.oidc_service(web, base_url),
        resets=sign_in.reset_service(accounts, base_url),
        addresses=sign_in.address_service(base_url),
        blocks=blocks_of(storage, dispatcher, catalog, watches, credits_),
        graphs=graphs,
        imports=around.imports_of(storage, graphs, catalog),
        executions=executions,
        schedules=_schedules(settings, storage, executions, users),
        library=(library := around.library_of(storage, graphs, clock)),
        builder=around.builder_of(storage, library, catalog, clock),
        credits=credits_,
        budgets=around.budgets_of(storage, clock),
        watching=around.watching_of(storage, clock),
        usage=around.usage_of(storage, clock),
        preferences=_preferences(settings, storage, clock),
        notices=_notices(settings, storage, web),
        sharing=around.sharing_of(storage, settings.frontend_base_url),
        presets=_presets(settings, storage, executions, webhooks, catalog, clock),
        webhooks=webhooks,
        credentials=credentials,
        sign_ins=sign_ins,
        reviews=_reviews(storage, dispatcher),
        chats=chat_of(storage, dispatcher, copilot_model(settings, catalog), watches, credits_),
        files=(files := _files(settings, clock)),
        doors=doors_of(settings, storage, clock, stack, base_url, accounts.may_act),
        catalog=catalog,
        clock=clock,
        authenticator=sign_in.authenticator(web),
        health=lambda: _health(storage, files, ways),
        metrics=metrics.text,
        metrics_open=_on_loopback(settings.agent_api_host),
    )


def _notices(settings: Settings, storage: SqlStorage, web: "WebClient") -> Notices:
    from backend.wiring_channels import channels_of, inbox_of
    from backend.wiring_notices import notices_of

    channels, inbox = channels_of(settings, storage, web), inbox_of(storage, SystemClock())
    queue = notices_of(settings, storage, SystemClock())
    return Notices(channels=channels, inbox=inbox, queue=queue)


def _reviews(storage: SqlStorage, dispatcher: "Dispatcher") -> "ReviewService":
    from backend.services.reviews import ReviewService

    return ReviewService(storage=storage, dispatcher=dispatcher, clock=SystemClock())


def _preferences(
    settings: Settings, storage: SqlStorage, clock: SystemClock
) -> "PreferenceService":
    from backend.wiring_library import preferences_of

    return preferences_of(storage, clock, settings.unsubscribe_secret_key.get_secret_value())


def _files(settings: Settings, clock: SystemClock) -> "FileService":
    from backend.adapters.clamav import ClamdScanner
    from backend.services.files import FileService
    from backend.wiring_files import open_files

    scanner = None
    if settings.clamav_service_enabled:
        scanner = ClamdScanner(settings.clamav_service_host, settings.clamav_service_port)
    return FileService(files=open_files(settings), clock=clock, scanner=scanner)


def _presets(
    settings: Settings,
    storage: SqlStorage,
    executions: "ExecutionService",
    webhooks: "WebhookService",
    catalog: Catalog,
    clock: SystemClock,
) -> "PresetService":
    from backend.services.presets import PresetService
    from backend.wiring_watches import watch_configs

    return PresetService(
        storage=storage,
        executions=executions,
        webhooks=webhooks,
        catalog=catalog,
        clock=clock,
        watched=watch_configs(settings, storage, catalog),
    )


def _graphs_and_runs(
    storage: SqlStorage, dispatcher: "Dispatcher", catalog: Catalog, credits_: "CreditService"
) -> "tuple[GraphService, ExecutionService]":
    from backend.services.executions import ExecutionService
    from backend.services.graphs import GraphService
    from backend.wiring_credentials import credentials_store

    clock = SystemClock()
    graphs = GraphService(storage=storage, catalog=catalog, clock=clock)
    executions = ExecutionService(
        storage=storage,
        credentials=credentials_store(storage),
        dispatcher=dispatcher,
        graphs=graphs,
        catalog=catalog,
        clock=clock,
        credits_=credits_,
    )
    return graphs, executions


def _audit(storage: SqlStorage, clock: SystemClock) -> "AuditService":
    from backend.adapters.storage.audit_log import SqlAuditLog
    from backend.services.audit import AuditService

    return AuditService(log=SqlAuditLog(storage.database), clock=clock)


def _web(settings: Settings, stack: AsyncExitStack) -> "GuardedWebClient":
    from backend.adapters.web import GuardedWebClient

    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    return web


def _schedules(
    settings: Settings, storage: SqlStorage, executions: "ExecutionService", users: "UserService"
) -> "ScheduleService":
    from backend.core.cron import Dialect
    from backend.services.schedules import ScheduleService

    return ScheduleService(
        storage=storage,
        executions=executions,
        users=users,
        clock=SystemClock(),
        dialect=Dialect(settings.cron_dialect),
    )


async def _health(storage: SqlStorage, files: "FileService", ways: Ways) -> Health:
    from backend.discovery import broken

    details: dict[str, Any] = {"virus_scan": await files.scans(), **ways.facts()}
    if broken():
        details["broken_block_packages"] = dict(broken())
    try:
        await storage.ping()
    except AgentServerError as exc:
        return Health(ready=False, details={**details, "storage": str(exc)})
    return Health(ready=True, details=details)


def websocket_app(
    settings: Settings,
    metrics: Metrics,
    storage: SqlStorage,
    subscriber: EventSubscriber,
    on_end: "Callable[[asyncio.Task[None]], None]",
    web: "WebClient | None" = None,
    notices: EventSubscriber | None = None,
    *,
    facts: Callable[[], Mapping[str, object]] = dict,
) -> Any:
    """
    Return the WebSocket application; *storage*, *subscriber* and *notices* stay the caller's.

    *on_end* hears of the end of what brings changes to its sockets; *web* asks an issuer for keys;
    *facts* are what /health says besides.
    """
    from backend.api.ws.endpoint import create_ws_app
    from backend.core.ids import DEFAULT_USER_ID
    from backend.wiring_accounts import SignIn

    authenticator = SignIn(settings, storage, SystemClock()).authenticator(web)

    async def user_of(token: str) -> UserId:
        return (await authenticator.admit_token(token)).user_id

    return create_ws_app(
        storage=storage,
        subscriber=subscriber,
        tokens=user_of,
        allowed_origins=settings.backend_cors_allow_origins,
        everybody=None if settings.enable_auth else DEFAULT_USER_ID,
        metrics_open=_on_loopback(settings.websocket_server_host),
        metrics=lambda: metrics.text().decode(),
        notices=notices,
        on_end=on_end,
        facts=facts,
    )

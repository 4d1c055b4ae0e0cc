"""Wires triggers that the server watches itself. Part of wiring_scheduler.py and wiring_api.py."""

import random
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.watches import SqlWatches
from backend.core.catalog import Catalog
from backend.settings import Settings
from backend.telemetry import Metrics

if TYPE_CHECKING:
    from backend.adapters.web import GuardedWebClient
    from backend.core.watches import WatchKind
    from backend.engine.glances import Looker
    from backend.engine.watch_mail import MailBells
    from backend.engine.watches import Watcher
    from backend.services.executions import ExecutionService
    from backend.services.files import FileService
    from backend.services.hook_checks import HookChecks
    from backend.services.watch_config import WatchConfigs

_MEGABYTE = 1024 * 1024


def watch_configs(settings: Settings, storage: SqlStorage, catalog: Catalog) -> "WatchConfigs":
    """Return who reads what owners say of their watches."""
    from backend.services.watch_config import WatchConfigs
    from backend.wiring_credentials import credentials_store

    return WatchConfigs(
        watches=SqlWatches(storage.database),
        credentials=credentials_store(storage),
        catalog=catalog,
        least_s=settings.min_poll_interval_s,
        most=settings.max_watches_per_user,
        has_folders=settings.file_drop,
    )


def watch_triggers(
    settings: Settings,
    storage: SqlStorage,
    executions: "ExecutionService",
    catalog: Catalog,
    metrics: Metrics,
    stack: AsyncExitStack,
) -> list[Coroutine[Any, Any, None]]:
    """Return the works that watch; *stack* closes what they use."""
    from backend.adapters.web import GuardedWebClient
    from backend.core.watches import WatchKind
    from backend.engine.watch_mail import MailBells
    from backend.engine.watch_pull import PullLooker
    from backend.engine.watches import REFUSALS, Watcher, WatchRules
    from backend.wiring_credentials import open_credentials
    from backend.wiring_webhooks import webhooks_of

    clock, watches = SystemClock(), SqlWatches(storage.database)
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    credentials = open_credentials(settings, storage, web)
    bells = MailBells(
        web.mailboxes(),
        lambda webhook_id: watches.wake(webhook_id, now_us=clock.now_us()),
        most=settings.max_mail_listeners,
    )
    hooks = webhooks_of(settings, storage, executions, clock, "", catalog, credentials, web)
    lookers = _lookers(settings, storage, web, bells, stack)
    watcher = Watcher(
        watches=watches,
        storage=storage,
        items=hooks,
        lookers={**lookers, WatchKind.AIRTABLE: PullLooker(hooks.registrations)},
        clock=clock,
        rules=WatchRules(
            least_s=settings.min_poll_interval_s,
            at_once=settings.watches_at_once,
            tries=settings.watch_max_failures,
            refusals=min(settings.watch_max_failures, REFUSALS),
        ),
        chance=random.random,
    )
    _measure(watcher, bells, metrics)
    return [watcher.serve(), bells.serve()]


def hook_checks(
    settings: Settings,
    storage: SqlStorage,
    executions: "ExecutionService",
    catalog: Catalog,
    stack: AsyncExitStack,
) -> "HookChecks":
    """Return who asks providers for the webhooks that they were told of."""
    from backend.adapters.storage.notice_queue import SqlNoticeQueue
    from backend.adapters.web import GuardedWebClient
    from backend.services.hook_checks import HookChecks
    from backend.wiring_credentials import open_credentials
    from backend.wiring_webhooks import webhooks_of

    clock, web = SystemClock(), GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    credentials = open_credentials(settings, storage, web)
    hooks = webhooks_of(settings, storage, executions, clock, "", catalog, credentials, web)
    return HookChecks(
        storage=storage,
        registrations=hooks.registrations,
        notices=SqlNoticeQueue(storage.database),
        clock=clock,
    )


def _lookers(
    settings: Settings,
    storage: SqlStorage,
    web: "GuardedWebClient",
    bells: "MailBells",
    stack: AsyncExitStack,
) -> "dict[WatchKind, Looker]":
    from backend.adapters.files.drop import FolderDrops
    from backend.core.watches import WatchKind
    from backend.engine.watch_folder import FolderLooker
    from backend.engine.watch_mail import MailLooker
    from backend.engine.watch_web import FeedLooker, PageLooker
    from backend.wiring_credentials import open_credentials
    from backend.wiring_files import worker_pool

    files, processes = found_files(settings, SystemClock()), worker_pool(settings, stack)
    return {
        WatchKind.FEED: FeedLooker(web, processes),
        WatchKind.PAGE: PageLooker(web, processes),
        WatchKind.FOLDER: FolderLooker(FolderDrops(drop_root(settings)), files),
        WatchKind.MAIL: MailLooker(
            web.mailboxes(),
            files,
            open_credentials(settings, storage, web),
            bells,
            max_bytes=settings.max_mail_size_mb * _MEGABYTE,
        ),
    }


def drop_root(settings: Settings) -> Path | None:
    """Return where drop folders lie; None if there are none."""
    if not settings.file_drop:
        return None
    if settings.file_drop_dir:
        return Path(settings.file_drop_dir).expanduser()
    return settings.agpt_data_dir / "drop"


def found_files(settings: Settings, clock: SystemClock) -> "FileService":
    """Return who keeps files of strangers: scanned, where there is a scanner."""
    from backend.adapters.clamav import ClamdScanner
    from backend.services.files import FileService
    from backend.wiring_files import open_files

    scanner = None
    if settings.clamav_service_enabled:
        scanner = ClamdScanner(settings.clamav_service_host, settings.clamav_service_port)
    return FileService(files=open_files(settings), clock=clock, scanner=scanner)


def _measure(watcher: "Watcher", bells: "MailBells", metrics: Metrics) -> None:
    figures = watcher.figures
    for name, help_, value in (
        ("watch_looks", "Looks at watched triggers", lambda: figures.looks),
        ("watch_failures", "Looks that failed", lambda: figures.failures),
        ("watch_items", "Items that watched triggers found", lambda: figures.items),
        ("watch_given_up", "Watched triggers that were switched off", lambda: figures.given_up),
        ("mail_bells", "Mailboxes that tell of new mail", lambda: bells.count),
    ):
        metrics.gauge(name, help_).set_function(value)

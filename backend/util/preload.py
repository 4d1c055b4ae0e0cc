"""
What the fork server imports once, so that all services share it.

Imported by the fork server and by nothing else: importing it ends with freezing the garbage
collector. Nothing here may start a thread, an event loop or a ZeroMQ context: they do not
survive a fork.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from backend.core.errors import AgentServerError
from backend.util.boot import PRELOAD
from backend.util.holes import fill_holes

MODULES: Final = (
    "asyncio",
    "uvloop",
    "orjson",
    "pydantic",
    "structlog",
    "prometheus_client",
    "setproctitle",
    "sqlalchemy",
    "sqlalchemy.dialects.sqlite",
    "zmq",
    "zmq.asyncio",
    "httptools",
    "starlette.applications",
    "fastapi",
    "uvicorn",
    "uvicorn.protocols.http.httptools_impl",
    "websockets.server",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "starlette.middleware.cors",
    "starlette.middleware.gzip",
    "cronsim",
    "jinja2.sandbox",
    "jwt",
    "multiprocessing.popen_forkserver",
    "uvicorn.lifespan.on",
    "fastapi.telemetry._runtime",
    "encodings.idna",
    "backend.settings",
    "backend.telemetry",
    "backend.util.child",
    "backend.util.service",
    "backend.wiring",
    "backend.wiring_accounts",
    "backend.wiring_api",
    "backend.wiring_credentials",
    "backend.wiring_database",
    "backend.wiring_files",
    "backend.wiring_library",
    "backend.adapters.bus.local",
    "backend.adapters.bus.silent",
    "backend.adapters.files",
    "backend.adapters.storage.memory",
    "backend.adapters.dispatch.local",
    "backend.adapters.mail",
    "backend.adapters.passwords",
    "backend.adapters.processes",
    "backend.adapters.revision",
    "backend.adapters.storage.account_storage",
    "backend.adapters.storage.audit_log",
    "backend.adapters.storage.credentials",
    "backend.adapters.storage.credits",
    "backend.adapters.storage.keeper",
    "backend.adapters.storage.library",
    "backend.adapters.storage.migrate",
    "backend.adapters.storage.preferences",
    "backend.adapters.storage.retention",
    "backend.adapters.vault.fernet",
    "backend.adapters.web",
    "backend.api.asgi",
    "backend.api.internal",
    "backend.api.serving",
    "backend.api.ws.endpoint",
    "backend.api.ws.protocol",
    "backend.discovery",
    "backend.engine.engine",
    "backend.engine.figures",
    "backend.engine.jobs",
    "backend.engine.postman",
    "backend.engine.retention",
    "backend.engine.ticker",
    "backend.sdk.templates",
    "backend.services.fires",
    "backend.services.schedules",
    # What the scheduler and the notification service look at things with.
    "backend.adapters.clamav",
    "backend.adapters.files.drop",
    "backend.adapters.internal_calls",
    "backend.adapters.mail.imap",
    "backend.adapters.mail.letter_templates",
    "backend.adapters.registrars",
    "backend.adapters.storage.alerts",
    "backend.adapters.storage.deliveries",
    "backend.adapters.storage.jobs",
    "backend.adapters.storage.notice_queue",
    "backend.adapters.storage.oauth",
    "backend.adapters.storage.summaries",
    "backend.engine.alert_watch",
    "backend.engine.job_reports",
    "backend.engine.letters",
    "backend.engine.summarist",
    "backend.engine.watch_folder",
    "backend.engine.watch_mail",
    "backend.engine.watch_pull",
    "backend.engine.watch_web",
    "backend.engine.watches",
    "backend.wiring_channels",
    "backend.wiring_notices",
    "backend.wiring_scheduler",
    "backend.wiring_upgrade",
    "backend.wiring_watches",
    "backend.wiring_webhooks",
    "backend.adapters.lock",
    "backend.adapters.mail.guarded",
    "backend.adapters.mcp",
    "backend.adapters.pages",
    "backend.adapters.models",
    "backend.adapters.registrars.airtable",
    "backend.adapters.registrars.exa",
    "backend.adapters.registrars.github",
    "backend.adapters.registrars.slant3d",
    "backend.adapters.registrars.telegram",
    "backend.adapters.sandbox",
    "backend.adapters.sandbox.chosen",
    "backend.adapters.storage.api_keys",
    "backend.adapters.storage.builder",
    "backend.adapters.storage.chats",
    "backend.adapters.storage.identities",
    "backend.adapters.storage.notice_inbox",
    "backend.adapters.storage.sharing",
    "backend.api.rest_api",
    "backend.api.ws_api",
    "backend.engine.file_sweep",
    "backend.engine.letter_samples",
    "backend.engine.notice_sender",
    "backend.executor",
    "backend.notifications",
    "backend.services.block_runs",
    "backend.services.copilot",
    "backend.services.hook_checks",
    "backend.services.vault_keeper",
    "backend.wiring_chat",
    "backend.wiring_keys",
    "backend.wiring_servers",
)

#: What services on PostgreSQL need besides, and those of a cluster. Others do not pay for it.
_WITH: Final = {
    "database_url": (
        "sqlalchemy.dialects.postgresql.psycopg",
        "backend.adapters.storage.migrate_postgres",
        "backend.adapters.storage.postgres",
        "backend.adapters.storage.postgres_lock",
        "backend.adapters.storage.stalled",
    ),
    "rabbitmq_url": (
        "backend.wiring_cluster",
        "backend.adapters.broker.link",
        "backend.adapters.broker.tidy",
        "backend.adapters.bus.rabbit_publisher",
        "backend.adapters.bus.rabbit_subscriber",
        "backend.adapters.dispatch.rabbit",
        "backend.adapters.dispatch.rabbit_source",
        "backend.adapters.peers.rabbit",
        "backend.adapters.storage.cluster",
        "backend.engine.fleet",
    ),
}

#: What our libraries would load if it is there, and we never use in a service.
_NOT_NEEDED: Final = ("rich", "pydantic.v1")


def load() -> None:
    """Import everything, then move it out of the garbage collector's sight."""
    # A collection writes into every object it looks at, and a written page is no longer shared.
    gc.disable()
    # structlog would load rich, if it is there, for tracebacks on a terminal: a tenth of the start.
    # FastAPI would load all of pydantic's first version, to ask whether a model is one of its.
    for name in _NOT_NEEDED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # the import system's word for no
    for name in (*MODULES, *_for_services()):
        # A module that cannot be imported fails again in the service that needs it, and there it
        # is reported.
        with suppress(ImportError):
            importlib.import_module(name)
    # Each service reads the catalogue: once here, instead of once in each. Routes, the same.
    with suppress(ImportError):
        importlib.import_module("backend.discovery").load_catalog()
        importlib.import_module("backend.api.asgi").prepare()
        importlib.import_module("backend.adapters.storage.warm").warm()
        importlib.import_module("backend.wiring_credentials").known_models()
        importlib.import_module("backend.adapters.mail.letter_templates").known_templates()
    for name in _NOT_NEEDED:
        if sys.modules.get(name) is None:
            sys.modules.pop(name, None)
    gc.collect()
    fill_holes()
    gc.freeze()
    gc.enable()


def _for_services() -> Iterator[str]:
    """Yield what is needed for services outside, if they are set."""
    # Settings that cannot be read are refused a little later, with a sentence.
    wanted = set(os.environ.get(PRELOAD, "").split(","))
    with suppress(ImportError, AgentServerError):
        wanted |= importlib.import_module("backend.setting_places").services_used()
    for service in sorted(wanted & _WITH.keys()):
        yield from _WITH[service]


load()

"""
What the fork server imports once, so that all services share it.

Imported by the fork server and by nothing else: importing it ends with freezing the garbage
collector. Nothing here may start a thread, an event loop or a ZeroMQ context: they do not
survive a fork.
"""

import gc
import importlib
import sys
from contextlib import suppress
from typing import Final

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
    "backend.settings",
    "backend.telemetry",
    "backend.util.child",
    "backend.util.service",
    "backend.wiring",
    "backend.wiring_api",
    "backend.adapters.bus.local",
    "backend.adapters.dispatch.local",
    "backend.adapters.mail",
    "backend.adapters.storage.keeper",
    "backend.adapters.storage.migrate",
    "backend.adapters.web",
    "backend.api.asgi",
    "backend.api.internal",
    "backend.api.serving",
    "backend.api.ws.endpoint",
    "backend.api.ws.protocol",
    "backend.discovery",
    "backend.engine.engine",
    "backend.engine.jobs",
    "backend.engine.postman",
    "backend.engine.solo",
    "backend.engine.ticker",
    "backend.sdk.templates",
    "backend.services.fires",
    "backend.services.schedules",
)


def load() -> None:
    """Import everything, then move it out of the garbage collector's sight."""
    # A collection writes into every object it looks at, and a written page is no longer shared.
    gc.disable()
    # structlog would load rich, if it is there, for tracebacks on a terminal: a tenth of the start.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # the import system's word for no
    for name in MODULES:
        # A module that cannot be imported fails again in the service that needs it, and there it
        # is reported.
        with suppress(ImportError):
            importlib.import_module(name)
    if sys.modules.get("rich") is None:
        sys.modules.pop("rich", None)
    # Each service reads it: once here, instead of once in each.
    with suppress(ImportError):
        importlib.import_module("backend.discovery").load_catalog()
    gc.collect()
    gc.freeze()
    gc.enable()


load()

"""
What the fork server imports once, so that all services share it.

Imported by the fork server and by nothing else: importing it ends with freezing the garbage
collector. Nothing here may start a thread, an event loop or a ZeroMQ context: they do not
survive a fork.
"""

import gc
import importlib
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
    "jwt",
    "backend.settings",
    "backend.telemetry",
    "backend.util.child",
    "backend.util.service",
    "backend.wiring",
)


def load() -> None:
    """Import everything, then move it out of the garbage collector's sight."""
    # A collection writes into every object it looks at, and a written page is no longer shared.
    gc.disable()
    for name in MODULES:
        # A module that cannot be imported fails again in the service that needs it, and there it
        # is reported.
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.enable()


load()

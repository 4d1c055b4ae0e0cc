"""Puts small services in the place of the wiring, in every process that has this folder in PYTHONPATH."""

import asyncio
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Coroutine
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_WIRING = frozenset(f"backend.wiring{of}" for of in ("", "_database", "_scheduler", "_notices"))
Serve = Callable[[Any, Any, asyncio.Event], Coroutine[Any, Any, None]]


def serve_named(name: str) -> Serve:
    async def serve(settings: Any, started: Any, stopping: asyncio.Event) -> None:
        if os.environ.get("FAKE_FAILURE") == name:
            from backend.core.errors import CannotStart  # noqa: PLC0415 -- in its own process

            raise CannotStart("The database is newer than this program.")
        host, port = started.listener.getsockname()[:2]
        started(f"{host}:{port}")
        await stopping.wait()
        if os.environ.get("FAKE_DEAF") == name:
            await asyncio.Event().wait()

    return serve


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 -- protocol
        if fullname not in _WIRING:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        for name in ("database", "scheduler", "notifications", "websocket", "rest", "executor"):
            setattr(module, f"serve_{name}", serve_named(name))


sys.meta_path.insert(0, Finder())

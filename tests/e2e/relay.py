"""A way to a server that can be cut, for tests without an event loop."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

from tests.brokers import Proxy


class Relay:
    """Listens from its making until `close`; see `tests.brokers.Proxy`."""

    def __init__(self, url: str, *, at: socket.socket | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._proxy = Proxy(url, at=at)
        self._do(self._proxy.__aenter__())
        self.url = self._proxy.url

    def cut(self) -> None:
        """End all connections."""
        self._call(self._proxy.cut)

    def block(self) -> None:
        """End all connections, and let no new ones through."""
        self._proxy.blocked = True
        self.cut()

    def open(self) -> None:
        """Let new connections through."""
        self._proxy.blocked = False

    def close(self) -> None:
        """End it."""
        self._do(self._end())
        self._call(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._proxy.__aexit__()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _call(self, work: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(work)

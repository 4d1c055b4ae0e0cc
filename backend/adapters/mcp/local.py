"""Tool servers on this machine: those that the administrator has defined, and no others.

Started for one visit and ended with it, with all that they have started: see `keeper`. They speak
by their standard streams. What a user chooses is a name; nothing else of the command is theirs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from backend.adapters.mcp.visit import LocalLimits, LocalServer, LocalVisit
from backend.core.errors import NotConfigured, NotFound
from backend.core.ids import UserId

#: Before the name of a server, in place of an address.
SCHEME: Final = "stdio:"


class LocalServers:
    """The servers of the administrator's file. Start them from the thread that lives longest."""

    def __init__(self, servers: Mapping[str, LocalServer], limits: LocalLimits) -> None:
        self._servers = dict(servers)
        self._limits = limits
        self._free = asyncio.Semaphore(limits.count)
        self._ending: set[asyncio.Task[None]] = set()

    def find(self, url: str, user_id: UserId) -> LocalServer:
        """
        Return the server that *url*, ``stdio:NAME``, names.

        Raises:
            NotConfigured: If there are none at all.
            NotFound: If there is none of this name for *user_id*; says which there are.
        """
        if not self._servers:
            raise NotConfigured(
                "no tool servers are defined on this machine: setting MCP_SERVERS_FILE"
            )
        found = self._servers.get(url.removeprefix(SCHEME).strip())
        if found is None or not found.is_for(user_id):
            mine = sorted(name for name, one in self._servers.items() if one.is_for(user_id))
            known = ", ".join(mine) or "none"
            raise NotFound(f"there is no tool server {url[:200]!r} for you; there are: {known}")
        return found

    @asynccontextmanager
    async def visit(self, server: LocalServer) -> AsyncIterator[LocalVisit]:
        """Start *server*, and end it with all that it has started. Raises WebFailed."""
        async with self._free:
            visit = await LocalVisit.start(server, self._limits)
            try:
                yield visit
            finally:
                ending = asyncio.create_task(visit.end())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
                await asyncio.shield(ending)

    async def aclose(self) -> None:
        """Wait for the ends of all that was started."""
        while self._ending:
            await asyncio.wait(self._ending)

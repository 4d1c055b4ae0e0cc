"""A bus that brings nothing: for who looks at the rows, and watches nothing else."""

import asyncio
from collections.abc import AsyncIterator

from backend.ports.bus import Change


class SilentSubscriber:
    """See backend.ports.bus.EventSubscriber."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def subscribe(self, topic: str) -> None:
        """Hear nothing of it."""

    def unsubscribe(self, topic: str) -> None:
        """Go on to hear nothing of it."""

    async def changes(self) -> AsyncIterator[tuple[str, Change]]:
        """Wait for the end."""
        await self._closed.wait()
        nothing: tuple[tuple[str, Change], ...] = ()
        for change in nothing:
            yield change

    async def close(self) -> None:
        """See the port."""
        self._closed.set()

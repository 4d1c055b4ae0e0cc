"""The spec of peers: what every way to know which executors live must do."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from backend.ports.peers import Peers

#: The id of the executor under test.
OWNER: Final = "executor under test"
_LIMIT_S: Final = 10.0


@asynccontextmanager
async def serving(peers: Peers) -> AsyncIterator[None]:
    """Hold the sign of life of *peers* for the block; it is there when the block begins."""
    ready = asyncio.Event()
    served = asyncio.create_task(peers.serve(ready.set))
    try:
        async with asyncio.timeout(_LIMIT_S):
            await ready.wait()
        yield
    finally:
        served.cancel()
        await asyncio.wait([served])


class PeersSpec:
    """Give a fixture `peers`, of the executor OWNER, that may say who is gone; all must pass."""

    async def test_who_never_was_is_gone(self, peers: Peers) -> None:
        """Of a killed executor nothing else may be left."""
        async with serving(peers):
            assert await peers.gone(["never", "neither"]) == {"never", "neither"}

    async def test_nobody_is_gone_to_himself(self, peers: Peers) -> None:
        """Not even before he serves."""
        assert await peers.gone([OWNER]) == frozenset()

        async with serving(peers):
            assert await peers.gone([OWNER, "never"]) == {"never"}

    async def test_whom_nobody_can_have_missed_has_always_been_shown(self, peers: Peers) -> None:
        """Who begins need not wait until the others believe that it lives."""
        async with serving(peers):
            assert peers.shown_s() == math.inf

    async def test_of_nobody_nobody_is_gone(self, peers: Peers) -> None:
        """The usual question: all runs have living owners."""
        async with serving(peers):
            assert await peers.gone([]) == frozenset()

    async def test_it_serves_again_after_its_end(self, peers: Peers) -> None:
        """The same id may come back."""
        for _ in range(2):
            async with serving(peers):
                assert await peers.gone(["never"]) == {"never"}

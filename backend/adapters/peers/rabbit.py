"""Executors on RabbitMQ: each has a queue that only its own connection keeps alive.

The broker deletes it when the connection ends: at once when the process is killed, after two to
three missed heartbeats (16 to 24 s) when it is frozen or cut off. No timer of ours says who lives.

A broker that was started anew has none of those queues until their owners have come back. Nobody
is said to be gone in that time. Whoever was connected before knows it from its own loss; whoever
is new finds out by an exchange that is made when the broker has been up for a while, and that does
not outlive it.
"""

import asyncio
import math
from collections.abc import Callable, Collection
from typing import Final

import structlog
from aiormq import ChannelLockedResource, ChannelNotFoundEntity
from aiormq.abc import AbstractConnection, DeliveredMessage

from backend.adapters.broker.link import Broker, consume, end, open_channel, until_over
from backend.adapters.broker.names import Names

log = structlog.get_logger(__name__)

#: Twice the longest pause between two attempts to connect.
SETTLED_S: Final = 10.0
#: Who misses a queue looks again after this: its owner may be about to declare it anew.
_AGAIN_S: Final = 0.4
#: For one look at all who are asked about.
_LIMIT_S: Final = 5.0


class RabbitPeers:
    """The sign of life is an exclusive queue; the others look for it with a passive declare."""

    def __init__(
        self, broker: Broker, names: Names, owner: str, *, settled_s: float = SETTLED_S
    ) -> None:
        """
        Know the others by *broker*, which stays the caller's.

        Args:
            owner: This executor's id.
            settled_s: After so long on one connection, all who live have come back to a broker
                that was away.
        """
        self._settled_s = settled_s
        self._broker = broker
        self._names = names
        self._owner = owner
        self._shown_at: float | None = None
        self._was_missed = False
        self._settled_at = 0  #: of which connection, by number, it is known that all have come back

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        others = frozenset(owners) - {self._owner}
        connection = self._broker.connections
        if not others or not self._may_say():
            return frozenset()
        missing = await self._missing(others)
        if not missing:
            return frozenset()
        await asyncio.sleep(_AGAIN_S)
        missing = await self._missing(missing)
        # Of two connections each may have seen its own half of a restart.
        return missing if connection == self._broker.connections else frozenset()

    def shown_s(self) -> float:
        if self._shown_at is None:
            return 0.0
        if not self._was_missed:
            return math.inf
        return asyncio.get_running_loop().time() - self._shown_at

    async def serve(self, ready: Callable[[], None]) -> None:
        told = False

        async def hold(connection: AbstractConnection) -> None:
            nonlocal told
            async with open_channel(connection) as channel:
                name = self._names.alive(self._owner)
                # Locked: the broker has not missed our last connection yet. It is begun again.
                await channel.queue_declare(name, exclusive=True)
                over = await consume(channel, name, _ignore)
                self._shown_at = asyncio.get_running_loop().time()
                if not told:
                    told = True
                    ready()
                settling = asyncio.create_task(self._settle(connection))
                try:
                    await until_over(channel, over)
                finally:
                    self._shown_at, self._was_missed = None, True
                    await end(settling)

        member = self._broker.join(hold)
        try:
            await asyncio.wait([member])
        finally:
            await end(member)

    def _may_say(self) -> bool:
        return self._broker.connected and (
            self._settled_at == self._broker.connections or self._broker.up_s > self._settled_s
        )

    async def _settle(self, connection: AbstractConnection) -> None:
        """Find out, or say after a while, that the broker has been up for long enough."""
        number = self._broker.connections
        if number == 1 and await _is_there(connection, self._names.settled):
            self._settled_at = number
            return
        await asyncio.sleep(max(0.0, self._settled_s - self._broker.up_s))
        async with open_channel(connection) as channel:
            # Not durable: it goes with the broker.
            await channel.exchange_declare(self._names.settled, exchange_type="fanout")
        self._settled_at = number

    async def _missing(self, owners: frozenset[str]) -> frozenset[str]:
        """Return whose queues are not there; nobody if that cannot be found out."""

        async def look(connection: AbstractConnection) -> frozenset[str]:
            return frozenset(
                [one for one in owners if not await _lives(connection, self._names.alive(one))]
            )

        return await self._broker.ask(look, limit_s=_LIMIT_S) or frozenset()


async def _lives(connection: AbstractConnection, queue: str) -> bool:
    """Say whether *queue* is there. The answer for one of another connection is that it is locked."""
    async with open_channel(connection) as channel:
        try:
            await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity:
            return False
        except ChannelLockedResource:
            return True
    return True


async def _is_there(connection: AbstractConnection, exchange: str) -> bool:
    async with open_channel(connection) as channel:
        try:
            await channel.exchange_declare(exchange, passive=True)
        except ChannelNotFoundEntity:
            return False
    return True


async def _ignore(message: DeliveredMessage) -> None:
    """Nobody writes to a sign of life."""

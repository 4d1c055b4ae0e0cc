"""Signals between machines, over RabbitMQ: the side that asks. They may be lost, or come twice.

That runs wait is told on one durable queue that all executors share, some runs a message, so that
they share these too. That a run is to stop is told to all executors: only its owner cares.
"""

import asyncio
from collections import deque
from typing import Final

import structlog
from aiormq import spec
from aiormq.abc import AbstractChannel, AbstractConnection

from backend.adapters.broker.link import Broker, end, open_channel, until_read
from backend.adapters.broker.names import Names
from backend.adapters.dispatch.hints import encode
from backend.adapters.dispatch.rabbit_places import declare
from backend.core.ids import ExecutionId, UserId
from backend.ports.dispatch import NOBODY, Signal, SignalKind

log = structlog.get_logger(__name__)

#: Signals that wait for the broker; the oldest are dropped for more, and the executors' sweeps
#: find those runs in storage.
_LIMIT: Final = 10_000
#: Runs in one message. More would cost less, and would go to one executor though others are idle.
_TOGETHER: Final = 8
#: How long what was just asked for may take to leave when the process ends.
_LEAVE_S: Final = 0.5

_TRANSIENT: Final = 1
_PERSISTENT: Final = 2


class RabbitDispatcher:
    """
    Use it from the loop of *broker*, which stays the caller's.

    Attributes:
        sent: Signals given to the broker.
        lost: Signals that were dropped because it was away for too long.
    """

    def __init__(self, broker: Broker, names: Names) -> None:
        self._broker = broker
        self._names = names
        self._waiting: deque[Signal] = deque()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._is_losing = False
        self.sent = 0
        self.lost = 0
        self._member = broker.join(self._send)

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        if self._closed:
            return
        if len(self._waiting) >= _LIMIT:
            self._waiting.popleft()
            self.lost += 1
            if not self._is_losing:
                self._is_losing = True
                log.warning("signals_lost", limit=_LIMIT)  # once, until the broker is back
        self._waiting.append(Signal(kind, run_id, user_id))
        self._idle.clear()
        self._news.set()

    async def close(self) -> None:
        """Stop, when what waits has left or half a second has passed; twice is harmless."""
        self._closed = True
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._idle.wait()
        except TimeoutError:
            self.lost += len(self._waiting)
            self._waiting.clear()
            self._idle.set()
        await end(self._member)

    async def _send(self, connection: AbstractConnection) -> None:
        async with open_channel(connection) as channel:
            await declare(self._broker, channel, self._names)
            persistent = spec.Basic.Properties(delivery_mode=_PERSISTENT)
            transient = spec.Basic.Properties(delivery_mode=_TRANSIENT)
            while True:
                await self._news.wait()
                self._news.clear()
                # While the broker takes no more, new signals push old ones out.
                while await self._may_send(channel) and (batch := self._batch()):
                    is_run = batch[0].kind is SignalKind.RUN
                    await channel.basic_publish(
                        encode(batch),
                        exchange="" if is_run else self._names.stops,
                        routing_key=self._names.runs if is_run else "",
                        properties=persistent if is_run else transient,
                    )
                    self.sent += len(batch)
                self._is_losing = False
                self._idle.set()

    async def _may_send(self, channel: AbstractChannel) -> bool:
        await until_read(channel)
        return True

    def _batch(self) -> list[Signal]:
        """Take the oldest signals, as far as they are of one kind and fit into one message."""
        waiting, batch = self._waiting, list[Signal]()
        while waiting and len(batch) < _TOGETHER:
            if batch and waiting[0].kind is not batch[0].kind:
                break
            batch.append(waiting.popleft())
        return batch

"""Signals between machines, over RabbitMQ: the executor's side.

No delivery is held while a run goes on: the broker closes a channel that does so for half an hour.
A message is acknowledged when the executor has taken what is in it and comes back for more.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import structlog
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

from backend.adapters.broker.link import (
    LOST,
    Broker,
    consume,
    either,
    end,
    open_channel,
    tag_of,
    until_over,
)
from backend.adapters.broker.names import Names
from backend.adapters.dispatch.hints import BadHint, decode
from backend.adapters.dispatch.rabbit_places import MOST_STOPS, declare
from backend.ports.dispatch import Signal

log = structlog.get_logger(__name__)

#: Messages of runs that are sent ahead: what one executor has, no other gets.
_AHEAD: Final = 8
#: How often the depth of the queue is looked at.
_LOOK_S: Final = 5.0
#: A garbage message is shown so far.
_SHOWN: Final = 100


class RabbitSignalSource:
    """
    Use it from the loop of *broker*, which stays the caller's.

    Attributes:
        rejected: Messages that could not be understood; they lie in the dead-letter queue.
        depth: Messages that wait for any executor, as of some seconds ago; 0 before the first look.
        dead: Messages in the dead-letter queue; the same.
        listens: Whether runs are asked for now.
    """

    def __init__(self, broker: Broker, names: Names, owner: str) -> None:
        self._broker = broker
        self._names = names
        self._queue = names.own("stops", owner)
        self._members: list[asyncio.Task[None]] = []
        self._arrived: deque[tuple[DeliveredMessage, list[Signal]]] = deque()
        self._stops: deque[Signal] = deque(maxlen=MOST_STOPS)
        self._news = asyncio.Event()
        self._wanted = True
        self._change = asyncio.Event()
        self._closed = False
        self.rejected = 0
        self.depth = 0
        self.dead = 0
        self.listens = False

    def signals(self) -> AsyncIterator[list[Signal]]:
        """Yield what has arrived, in batches, until closed. Listens from this call on; call it once."""
        for session in (self._hear_runs, self._hear_stops, self._look):
            self._members.append(self._broker.join(session))
        return self._read()

    def want(self, runs: bool) -> None:  # noqa: FBT001 -- the port's
        if runs is not self._wanted:
            self._wanted = runs
            self._change.set()

    async def close(self) -> None:
        """Stop; what was sent ahead goes to other executors."""
        self._closed = True
        self._news.set()
        for member in self._members:
            await end(member)

    async def _read(self) -> AsyncIterator[list[Signal]]:
        while True:
            await self._news.wait()
            if self._closed:
                return
            self._news.clear()
            batch = list(self._stops)
            self._stops.clear()
            last: DeliveredMessage | None = None
            while self._arrived:
                last, signals = self._arrived.popleft()
                batch += signals
            if batch:
                yield batch
            if last is not None:
                await _acknowledge(last)

    async def _hear_stops(self, connection: AbstractConnection) -> None:
        async with open_channel(connection) as channel:
            await declare(self._broker, channel, self._names)
            await channel.queue_declare(
                self._queue,
                exclusive=True,
                arguments={"x-max-length": MOST_STOPS, "x-overflow": "drop-head"},
            )
            await channel.queue_bind(self._queue, self._names.stops)
            over = await consume(channel, self._queue, self._got_stops)
            await until_over(channel, over)

    async def _got_stops(self, message: DeliveredMessage) -> None:
        try:
            self._stops.extend(decode(message.body))
        except BadHint as exc:
            self._say_bad(message, exc)
        self._news.set()

    async def _hear_runs(self, connection: AbstractConnection) -> None:
        """Listen while runs are wanted; what was not taken goes back when they are not any more."""
        async with open_channel(connection) as channel:
            await declare(self._broker, channel, self._names)
            await channel.basic_qos(prefetch_count=_AHEAD)
            try:
                while True:
                    self._change.clear()
                    if self._wanted:
                        over = await consume(
                            channel, self._names.runs, self._got_runs, no_ack=False
                        )
                        self.listens = True
                        await self._changed(channel, over)
                        await channel.basic_cancel(self._names.runs)
                        self.listens = False
                        await self._give_back()
                    else:
                        await self._changed(channel)
            finally:
                self.listens = False
                self._arrived.clear()  # they come again, here or elsewhere

    async def _changed(self, channel: AbstractChannel, *overs: "asyncio.Future[None]") -> None:
        """
        Wait until something else is wanted.

        Raises:
            ConnectionError: If *channel* or a consumer ends before that.
        """
        await either(until_over(channel, *overs), self._until_change())

    async def _until_change(self) -> None:
        await self._change.wait()

    async def _got_runs(self, message: DeliveredMessage) -> None:
        try:
            self._arrived.append((message, decode(message.body)))
        except BadHint as exc:
            self._say_bad(message, exc)
            with suppress(*LOST):
                await message.channel.basic_reject(tag_of(message), requeue=False, wait=False)
            return
        self._news.set()

    async def _give_back(self) -> None:
        while self._arrived:
            message, _ = self._arrived.pop()  # the broker puts each before those that wait
            await message.channel.basic_nack(tag_of(message), requeue=True, wait=False)

    def _say_bad(self, message: DeliveredMessage, error: BadHint) -> None:
        self.rejected += 1
        log.warning(
            "signal_not_understood",
            queue=message.routing_key or self._queue,
            reason=str(error),
            size_bytes=len(message.body),
            begin=repr(message.body[:_SHOWN]),
        )

    async def _look(self, connection: AbstractConnection) -> None:
        """Keep the figures of the queues up to date."""
        async with open_channel(connection) as channel:
            await declare(self._broker, channel, self._names)
            while True:
                self.depth = await _depth(channel, self._names.runs)
                self.dead = await _depth(channel, self._names.dead)
                await asyncio.sleep(_LOOK_S)


async def _depth(channel: AbstractChannel, queue: str) -> int:
    return (await channel.queue_declare(queue, passive=True)).message_count or 0


async def _acknowledge(last: DeliveredMessage) -> None:
    """Tell the broker that everything up to *last* was taken."""
    # On a channel that is gone they come again, to whoever listens then.
    with suppress(*LOST):
        await last.channel.basic_ack(tag_of(last), multiple=True, wait=False)

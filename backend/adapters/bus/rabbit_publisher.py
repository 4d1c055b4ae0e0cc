"""Committed changes between machines, over RabbitMQ: the side that has them.

Subscribers say on a fan-out exchange what they want, all of it again and again, so that every
publisher knows, and forgets those that are heard of no more. A publisher that is new, or has a new
connection, asks them to say it at once. Changes go to the queue of each subscriber that wants
them, many in one message. The messages are numbered: whoever misses one looks into storage.
"""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from aiormq import spec
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

from backend.adapters.broker.link import (
    Broker,
    consume,
    either,
    end,
    open_channel,
    until_over,
    until_read,
)
from backend.adapters.broker.names import Names
from backend.adapters.bus.envelopes import BadEnvelope, Kind, Wish, decode_wish, entry, envelope
from backend.adapters.bus.messages import encode
from backend.adapters.bus.outbox import Outbox
from backend.core.json import NotJson
from backend.ports.bus import Attached, Change

log = structlog.get_logger(__name__)

#: A larger change travels as "look into storage".
_LARGEST: Final = 65_536
#: Three times as long as subscribers are silent.
_EXPIRES_S: Final = 60.0
#: Wishes that wait for a publisher that does not read. A subscriber says all of them again.
_MOST_WISHES: Final = 10_000
_TRANSIENT: Final = 1


class RabbitPublisher:
    """
    Use it from the loop of *broker*, which stays the caller's.

    Attributes:
        lost: Changes for which a subscriber had no room; it was told to look into storage.
    """

    def __init__(
        self, broker: Broker, names: Names, stream: str, *, expires_s: float = _EXPIRES_S
    ) -> None:
        """
        Publish nothing before `serve`.

        Args:
            stream: One of `names.STREAMS`; subscribers of the same one hear this publisher.
            expires_s: A subscriber that is not heard of for so long is gone.
        """
        self._expires_s = expires_s
        self._broker = broker
        self._names = names
        self._stream = stream
        self._id = uuid.uuid4().hex
        self._outboxes: dict[str, Outbox] = {}  #: by the subscriber's queue
        self._wanted: dict[str, list[Outbox]] = {}  #: by topic
        self._news = asyncio.Event()
        self.lost = 0

    def wanted(self, topic: str) -> bool:
        return topic in self._wanted

    def publish(self, topic: str, change: Change) -> None:
        """Send *change*; Attached says that something changed of which there is no event."""
        outboxes = self._wanted.get(topic)
        if outboxes is None:
            return
        one = _entry(topic, change)
        for outbox in outboxes:
            if not outbox.add(topic, one):
                self.lost += 1
        self._news.set()

    def tell_all(self) -> None:
        for topic in tuple(self._wanted):
            self.publish(topic, Attached(topic=topic))

    async def serve(self, ready: Callable[[], None]) -> None:
        """Keep track of who listens, and send, until cancelled."""
        told = False

        async def session(connection: AbstractConnection) -> None:
            nonlocal told
            async with open_channel(connection) as channel:
                over = await self._listen(channel)
                for outbox in self._outboxes.values():
                    outbox.ask()
                self._news.set()
                if not told:
                    told = True
                    ready()
                await either(self._send(channel), until_over(channel, over))

        member = self._broker.join(session)
        try:
            await asyncio.wait([member])
        finally:
            await end(member)
            self._outboxes.clear()
            self._wanted.clear()

    async def _listen(self, channel: AbstractChannel) -> "asyncio.Future[None]":
        wishes, hello = self._names.wishes(self._stream), self._names.hello(self._stream)
        for exchange in (wishes, hello):
            await channel.exchange_declare(exchange, exchange_type="fanout", durable=True)
        queue = self._names.own(f"{self._stream}.wishes", uuid.uuid4().hex)
        await channel.queue_declare(
            queue,
            exclusive=True,
            auto_delete=True,
            arguments={"x-max-length": _MOST_WISHES, "x-overflow": "drop-head"},
        )
        await channel.queue_bind(queue, wishes)
        over = await consume(channel, queue, self._got)
        await channel.basic_publish(envelope(self._id, 0, []), exchange=hello)
        return over

    async def _send(self, channel: AbstractChannel) -> None:
        properties = spec.Basic.Properties(delivery_mode=_TRANSIENT)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._expires_s / 10):
                    await self._news.wait()
            self._news.clear()
            self._forget()
            is_more = True
            while is_more:
                is_more = False
                # One each in turn: who wants much delays nobody who wants little.
                for queue, outbox in list(self._outboxes.items()):
                    # It waits while the broker takes no more; the outboxes have bounds.
                    await until_read(channel)
                    message = outbox.take(self._id)
                    if message is not None:
                        is_more = True
                        await channel.basic_publish(
                            message, routing_key=queue, properties=properties
                        )

    def _forget(self) -> None:
        """Forget the subscribers that are heard of no more."""
        now_s = asyncio.get_running_loop().time()
        for queue in [name for name, one in self._outboxes.items() if one.until_s < now_s]:
            self._drop(queue)

    def _drop(self, queue: str) -> None:
        outbox = self._outboxes.pop(queue, None)
        if outbox is not None:
            for topic in outbox.topics:
                self._unwanted(topic, outbox)

    def _unwanted(self, topic: str, outbox: Outbox) -> None:
        outboxes = self._wanted[topic]
        outboxes.remove(outbox)
        if not outboxes:
            del self._wanted[topic]

    def _note(self, wish: Wish) -> None:
        """Note what a subscriber wants."""
        if wish.instead:
            self._drop(wish.instead)
        if wish.is_last:
            self._drop(wish.queue)
            return
        outbox = self._outboxes.setdefault(wish.queue, Outbox())
        outbox.until_s = asyncio.get_running_loop().time() + self._expires_s
        topics = dict(wish.topics)
        if wish.whole:
            topics |= dict.fromkeys(outbox.topics.keys() - topics.keys())
        for topic, number in topics.items():
            self._note_topic(outbox, topic, number)
        self._news.set()

    def _note_topic(self, outbox: Outbox, topic: str, number: int | None) -> None:
        is_wanted = topic in outbox.topics
        if number is not None:
            outbox.wants(topic, number)
            if not is_wanted:
                self._wanted.setdefault(topic, []).append(outbox)
        elif is_wanted:
            outbox.wants_no_more(topic)
            self._unwanted(topic, outbox)

    async def _got(self, message: DeliveredMessage) -> None:
        try:
            self._note(decode_wish(message.body))
        except BadEnvelope as exc:
            log.warning("wish_not_understood", stream=self._stream, reason=str(exc))


def _entry(topic: str, change: Change) -> bytes:
    try:
        body = b"" if isinstance(change, Attached) else encode(change)
    except NotJson as exc:
        log.warning("event_without_json_form", topic=topic, reason=str(exc))
        body = b""
    if not body or len(body) > _LARGEST:
        return entry(Kind.LOOK, topic)
    return entry(Kind.CHANGE, topic, body)

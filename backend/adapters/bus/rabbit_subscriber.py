"""Committed changes between machines, over RabbitMQ: the side that watches.

Each subscriber has a queue of its own, a new one on each connection, and says on a fan-out
exchange what it wants there. Every publisher answers with a marker on that queue, which becomes
`Attached`. A gap in the numbers of a publisher's messages means that some were lost, wherever that
was; then all topics become `Attached` again. So nothing else has to be kept or repeated. They do so
again and again while there is no broker, or one that takes no messages.
"""

import asyncio
import uuid
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
    until_read,
)
from backend.adapters.broker.names import Names
from backend.adapters.bus.envelopes import (
    BadEnvelope,
    Kind,
    Wish,
    encode_wish,
    is_hello,
    open_envelope,
)
from backend.adapters.bus.messages import BadMessage, decode
from backend.ports.bus import Attached, Change

log = structlog.get_logger(__name__)

#: How often all wishes are said again; publishers forget who is silent for three times as long.
_AGAIN_S: Final = 20.0
#: Messages that are sent ahead of what was read. With the size of one it bounds what a reader that
#: does not read costs this process: 4 MiB. What it costs the broker is bounded by its queue.
_AHEAD: Final = 32
_MOST_MESSAGES: Final = 500
_MOST_BYTES: Final = 32 * 1024 * 1024
#: Read messages are acknowledged so many at a time, and whenever none waits.
_TOGETHER: Final = 8
#: Publishers of which the last number is known; more than there are at once.
_MOST_PUBLISHERS: Final = 1000
#: Of more changes than this, all that is wanted is said instead.
_MOST_CHANGED: Final = 1000
_GOODBYE_S: Final = 1.0
#: How often storage is looked into while nothing can be heard.
_LOOK_S: Final = 5.0


class RabbitSubscriber:
    """Use it from the loop of *broker*, which stays the caller's."""

    def __init__(
        self, broker: Broker, names: Names, stream: str, *, look_s: float = _LOOK_S
    ) -> None:
        """
        Ask for nothing yet.

        Args:
            stream: One of `names.STREAMS`; the publishers of the same one are heard.
            look_s: How often all topics become `Attached` while nothing can be heard.
        """
        self._look_s = look_s
        self._broker = broker
        self._names = names
        self._stream = stream
        self._queue = ""
        self._count = 0
        self._topics: dict[str, int] = {}  #: with the number of the subscription
        self._answered: dict[str, set[str]] = {}  #: which publishers have answered, by topic
        self._numbers: dict[str, int] = {}  #: of the last envelope, by publisher
        self._changed: dict[str, int | None] = {}  #: what was not said to the publishers yet
        self._says_all = True
        self._saying = asyncio.Event()
        self._arrived: deque[DeliveredMessage] = deque()
        self._read = 0
        self._entries: deque[tuple[str, bytes | None]] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._member = broker.join(self._listen)
        self._looking = asyncio.create_task(self._look_meanwhile())

    def subscribe(self, topic: str) -> None:
        if topic in self._topics or self._closed:
            return
        # A number in it: the answer to an earlier subscription must not pass for this one's.
        self._count += 1
        self._topics[topic] = self._changed[topic] = self._count
        self._saying.set()

    def unsubscribe(self, topic: str) -> None:
        if self._topics.pop(topic, None) is not None:
            self._answered.pop(topic, None)
            self._changed[topic] = None
            if len(self._changed) > _MOST_CHANGED:  # nobody is there to hear it
                self._says_all = True
                self._changed.clear()
            self._saying.set()

    async def changes(self) -> AsyncIterator[tuple[str, Change]]:
        """Yield (topic, change) until closed. One reader at a time."""
        while self._is_open():
            if self._entries:
                topic, body = self._entries.popleft()
                if topic in self._topics:  # what was under way at the unsubscribe is not wanted
                    yield topic, _change(topic, body)
            elif self._arrived:
                await self._open(self._arrived.popleft())
            else:
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._news.set()
            await self._broker.ask(self._say_goodbye, limit_s=_GOODBYE_S)
        await end(self._looking)
        await end(self._member)

    def _is_open(self) -> bool:
        return not self._closed

    async def _listen(self, connection: AbstractConnection) -> None:
        async with open_channel(connection) as channel:
            before, self._queue = self._queue, self._names.own(self._stream, uuid.uuid4().hex)
            self._answered.clear()
            self._numbers.clear()
            self._arrived.clear()
            over = await self._begin(channel)
            self._says_all = True
            await either(self._say(channel, before), until_over(channel, over))

    async def _begin(self, channel: AbstractChannel) -> "asyncio.Future[None]":
        wishes, hello = self._names.wishes(self._stream), self._names.hello(self._stream)
        for exchange in (wishes, hello):
            await channel.exchange_declare(exchange, exchange_type="fanout", durable=True)
        await channel.queue_declare(
            self._queue,
            exclusive=True,
            auto_delete=True,
            arguments={
                "x-max-length": _MOST_MESSAGES,
                "x-max-length-bytes": _MOST_BYTES,
                "x-overflow": "drop-head",
            },
        )
        await channel.queue_bind(self._queue, hello)
        await channel.basic_qos(prefetch_count=_AHEAD)
        return await consume(channel, self._queue, self._got, no_ack=False)

    async def _look_meanwhile(self) -> None:
        """While nobody can tell of changes, have those who watch look for them."""
        while True:
            await asyncio.sleep(self._look_s)
            is_deaf = not self._broker.connected or self._broker.blocked_s > 0
            if is_deaf and not self._entries:
                self._entries.extend((topic, None) for topic in self._topics)
                self._news.set()

    async def _say(self, channel: AbstractChannel, before: str) -> None:
        """Tell the publishers what is wanted: what has changed at once, all of it from time to time."""
        while True:
            await until_read(channel)
            self._saying.clear()
            whole, self._says_all = self._says_all, False
            topics: dict[str, int | None] = {**self._topics} if whole else self._changed
            self._changed = {}
            wish = Wish(self._queue, topics, whole=whole, instead=before)
            before = ""
            await channel.basic_publish(
                encode_wish(wish), exchange=self._names.wishes(self._stream)
            )
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await self._saying.wait()
            except TimeoutError:
                self._says_all = True

    async def _say_goodbye(self, connection: AbstractConnection) -> None:
        async with open_channel(connection) as channel:
            await channel.basic_publish(
                encode_wish(Wish(self._queue, is_last=True)),
                exchange=self._names.wishes(self._stream),
            )

    async def _got(self, message: DeliveredMessage) -> None:
        if is_hello(message.body):  # answered though nobody reads now
            self._says_all = True
            self._saying.set()
        self._arrived.append(message)
        self._news.set()

    async def _open(self, message: DeliveredMessage) -> None:
        self._read += 1
        if self._read >= _TOGETHER or not self._arrived:
            self._read = 0
            # On a channel that is gone nothing is lost that its end does not tell of.
            with suppress(*LOST):
                await message.channel.basic_ack(tag_of(message), multiple=True, wait=False)
        try:
            publisher, number, entries = open_envelope(message.body)
        except BadEnvelope as exc:
            log.warning("envelope_not_understood", stream=self._stream, reason=str(exc))
            return
        if number == 0:
            return  # a hello
        if not self._follows(publisher, number):
            self._look_at_all(publisher)
        for kind, topic, body in entries:
            self._take(publisher, kind, topic, body)

    def _follows(self, publisher: str, number: int) -> bool:
        """Note the number of an envelope; say whether none was lost before it."""
        before = self._numbers.pop(publisher, 0)
        self._numbers[publisher] = number
        if len(self._numbers) > _MOST_PUBLISHERS:
            del self._numbers[next(iter(self._numbers))]  # the one that is silent for longest
        return number == before + 1

    def _look_at_all(self, publisher: str) -> None:
        for topic in self._topics:
            self._answered.setdefault(topic, set()).add(publisher)
            self._entries.append((topic, None))

    def _take(self, publisher: str, kind: Kind, topic: str, body: bytes) -> None:
        number = self._topics.get(topic)
        if number is None:
            return
        answered = self._answered.setdefault(topic, set())
        if kind is Kind.MARKER:
            if body == b"%d" % number:
                answered.add(publisher)
                self._entries.append((topic, None))
        elif kind is Kind.CHANGE and publisher in answered:
            self._entries.append((topic, body))
        else:
            # Of a publisher that has not answered yet nobody knows what was lost before.
            self._entries.append((topic, None))


def _change(topic: str, body: bytes | None) -> Change:
    if body is None:
        return Attached(topic=topic)
    try:
        return decode(body)
    except BadMessage as exc:
        # Of a version that we cannot read; storage has the rows in a form that we can.
        log.warning("event_not_understood", topic=topic, reason=str(exc))
        return Attached(topic=topic)

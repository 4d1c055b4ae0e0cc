"""What is lost between publishers and subscribers on a broker is told of, wherever it was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiormq.abc import AbstractConnection
from structlog.testing import capture_logs

from backend.adapters.broker.link import Broker, open_channel
from backend.adapters.broker.names import Names
from backend.adapters.bus.envelopes import Kind, entry, envelope
from backend.adapters.bus.messages import encode
from backend.adapters.bus.rabbit_publisher import RabbitPublisher
from backend.adapters.bus.rabbit_subscriber import RabbitSubscriber
from backend.ports.bus import Attached, Change, NodeChanged
from backend.testing.bus import Listener, node_changed, until
from tests.brokers import Proxy, Rabbit

TOPIC = "run:1"
ATTACHED: tuple[str, Change] = (TOPIC, Attached(topic=TOPIC))


@asynccontextmanager
async def publishing(
    broker: Broker, names: Names, stream: str = "events", **options: float
) -> AsyncIterator[RabbitPublisher]:
    publisher, ready = RabbitPublisher(broker, names, stream, **options), asyncio.Event()
    served = asyncio.create_task(publisher.serve(ready.set))
    try:
        await ready.wait()
        yield publisher
    finally:
        served.cancel()
        await asyncio.wait([served])


@pytest.fixture
async def subscriber(rabbit: Rabbit) -> AsyncIterator[RabbitSubscriber]:
    """Subscribed to TOPIC, on a connection of its own."""
    made = RabbitSubscriber(await rabbit.broker(), rabbit.names, "events")
    made.subscribe(TOPIC)
    yield made
    await made.close()


async def test_several_publishers_tell_one_listener(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """Executors, each with its own runs; each answers for itself."""
    listener = Listener(subscriber)
    async with (
        publishing(await rabbit.broker(), rabbit.names) as first,
        publishing(await rabbit.broker(), rabbit.names) as second,
    ):
        assert [await listener.next(), await listener.next()] == [ATTACHED, ATTACHED]
        await until(lambda: first.wanted(TOPIC) and second.wanted(TOPIC))

        for publisher, revision in ((first, 1), (second, 2)):
            publisher.publish(TOPIC, node_changed(revision=revision))

            assert await listener.next() == (TOPIC, node_changed(revision=revision))


async def test_a_publisher_that_was_cut_off_tells_what_came_then(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """What it could not send waits; what was under way may be lost, and is told of."""
    listener = Listener(subscriber)
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        async with publishing(broker, rabbit.names) as publisher:
            await listener.attached(TOPIC)

            proxy.cut()
            await until(lambda: not broker.connected)
            publisher.publish(TOPIC, node_changed(revision=7))

            change: Change = Attached(topic=TOPIC)
            while isinstance(change, Attached):
                _, change = await listener.next()
            assert change == node_changed(revision=7)


async def test_a_message_that_was_lost_is_told_of(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """By the next one: its number leaves a gap."""
    listener = Listener(subscriber)
    async with publishing(await rabbit.broker(), rabbit.names) as publisher:
        await listener.attached(TOPIC)
        publisher.publish(TOPIC, node_changed(revision=1))
        [outbox] = publisher._outboxes.values()
        assert outbox.take(publisher._id)  # and nobody sends it

        publisher.publish(TOPIC, node_changed(revision=2))

        assert await listener.next() == ATTACHED
        assert await listener.next() == (TOPIC, node_changed(revision=2))


async def test_a_last_message_that_was_lost_with_its_connection_is_told_of(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """Though nothing comes after it: who has a new connection says how far it is."""
    listener = Listener(subscriber)
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        async with publishing(broker, rabbit.names) as publisher:
            await listener.attached(TOPIC)
            publisher.publish(TOPIC, node_changed())
            [outbox] = publisher._outboxes.values()
            assert outbox.take(publisher._id)  # it was on its way

            proxy.cut()

            assert await listener.next() == ATTACHED


async def test_what_comes_before_the_answer_to_a_wish_is_only_a_sign(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """Nobody knows what was lost before it; and an answer to an earlier wish is none."""
    listener, broker = Listener(subscriber), await rabbit.broker()
    await until(lambda: bool(subscriber._queue) and not subscriber._changed)
    event = entry(Kind.CHANGE, TOPIC, encode(node_changed()))
    sent = [
        [entry(Kind.MARKER, TOPIC, b"0")],  # of nobody's subscription: passed over
        [event],
        [entry(Kind.MARKER, TOPIC, b"1")],
        [event],
    ]

    async def send(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            for number, entries in enumerate(sent, 1):
                message = envelope("publisher", number, entries)
                await channel.basic_publish(message, routing_key=subscriber._queue)
        return True

    assert await broker.ask(send, limit_s=5.0)

    heard = [await listener.next() for _ in range(3)]
    assert heard == [ATTACHED, ATTACHED, (TOPIC, node_changed())]


async def test_who_does_not_read_is_sent_little_ahead(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """The broker keeps the rest, and drops the oldest when it is too much."""
    listener = Listener(subscriber)
    async with publishing(await rabbit.broker(), rabbit.names) as publisher:
        await listener.attached(TOPIC)

        for revision in range(700):
            publisher.publish(TOPIC, node_changed(revision=revision))
            await until(lambda: not any(one.waits for one in publisher._outboxes.values()))

        assert len(subscriber._arrived) <= 32
        seen = [await listener.next()]
        while seen[-1] != (TOPIC, node_changed(revision=699)):
            seen.append(await listener.next())
        assert ATTACHED in seen
        assert publisher.lost == 0, "it was not the publisher's loss"


async def test_a_subscriber_that_was_cut_off_looks_into_storage(rabbit: Rabbit) -> None:
    async with Proxy(rabbit.url) as proxy:
        subscriber = RabbitSubscriber(await rabbit.broker(proxy.url), rabbit.names, "events")
        subscriber.subscribe(TOPIC)
        listener = Listener(subscriber)
        async with publishing(await rabbit.broker(), rabbit.names) as publisher:
            await listener.attached(TOPIC)
            before = set(publisher._outboxes)

            proxy.cut()

            assert await listener.next() == ATTACHED
            assert len(publisher._outboxes) == 1, "the old queue is forgotten"
            assert set(publisher._outboxes) != before
            publisher.publish(TOPIC, node_changed())
            assert await listener.next() == (TOPIC, node_changed())
        await subscriber.close()


async def test_a_new_publisher_is_answered_though_nobody_reads(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """A reader that is busy must not keep the others' changes from being built."""
    async with publishing(await rabbit.broker(), rabbit.names) as first:
        await until(lambda: first.wanted(TOPIC))
        async with publishing(await rabbit.broker(), rabbit.names) as second:
            await until(lambda: second.wanted(TOPIC))


async def test_who_is_heard_of_no_more_is_forgotten(rabbit: Rabbit) -> None:
    """Its machine is gone; it could not say goodbye."""
    async with Proxy(rabbit.url) as proxy:
        subscriber = RabbitSubscriber(await rabbit.broker(proxy.url), rabbit.names, "events")
        subscriber.subscribe(TOPIC)
        broker = await rabbit.broker()
        async with publishing(broker, rabbit.names, expires_s=2.0) as publisher:
            await until(lambda: publisher.wanted(TOPIC))

            proxy.blocked = True
            proxy.cut()

            await until(lambda: not publisher.wanted(TOPIC))
            assert publisher._outboxes == {}
        await subscriber.close()


async def test_what_nobody_understands_harms_nobody(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    """On a queue, and on the exchange of wishes."""
    listener, broker = Listener(subscriber), await rabbit.broker()
    async with publishing(broker, rabbit.names) as publisher:
        await listener.attached(TOPIC)
        [queue] = publisher._outboxes

        async def send(connection: AbstractConnection) -> bool:
            async with open_channel(connection) as channel:
                for junk in (b"", b"\xff", b"x y\n", b"a 1\nC\xff\xff\xff\xff\xff\xffno", b"{}"):
                    await channel.basic_publish(junk, routing_key=queue)
                    await channel.basic_publish(junk, exchange=rabbit.names.wishes("events"))
            return True

        with capture_logs() as logs:
            assert await broker.ask(send, limit_s=5.0)
            publisher.publish(TOPIC, node_changed())

            _, change = await listener.next()
            while isinstance(change, Attached):
                _, change = await listener.next()
            await until(lambda: sum(e["event"] == "wish_not_understood" for e in logs) == 5)
        assert isinstance(change, NodeChanged)
        assert sum(e["event"] == "envelope_not_understood" for e in logs) == 5


async def test_streams_and_installations_do_not_meet(
    rabbit: Rabbit, subscriber: RabbitSubscriber
) -> None:
    broker, other = await rabbit.broker(), Rabbit(rabbit.url)
    async with (
        publishing(broker, rabbit.names, "notices") as notices,
        publishing(await other.broker(), other.names) as elsewhere,
        publishing(broker, rabbit.names) as publisher,
    ):
        await Listener(subscriber).attached(TOPIC)

        assert publisher.wanted(TOPIC)
        assert not notices.wanted(TOPIC)
        assert not elsewhere.wanted(TOPIC)
    await other.close()

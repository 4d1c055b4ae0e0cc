"""A broker that is short of memory reads nothing from those who publish; nothing of ours hangs, or grows."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Self

import pytest

from backend.adapters.broker.link import Broker
from backend.adapters.bus.rabbit_publisher import RabbitPublisher
from backend.adapters.bus.rabbit_subscriber import RabbitSubscriber
from backend.adapters.dispatch.rabbit import RabbitDispatcher
from backend.adapters.dispatch.rabbit_source import RabbitSignalSource
from backend.adapters.peers.rabbit import RabbitPeers
from backend.core.ids import ExecutionId
from backend.ports.bus import Attached, Change
from backend.ports.dispatch import SignalKind
from backend.testing.bus import node_changed, until
from backend.testing.peers import serving
from tests.brokers import Rabbit
from tests.private_broker import PrivateBroker

pytestmark = pytest.mark.slow

TOPIC = "run:1"
#: Each of the three waits for two seconds that nobody answers, and some more on a busy machine.
LEAVE_S = 9.0


@pytest.fixture
async def rabbit(private_broker: PrivateBroker) -> AsyncIterator[Rabbit]:
    made = Rabbit(private_broker.url)
    yield made
    await asyncio.to_thread(private_broker.end_alarm)
    await made.close()


async def alarm(private_broker: PrivateBroker, what: str = "memory") -> None:
    await asyncio.to_thread(private_broker.alarm, what)


async def relief(private_broker: PrivateBroker) -> None:
    await asyncio.to_thread(private_broker.end_alarm)


async def seen_blocked(broker: Broker) -> None:
    await until(lambda: broker.blocked_s > 0)


class Heard:
    """Keeps what a subscriber yields, for the block."""

    def __init__(self, subscriber: RabbitSubscriber) -> None:
        self._subscriber = subscriber
        self.got: list[tuple[str, Change]] = []

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._subscriber.close()
        await self._reading

    async def _read(self) -> None:
        async for one in self._subscriber.changes():
            self.got.append(one)


@pytest.mark.parametrize("what", ["memory", "disk"])
async def test_signals_wait_for_the_end_of_an_alarm_and_leave_in_time_at_a_stop(
    rabbit: Rabbit, private_broker: PrivateBroker, what: str
) -> None:
    broker, other = await rabbit.broker(), await rabbit.broker()
    dispatcher, second = (RabbitDispatcher(one, rabbit.names) for one in (broker, other))
    for one in (dispatcher, second):
        one.signal(SignalKind.RUN, ExecutionId("before"))
    await until(lambda: dispatcher.sent == second.sent == 1)

    await alarm(private_broker, what)
    for one in (dispatcher, second):
        one.signal(SignalKind.RUN, ExecutionId("meets the alarm"))
    await seen_blocked(broker)
    await seen_blocked(other)
    for number in range(200):
        dispatcher.signal(SignalKind.RUN, ExecutionId(f"run-{number}"))
    await asyncio.sleep(1.5)
    sent_meanwhile = dispatcher.sent

    begin = time.monotonic()
    await second.close()
    await other.close()
    took_s = time.monotonic() - begin
    await relief(private_broker)
    await until(lambda: dispatcher.sent == 202)

    assert sent_meanwhile <= 2
    assert took_s < LEAVE_S
    await until(lambda: broker.blocked_s == 0)
    assert (broker.connections, broker.losses, dispatcher.lost) == (1, 0, 0)
    await dispatcher.close()


async def test_a_question_is_not_asked_of_a_broker_that_does_not_read(
    rabbit: Rabbit, private_broker: PrivateBroker
) -> None:
    broker = await rabbit.broker()
    dispatcher = RabbitDispatcher(broker, rabbit.names)
    await alarm(private_broker)
    dispatcher.signal(SignalKind.RUN, ExecutionId("meets the alarm"))
    await seen_blocked(broker)

    async def asked(_: object) -> bool:
        raise AssertionError("nobody reads it")

    assert await broker.ask(asked, limit_s=5.0) is None
    await relief(private_broker)
    await dispatcher.close()


async def test_the_dead_are_missed_during_an_alarm(
    rabbit: Rabbit, private_broker: PrivateBroker
) -> None:
    """Who lives is asked over a connection that publishes nothing, and is never blocked."""
    watching, dying = await rabbit.broker(), await rabbit.broker()
    source = RabbitSignalSource(watching, rabbit.names, "watcher")
    hears = asyncio.ensure_future(anext(source.signals(), None))
    peers = RabbitPeers(watching, rabbit.names, "watcher", settled_s=0.5)
    other = RabbitPeers(dying, rabbit.names, "dying", settled_s=0.5)
    async with serving(peers):
        async with serving(other):
            await asyncio.sleep(1.0)
            await alarm(private_broker)
            assert await peers.gone({"dying"}) == frozenset()
        await dying.close()

        gone = await peers.gone({"dying"})

        assert gone == {"dying"}
        assert watching.blocked_s == 0
    await relief(private_broker)
    await source.close()
    await hears


async def test_who_watches_looks_into_storage_during_an_alarm_and_is_told_after_it(
    rabbit: Rabbit, private_broker: PrivateBroker
) -> None:
    publisher = RabbitPublisher(await rabbit.broker(), rabbit.names, "events")
    watcher = await rabbit.broker()
    subscriber = RabbitSubscriber(watcher, rabbit.names, "events", look_s=0.3)
    ready = asyncio.Event()
    serving_ = asyncio.create_task(publisher.serve(ready.set))
    await ready.wait()
    async with Heard(subscriber) as heard:
        subscriber.subscribe(TOPIC)
        await until(lambda: publisher.wanted(TOPIC))
        await until(lambda: len(heard.got) > 0)

        await alarm(private_broker)
        subscriber.subscribe("run:2")  # a word of its own: it meets the alarm
        publisher.publish(TOPIC, node_changed(revision=1))
        await seen_blocked(watcher)
        before = len(heard.got)
        await until(lambda: (TOPIC, Attached(topic=TOPIC)) in heard.got[before:])
        for number in range(2, 5000):
            publisher.publish(TOPIC, node_changed(revision=number))
        lost_meanwhile = publisher.lost
        await relief(private_broker)

        await until(lambda: watcher.blocked_s == 0)
        publisher.publish("run:2", node_changed(revision=7))
        await until(lambda: ("run:2", node_changed(revision=7)) in heard.got)

    assert 0 < lost_meanwhile < 5000
    assert watcher.losses == 0
    serving_.cancel()
    await asyncio.wait([serving_])

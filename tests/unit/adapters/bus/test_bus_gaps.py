"""Events that come before their topic is known to be live: nobody knows what was lost before them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import zmq

from backend.adapters.bus.local import LocalSubscriber
from backend.adapters.bus.messages import encode
from backend.adapters.ipc import bind, leave, open_socket, socket_path
from backend.ports.bus import Attached, Change
from backend.testing.bus import run_changed

TOPIC = "run:1"
EVENT = encode(run_changed())
LIVE, LOST = run_changed(), Attached(topic=TOPIC)


class Publisher:
    """One whose every message the test sends itself."""

    def __init__(self, path: str, name: bytes) -> None:
        self._socket = open_socket(zmq.XPUB, limit=100)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        bind(self._socket, path)
        self._name = name
        self._address = path

    async def wishes(self, count: int) -> list[bytes]:
        """Return what was asked for, or is not any more."""
        found: list[bytes] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                try:
                    found.append(self._socket.recv(zmq.NOBLOCK))
                except zmq.Again:
                    await asyncio.sleep(0.005)
        return found

    def event(self) -> None:
        self._socket.send_multipart((TOPIC.encode() + b"\0", EVENT, self._name))

    def answer(self, marker: bytes) -> None:
        self._socket.send_multipart((marker[1:], b"", self._name))

    def close(self) -> None:
        self._socket.close(linger=0)
        leave(self._address)


class Heard:
    """What a subscriber yields. It is listened to all the time, or ZeroMQ would not reconnect it."""

    def __init__(self, subscriber: LocalSubscriber) -> None:
        self._subscriber = subscriber
        self._queue: asyncio.Queue[tuple[str, Change]] = asyncio.Queue()

    async def listen(self) -> None:
        async for heard in self._subscriber.changes():
            self._queue.put_nowait(heard)

    async def next(self) -> Change:
        async with asyncio.timeout(10):
            topic, change = await self._queue.get()
        assert topic == TOPIC
        return change


@pytest.fixture
def path(tmp_path: Path) -> str:
    return socket_path(tmp_path, "events")


@pytest.fixture
async def subscriber(path: str) -> AsyncIterator[LocalSubscriber]:
    made = LocalSubscriber(path)
    yield made
    await made.close()


@pytest.fixture
async def heard(subscriber: LocalSubscriber) -> AsyncIterator[Heard]:
    made = Heard(subscriber)
    listening = asyncio.create_task(made.listen())
    yield made
    listening.cancel()
    await asyncio.wait([listening])


async def test_an_event_before_the_answer_is_only_a_sign_that_something_happened(
    path: str, subscriber: LocalSubscriber, heard: Heard
) -> None:
    """The publisher was frozen when the topic was asked for, and takes the wishes one by one."""
    publisher = Publisher(path, b"first")
    subscriber.subscribe(TOPIC)
    wish, marker = await publisher.wishes(2)
    assert wish == b"\x01" + TOPIC.encode() + b"\0"

    publisher.event()
    assert await heard.next() == LOST
    publisher.answer(marker)
    assert await heard.next() == LOST
    publisher.event()
    assert await heard.next() == LIVE
    publisher.close()


async def test_the_answer_of_a_publisher_says_nothing_of_the_next_one(
    path: str, subscriber: LocalSubscriber, heard: Heard
) -> None:
    publisher = Publisher(path, b"first")
    subscriber.subscribe(TOPIC)
    _, marker = await publisher.wishes(2)
    publisher.answer(marker)
    assert await heard.next() == LOST
    publisher.close()

    publisher = Publisher(path, b"second")
    _, marker = await publisher.wishes(2)
    publisher.event()
    assert await heard.next() == LOST
    publisher.answer(marker)
    assert await heard.next() == LOST
    publisher.event()
    assert await heard.next() == LIVE
    publisher.close()


async def test_the_answer_to_an_earlier_subscription_is_not_this_ones(
    path: str, subscriber: LocalSubscriber, heard: Heard
) -> None:
    publisher = Publisher(path, b"first")
    subscriber.subscribe(TOPIC)
    _, earlier = await publisher.wishes(2)
    subscriber.unsubscribe(TOPIC)
    subscriber.subscribe(TOPIC)
    *_, marker = await publisher.wishes(4)
    assert marker != earlier

    publisher.answer(earlier)
    publisher.event()
    assert await heard.next() == LOST
    publisher.answer(marker)
    publisher.event()
    assert [await heard.next(), await heard.next()] == [LOST, LIVE]
    publisher.close()

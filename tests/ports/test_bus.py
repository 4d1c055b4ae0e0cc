"""Each event bus against the spec of its port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend.adapters.broker.link import Broker
from backend.adapters.bus.local import LocalPublisher, LocalSubscriber
from backend.adapters.bus.rabbit_publisher import RabbitPublisher
from backend.adapters.bus.rabbit_subscriber import RabbitSubscriber
from backend.adapters.ipc import socket_path
from backend.ports.bus import EventPublisher, EventSubscriber
from backend.testing.bus import BusSpec
from tests.brokers import Rabbit


class LocalBus:
    def __init__(self, data_dir: Path) -> None:
        self.path = socket_path(data_dir, "events")
        self.subscribers: list[LocalSubscriber] = []

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[EventPublisher]:
        publisher, ready = LocalPublisher(self.path), asyncio.Event()
        served = asyncio.create_task(publisher.serve(ready.set))
        try:
            await ready.wait()
            yield publisher
        finally:
            served.cancel()
            await asyncio.wait([served])

    def subscriber(self) -> EventSubscriber:
        self.subscribers.append(LocalSubscriber(self.path))
        return self.subscribers[-1]


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[LocalBus]:
    made = LocalBus(tmp_path)
    yield made
    for subscriber in made.subscribers:
        await subscriber.close()


class TestLocalBus(BusSpec):
    pass


class RabbitBus:
    def __init__(self, rabbit: Rabbit, broker: Broker) -> None:
        self.rabbit, self.broker = rabbit, broker
        self.subscribers: list[RabbitSubscriber] = []

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[EventPublisher]:
        publisher = RabbitPublisher(self.broker, self.rabbit.names, "events")
        ready = asyncio.Event()
        served = asyncio.create_task(publisher.serve(ready.set))
        try:
            await ready.wait()
            yield publisher
        finally:
            served.cancel()
            await asyncio.wait([served])

    def subscriber(self) -> EventSubscriber:
        made = RabbitSubscriber(self.broker, self.rabbit.names, "events")
        self.subscribers.append(made)
        return made


class TestRabbitBus(BusSpec):
    many = 1500  # each is a message of its own: no two are sent in one turn of the loop

    @pytest.fixture
    async def bus(self, rabbit: Rabbit) -> AsyncIterator[RabbitBus]:
        made = RabbitBus(rabbit, await rabbit.broker())
        yield made
        for subscriber in made.subscribers:
            await subscriber.close()

"""Each event bus against the spec of its port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend.adapters.bus.local import LocalPublisher, LocalSubscriber
from backend.adapters.ipc import socket_path
from backend.ports.bus import EventPublisher, EventSubscriber
from backend.testing.bus import BusSpec


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

"""Each dispatcher against the spec of its port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.broker.link import Broker
from backend.adapters.dispatch.local import LocalDispatcher, LocalSignalSource
from backend.adapters.dispatch.rabbit import RabbitDispatcher
from backend.adapters.dispatch.rabbit_source import RabbitSignalSource
from backend.adapters.ipc import socket_path
from backend.ports.dispatch import Dispatcher, SignalSource
from backend.testing.dispatch import DispatchSpec
from tests.brokers import Rabbit


class LocalDispatch:
    def __init__(self, data_dir: Path) -> None:
        self.path = socket_path(data_dir, "signals")
        self.made: list[LocalDispatcher | LocalSignalSource] = []

    def dispatcher(self) -> Dispatcher:
        made = LocalDispatcher(self.path)
        self.made.append(made)
        return made

    def source(self) -> SignalSource:
        made = LocalSignalSource(self.path)
        self.made.append(made)
        return made


@pytest.fixture
async def dispatch(tmp_path: Path) -> AsyncIterator[LocalDispatch]:
    made = LocalDispatch(tmp_path)
    yield made
    for one in made.made:
        await one.close()


class TestLocalDispatch(DispatchSpec):
    pass


class RabbitDispatch:
    def __init__(self, rabbit: Rabbit, broker: Broker) -> None:
        self.rabbit, self.broker = rabbit, broker
        self.made: list[RabbitDispatcher | RabbitSignalSource] = []

    def dispatcher(self) -> Dispatcher:
        made = RabbitDispatcher(self.broker, self.rabbit.names)
        self.made.append(made)
        return made

    def source(self) -> SignalSource:
        owner = f"executor-{len(self.made)}"
        made = RabbitSignalSource(self.broker, self.rabbit.names, owner)
        self.made.append(made)
        return made


class TestRabbitDispatch(DispatchSpec):
    @pytest.fixture
    async def dispatch(self, rabbit: Rabbit) -> AsyncIterator[RabbitDispatch]:
        made = RabbitDispatch(rabbit, await rabbit.broker())
        yield made
        for one in made.made:
            await one.close()

"""Each dispatcher against the spec of its port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.dispatch.local import LocalDispatcher, LocalSignalSource
from backend.adapters.ipc import socket_path
from backend.ports.dispatch import Dispatcher, SignalSource
from backend.testing.dispatch import DispatchSpec


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

"""What the tests with a whole server share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.harness import Server, serving

StartServer = Callable[..., Server]


@pytest.fixture(autouse=True)
def _stores_of_the_test(store_kind: None) -> None:
    """Every test here may start servers."""


@pytest.fixture
def outside() -> Iterator[EffectCounter]:
    """A server outside that counts what is done to it."""
    counter = EffectCounter()
    yield counter
    counter.close()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start a server in a directory of its own, or with ``data=…`` in that one."""
    with ExitStack() as stack:

        def start(data: str = "data", **settings: str) -> Server:
            return stack.enter_context(serving(tmp_path / data, **settings))

        yield start


@pytest.fixture
def server(start_server: StartServer, outside: EffectCounter) -> Server:
    """A server that may call `outside`."""
    return start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)

"""What the tests of security share."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.rest_server import RestServer, rest_server


@pytest.fixture
async def server() -> AsyncIterator[RestServer]:
    async with rest_server() as made:
        yield made

"""What the tests of contract share."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.rest_server import RestServer, rest_server


@pytest.fixture(autouse=True)
def _store_of_the_test(store_kind: None) -> None:
    """Every test here may open a storage."""


@pytest.fixture
async def server() -> AsyncIterator[RestServer]:
    async with rest_server() as made:
        yield made

"""Services of others, played on this machine, and a context that reaches them."""

import ssl
from collections.abc import AsyncIterator, Iterator
from functools import cache

import pytest

from backend.adapters.web import GuardedWebClient
from backend.sdk import BlockContext
from backend.testing.standin import StandIn


@pytest.fixture(scope="session")
def one_stand_in() -> Iterator[StandIn]:
    with StandIn() as services:
        yield services


@pytest.fixture
def services(one_stand_in: StandIn) -> StandIn:
    one_stand_in.forget()
    return one_stand_in


@pytest.fixture
async def played(services: StandIn) -> AsyncIterator[BlockContext]:
    web = GuardedWebClient(tls=_certificates())
    yield services.context(web)
    await web.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    # Reading the system's certificates takes longer than most of these tests.
    return ssl.create_default_context()

"""When an executor is gone: by the broker's word, and never by a mistake of ours."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiormq.abc import AbstractConnection

from backend.adapters.broker.link import open_channel
from backend.adapters.broker.names import Names
from backend.adapters.peers.rabbit import RabbitPeers
from backend.testing.bus import until
from backend.testing.peers import serving
from tests.brokers import Proxy, Rabbit
from tests.house.source import ROOT


@asynccontextmanager
async def living(rabbit: Rabbit, owner: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.peer", rabbit.url, rabbit.names.installation, owner),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"alive\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_gone(peers: RabbitPeers, owner: str, *, limit_s: float) -> float:
    begin = time.monotonic()
    async with asyncio.timeout(limit_s):
        while await peers.gone([owner]) != {owner}:  # noqa: ASYNC110 -- it has to be asked
            await asyncio.sleep(0.05)
    return time.monotonic() - begin


async def until_back(peers: RabbitPeers, owner: str) -> None:
    async with asyncio.timeout(15.0):
        while await peers.gone([owner]):  # noqa: ASYNC110 -- the same
            await asyncio.sleep(0.05)


async def observer(rabbit: Rabbit, name: str = "observer", **options: float) -> RabbitPeers:
    options = {"settled_s": 0.0} | options
    return RabbitPeers(await rabbit.broker(), rabbit.names, name, **options)


async def test_who_is_killed_is_gone_at_once(rabbit: Rabbit) -> None:
    """Before a user would notice: the next sweep gives its runs away."""
    peers = await observer(rabbit)
    async with living(rabbit, "ann") as process:
        assert await peers.gone(["ann", "nobody"]) == {"nobody"}

        process.kill()

        assert await until_gone(peers, "ann", limit_s=10.0) < 1.5


@pytest.mark.slow
async def test_who_is_frozen_is_gone_after_missed_heartbeats(rabbit: Rabbit) -> None:
    peers = await observer(rabbit)
    async with living(rabbit, "ann") as process:
        process.send_signal(signal.SIGSTOP)

        took_s = await until_gone(peers, "ann", limit_s=60.0)
        process.send_signal(signal.SIGCONT)
        await until_back(peers, "ann")

        assert 5.0 < took_s < 35.0


async def test_who_cannot_see_says_nothing(rabbit: Rabbit) -> None:
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        peers = RabbitPeers(broker, rabbit.names, "observer", settled_s=0.0)
        assert await peers.gone(["nobody"]) == {"nobody"}

        proxy.blocked = True
        proxy.cut()

        assert await peers.gone(["nobody"]) == frozenset()


async def test_after_a_loss_nobody_is_gone_for_a_while(rabbit: Rabbit) -> None:
    """The broker may have been started anew: then nobody's queue is there yet."""
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        peers = RabbitPeers(broker, rabbit.names, "observer", settled_s=1.0)
        async with serving(peers):
            await until_gone(peers, "nobody", limit_s=5.0)

            proxy.cut()
            await until(lambda: broker.connections > 1)

            assert await until_gone(peers, "nobody", limit_s=5.0) > 0.9


async def test_who_is_new_to_a_fresh_broker_waits(rabbit: Rabbit) -> None:
    """The others may be on their way back to it, too."""
    peers = await observer(rabbit, settled_s=30.0)
    async with serving(peers):
        assert await peers.gone(["nobody"]) == frozenset()


async def test_who_is_new_to_a_settled_broker_need_not_wait(rabbit: Rabbit) -> None:
    """An executor that was started anew takes its own runs up at once."""
    first = await observer(rabbit, "first")
    async with serving(first):
        await asyncio.sleep(0.1)  # until it has said so
        second = await observer(rabbit, "second", settled_s=30.0)

        async with serving(second):
            await until_gone(second, "nobody", limit_s=5.0)
            assert await second.gone(["first"]) == frozenset()


async def test_a_queue_that_comes_back_between_two_looks_is_not_missed(rabbit: Rabbit) -> None:
    """Its owner has lost its connection, and made a new one."""
    peers, ann = await observer(rabbit), await observer(rabbit, "ann")
    asked = asyncio.create_task(peers.gone(["ann"]))
    await asyncio.sleep(0.1)  # after the first look, before the second

    async with serving(ann):
        assert await asked == frozenset()


async def test_a_sign_of_life_that_was_deleted_comes_back(rabbit: Rabbit) -> None:
    peers, broker = await observer(rabbit), await rabbit.broker()
    async with serving(RabbitPeers(broker, rabbit.names, "ann")):
        await broker.ask(lambda there: _deleted(there, rabbit.names.alive("ann")), limit_s=5.0)

        await until_back(peers, "ann")


async def test_two_installations_on_one_broker_do_not_meet(rabbit: Rabbit) -> None:
    other = RabbitPeers(await rabbit.broker(), Names("other"), "ann")
    peers = await observer(rabbit)
    async with serving(other):
        assert await peers.gone(["ann"]) == {"ann"}


async def _deleted(connection: AbstractConnection, queue: str) -> None:
    async with open_channel(connection) as channel:
        await channel.queue_delete(queue)

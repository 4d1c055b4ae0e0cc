"""A broker that is started anew: nothing that waited is lost, nobody is said to be gone."""

import asyncio

import pytest

from backend.adapters.broker.names import Names
from backend.adapters.bus.rabbit_publisher import RabbitPublisher
from backend.adapters.bus.rabbit_subscriber import RabbitSubscriber
from backend.adapters.dispatch.rabbit import RabbitDispatcher
from backend.adapters.dispatch.rabbit_source import RabbitSignalSource
from backend.adapters.peers.rabbit import RabbitPeers
from backend.core.ids import ExecutionId
from backend.ports.bus import Attached, NodeChanged
from backend.ports.dispatch import SignalKind
from backend.testing.bus import Listener, node_changed, until
from backend.testing.peers import serving
from tests.brokers import Rabbit
from tests.private_broker import PrivateBroker

pytestmark = pytest.mark.slow

TOPIC = "run:1"


async def restart(broker: PrivateBroker) -> None:
    await asyncio.to_thread(broker.stop_application)
    await asyncio.to_thread(broker.start_application)


async def test_hints_that_wait_outlive_the_broker(private_broker: PrivateBroker) -> None:
    rabbit = Rabbit(private_broker.url)
    broker = await rabbit.broker()
    dispatcher = RabbitDispatcher(broker, rabbit.names)
    names = {f"run-{number}" for number in range(20)}
    for name in names:
        dispatcher.signal(SignalKind.RUN, ExecutionId(name))
    await until(lambda: dispatcher.sent == 20)
    await asyncio.sleep(0.2)  # they are not confirmed

    await restart(private_broker)
    source = RabbitSignalSource(broker, rabbit.names, "executor")
    heard: set[str] = set()
    async with asyncio.timeout(20.0):
        async for batch in source.signals():
            heard |= {one.run_id for one in batch}
            if heard == names:
                break
    assert heard == names

    await source.close()
    await dispatcher.close()
    await rabbit.close()


async def test_nobody_is_gone_because_the_broker_was(private_broker: PrivateBroker) -> None:
    """Whoever asks, and whether it was there before: all owners need some time to come back."""
    rabbit = Rabbit(private_broker.url)
    watcher, owner = await rabbit.broker(), await rabbit.broker()
    peers = RabbitPeers(watcher, rabbit.names, "watcher", settled_s=3.0)
    async with (
        serving(peers),
        serving(RabbitPeers(owner, rabbit.names, "owner", settled_s=3.0)),
    ):
        async with asyncio.timeout(10.0):
            while await peers.gone(["nobody"]) != {"nobody"}:  # noqa: ASYNC110 -- it is asked
                await asyncio.sleep(0.1)
        restarted = asyncio.create_task(restart(private_broker))

        said: set[str] = set()
        while not restarted.done():
            said |= await peers.gone(["owner"])
            await asyncio.sleep(0.05)
        newcomer = RabbitPeers(await rabbit.broker(), rabbit.names, "newcomer", settled_s=3.0)
        async with serving(newcomer):
            # Not even of one that never was: it could be an owner on its way back.
            said |= await newcomer.gone(["owner", "nobody"])
        assert said == set()

        async with asyncio.timeout(20.0):
            while await peers.gone(["owner", "nobody"]) != {"nobody"}:  # noqa: ASYNC110 -- the same
                await asyncio.sleep(0.1)
    await rabbit.close()


async def test_who_watches_looks_into_storage_and_goes_on(private_broker: PrivateBroker) -> None:
    rabbit = Rabbit(private_broker.url)
    here, there = await rabbit.broker(), await rabbit.broker()
    # It looks by itself while the broker is away; here it is to be told.
    subscriber = RabbitSubscriber(here, rabbit.names, "events", look_s=600.0)
    subscriber.subscribe(TOPIC)
    listener = Listener(subscriber)
    publisher = RabbitPublisher(there, rabbit.names, "events")
    served = asyncio.create_task(publisher.serve(lambda: None))
    await listener.attached(TOPIC)

    await restart(private_broker)

    await listener.attached(TOPIC)
    publisher.publish(TOPIC, node_changed())
    _, change = await listener.next()
    while isinstance(change, Attached):
        _, change = await listener.next()
    assert isinstance(change, NodeChanged)
    served.cancel()
    await asyncio.wait([served])
    await subscriber.close()
    await rabbit.close()


def test_two_installations_have_no_name_in_common() -> None:
    """Not even when one's id begins like the other's."""
    ours, theirs = Names("a"), Names("a-b")

    assert not {*ours.queues, *ours.exchanges} & {*theirs.queues, *theirs.exchanges}
    assert not theirs.runs.startswith(ours.prefix)

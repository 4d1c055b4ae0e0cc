"""The spec of the event bus: what every pair of publisher and subscriber must do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Final, Protocol

from backend.core.execution import RunStats
from backend.core.ids import (
    BlockId,
    ExecutionId,
    GraphId,
    NodeExecutionId,
    NodeId,
    UserId,
    derived_id,
)
from backend.core.node_steps import ModelUse
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import Status
from backend.ports.bus import (
    Attached,
    Change,
    EventPublisher,
    EventSubscriber,
    NodeChanged,
    NodeText,
    RunChanged,
    run_topic,
)

#: Longer than anything here takes on a busy machine.
_LIMIT_S: Final = 10.0


class BusUnderTest(Protocol):
    """How the spec gets at an adapter."""

    def publisher(self) -> AbstractAsyncContextManager[EventPublisher]:
        """Serve a publisher, ready, until the block ends. One after the other, not two at once."""

    def subscriber(self) -> EventSubscriber:
        """Return a new subscriber; the fixture closes it."""


class Listener:
    """Reads one subscriber, with a time limit for each wait."""

    def __init__(self, subscriber: EventSubscriber) -> None:
        self._changes: AsyncIterator[tuple[str, Change]] = subscriber.changes()

    async def next(self) -> tuple[str, Change]:
        """Return the next (topic, change)."""
        async with asyncio.timeout(_LIMIT_S):
            return await anext(self._changes)

    async def attached(self, topic: str) -> None:
        """Wait for the news that *topic* is live; leaves out everything before."""
        while await self.next() != (topic, Attached(topic=topic)):
            pass


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until *is_so*; raises TimeoutError when it does not come to pass."""
    async with asyncio.timeout(_LIMIT_S):
        while not is_so():  # noqa: ASYNC110 -- wanted() has no event to wait for
            await asyncio.sleep(0.001)


def run_changed(name: str = "run", revision: int = 1) -> RunChanged:
    """Return a change of the run *name*."""
    return RunChanged(
        record=ExecutionRecord(
            id=ExecutionId(derived_id(name)),
            user_id=UserId("ann"),
            graph_id=GraphId("graph"),
            graph_version=1,
            status=Status.RUNNING,
            inputs={"text": "größer", "nested": {"list": [1, 2.5, None, True]}},
            revision=revision,
            started_us=1,
            stats=RunStats(cost=3, node_count=2, error="no", models=ModelUse(calls=1)),
            outputs={"result": ["a", {"b": 1}]},
        )
    )


def node_changed(name: str = "run", revision: int = 1, value: object = "x") -> NodeChanged:
    """Return a change of a node execution; its run is as the port says, without outputs."""
    run_id = ExecutionId(derived_id(name))
    return NodeChanged(
        run=ExecutionRecord(
            id=run_id,
            user_id=UserId("ann"),
            graph_id=GraphId("graph"),
            graph_version=1,
            status=Status.RUNNING,
            inputs={},
        ),
        record=NodeRecord(
            run_id=run_id,
            ordinal=revision,
            id=NodeExecutionId(derived_id(name, revision)),
            node_id=NodeId("node"),
            block_id=BlockId("block"),
            status=Status.COMPLETED,
            inputs={"input": value},
            outputs={"output": [value, value]},
            add_us=1,
            revision=revision,
        ),
    )


def node_text() -> NodeText:
    """Return a piece of what a node's model says."""
    return NodeText(
        user_id=UserId("ann"),
        graph_id=GraphId("graph"),
        run_id=run_changed().record.id,
        node_id="node",
        node_exec_id="node execution",
        call=2,
        offset=40,
        text="größer",
    )


class BusSpec:
    """
    Give a fixture `bus` that returns a `BusUnderTest`, and every test here must pass.

    Attributes:
        many: More changes, one at a time, than may wait for one listener.
    """

    many: ClassVar[int] = 20_000

    async def test_nothing_is_wanted_when_nobody_listens(self, bus: BusUnderTest) -> None:
        """So that events are not even built."""
        async with bus.publisher() as publisher:
            assert not publisher.wanted("run:1")

            publisher.publish("run:1", run_changed())

    async def test_changes_arrive_in_order_and_whole(self, bus: BusUnderTest) -> None:
        """All kinds, on one topic."""
        topic = run_topic(run_changed().record.id)
        sent: list[Change] = [run_changed(), node_changed(), node_text()] * 20
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            subscriber.subscribe(topic)
            listener = Listener(subscriber)
            await listener.attached(topic)

            for change in sent:
                publisher.publish(topic, change)

            assert publisher.wanted(topic)
            assert [await listener.next() for _ in sent] == [(topic, change) for change in sent]

    async def test_all_who_listen_can_be_told_to_look(self, bus: BusUnderTest) -> None:
        """On each of their topics, behind what was sent before."""
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            listener = Listener(subscriber)
            for topic in ("run:1", "run:2"):
                subscriber.subscribe(topic)
                await listener.attached(topic)

            publisher.publish("run:1", run_changed())
            publisher.tell_all()

            found = [await listener.next() for _ in range(3)]
            assert found[0] == ("run:1", run_changed())
            looks = {(topic, Attached(topic=topic)) for topic in ("run:1", "run:2")}
            assert {*found[1:]} == looks

    async def test_a_topic_is_not_the_beginning_of_another(self, bus: BusUnderTest) -> None:
        """Whatever the transport thinks of prefixes."""
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            subscriber.subscribe("run:1")
            listener = Listener(subscriber)
            await listener.attached("run:1")

            publisher.publish("run:12", run_changed(revision=12))
            publisher.publish("run:1", run_changed(revision=1))

            assert not publisher.wanted("run:12")
            assert await listener.next() == ("run:1", run_changed(revision=1))

    async def test_subscribing_twice_is_once(self, bus: BusUnderTest) -> None:
        """No change comes twice, and one unsubscribe ends it."""
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            for _ in range(2):
                subscriber.subscribe("run:1")
            listener = Listener(subscriber)
            await listener.attached("run:1")

            for revision in (1, 2):
                publisher.publish("run:1", run_changed(revision=revision))

            assert [await listener.next() for _ in range(2)] == [
                ("run:1", run_changed(revision=1)),
                ("run:1", run_changed(revision=2)),
            ]
            subscriber.unsubscribe("run:1")
            await until(lambda: not publisher.wanted("run:1"))

    async def test_a_topic_is_wanted_until_the_last_has_left(self, bus: BusUnderTest) -> None:
        """Listeners are counted."""
        async with bus.publisher() as publisher:
            first, second = bus.subscriber(), bus.subscriber()
            for subscriber in (first, second):
                subscriber.subscribe("run:1")
                await Listener(subscriber).attached("run:1")

            first.unsubscribe("run:1")
            first.subscribe("run:other")
            await until(lambda: publisher.wanted("run:other"))

            assert publisher.wanted("run:1")
            second.unsubscribe("run:1")
            await until(lambda: not publisher.wanted("run:1"))

    async def test_a_listener_that_dies_is_not_wanted_any_more(self, bus: BusUnderTest) -> None:
        """It could not say goodbye."""
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            subscriber.subscribe("run:1")
            await Listener(subscriber).attached("run:1")

            await subscriber.close()

            await until(lambda: not publisher.wanted("run:1"))

    async def test_attached_is_for_who_subscribed(self, bus: BusUnderTest) -> None:
        """Others have missed nothing, and need not look into storage."""
        async with bus.publisher() as publisher:
            first, second = bus.subscriber(), bus.subscriber()
            first.subscribe("run:1")
            listener = Listener(first)
            await listener.attached("run:1")
            second.subscribe("run:1")
            await Listener(second).attached("run:1")

            publisher.publish("run:1", run_changed())

            assert await listener.next() == ("run:1", run_changed())

    async def test_whoever_comes_first_waits_for_the_other(self, bus: BusUnderTest) -> None:
        """Processes start in any order."""
        subscriber = bus.subscriber()
        subscriber.subscribe("run:1")
        listener = Listener(subscriber)

        async with bus.publisher() as publisher:
            await listener.attached("run:1")

            assert publisher.wanted("run:1")

    async def test_a_new_publisher_is_told_of_by_attached(self, bus: BusUnderTest) -> None:
        """What was committed in between is in storage; this says when to look."""
        subscriber = bus.subscriber()
        topics = ["run:1", "run:2", "graph:3"]
        for topic in topics:
            subscriber.subscribe(topic)
        listener = Listener(subscriber)
        async with bus.publisher():
            for _ in topics:
                await listener.next()

        async with bus.publisher() as publisher:
            again = [await listener.next() for _ in topics]

            assert sorted(again) == sorted((topic, Attached(topic=topic)) for topic in topics)
            assert all(publisher.wanted(topic) for topic in topics)

    async def test_a_slow_listener_learns_that_it_lost_something(self, bus: BusUnderTest) -> None:
        """The publisher never waits for it; another listener loses nothing by it."""
        count = 50_000
        async with bus.publisher() as publisher:
            slow = bus.subscriber()
            slow.subscribe("run:1")
            await Listener(slow).attached("run:1")

            for revision in range(count):
                publisher.publish("run:1", node_changed(revision=revision, value="y" * 500))

            listener, seen = Listener(slow), 0
            while isinstance((await listener.next())[1], NodeChanged):
                seen += 1
            assert seen < count

    async def test_a_slow_listener_harms_no_other(self, bus: BusUnderTest) -> None:
        """Who keeps up gets everything, however much the other has left."""
        async with bus.publisher() as publisher:
            slow, lively = bus.subscriber(), bus.subscriber()
            slow.subscribe("run:1")
            await Listener(slow).attached("run:1")
            lively.subscribe("run:1")
            listener = Listener(lively)
            await listener.attached("run:1")

            for revision in range(self.many):
                publisher.publish("run:1", node_changed(revision=revision, value="y" * 500))
                _, change = await listener.next()
                while isinstance(change, Attached):  # somebody lost something; not this one
                    _, change = await listener.next()

                assert isinstance(change, NodeChanged)
                assert change.record.revision == revision

    async def test_a_busy_publisher_hears_new_listeners(self, bus: BusUnderTest) -> None:
        """What arrives while it sends is not overlooked."""
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            subscriber.subscribe("run:busy")
            listener = Listener(subscriber)
            await listener.attached("run:busy")
            for number in range(20):
                topic = f"run:{number}"
                subscriber.subscribe(topic)
                for revision in range(300):
                    publisher.publish("run:busy", node_changed(revision=revision))

                await listener.attached(topic)

    async def test_a_large_change_arrives_or_is_told_of(self, bus: BusUnderTest) -> None:
        """An adapter may leave the fetching of large values to storage."""
        large = node_changed(value="y" * 5_000_000)
        async with bus.publisher() as publisher:
            subscriber = bus.subscriber()
            subscriber.subscribe("run:1")
            listener = Listener(subscriber)
            await listener.attached("run:1")

            publisher.publish("run:1", large)

            _, change = await listener.next()
            assert change in (large, Attached(topic="run:1"))

    async def test_closing_ends_the_changes(self, bus: BusUnderTest) -> None:
        """Also for whoever waits at that moment; twice is harmless."""
        subscriber = bus.subscriber()
        subscriber.subscribe("run:1")
        waiting = asyncio.create_task(anext(subscriber.changes(), None))
        await asyncio.sleep(0)

        await subscriber.close()
        await subscriber.close()

        async with asyncio.timeout(_LIMIT_S):
            assert await waiting is None

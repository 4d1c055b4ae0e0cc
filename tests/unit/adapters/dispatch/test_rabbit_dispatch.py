"""Who hears of which run when several executors listen on one broker, and what garbage does."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aiormq.abc import AbstractConnection
from structlog.testing import capture_logs

from backend.adapters.broker.link import Broker, open_channel
from backend.adapters.dispatch.rabbit import RabbitDispatcher
from backend.adapters.dispatch.rabbit_source import RabbitSignalSource
from backend.core.ids import ExecutionId
from backend.ports.dispatch import Signal, SignalKind
from backend.testing.bus import until
from tests.brokers import Proxy, Rabbit


class Executor:
    """Listens, on a connection of its own, and keeps what it hears."""

    def __init__(self, rabbit: Rabbit, broker: Broker, name: str) -> None:
        self.broker = broker
        self.source = RabbitSignalSource(broker, rabbit.names, name)
        self.heard: list[Signal] = []
        self._reading: asyncio.Task[None] | None = None

    def listen(self) -> None:
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for batch in self.source.signals():
            self.heard += batch

    def runs(self) -> set[str]:
        return {one.run_id for one in self.heard if one.kind is SignalKind.RUN}

    def stops(self) -> set[str]:
        return {one.run_id for one in self.heard if one.kind is SignalKind.STOP}

    async def close(self) -> None:
        await self.source.close()
        if self._reading is not None:
            await self._reading


@pytest.fixture
async def executors(rabbit: Rabbit) -> AsyncIterator[list[Executor]]:
    """Two of them; they do not listen yet."""
    made = [Executor(rabbit, await rabbit.broker(), f"executor-{n}") for n in range(2)]
    yield made
    for one in made:
        await one.close()


@pytest.fixture
async def dispatcher(rabbit: Rabbit) -> AsyncIterator[RabbitDispatcher]:
    await rabbit.prepare()
    made = RabbitDispatcher(await rabbit.broker(), rabbit.names)
    yield made
    await made.close()


def have_heard(executors: list[Executor], names: set[str]) -> bool:
    return names <= set().union(*(one.runs() for one in executors))


def ask(dispatcher: RabbitDispatcher, count: int, kind: SignalKind = SignalKind.RUN) -> set[str]:
    names = {f"{kind.value}-{number}" for number in range(count)}
    for name in names:
        dispatcher.signal(kind, ExecutionId(name))
    return names


async def until_listeners(rabbit: Rabbit, broker: Broker, count: int) -> None:
    """Wait until the broker knows of so many who want runs."""

    async def listeners(connection: AbstractConnection) -> int:
        async with open_channel(connection) as channel:
            found = await channel.queue_declare(rabbit.names.runs, passive=True)
            return found.consumer_count or 0

    async with asyncio.timeout(10.0):
        while await broker.ask(listeners, limit_s=5.0) != count:  # noqa: ASYNC110 -- it is asked
            await asyncio.sleep(0.02)


async def test_executors_share_the_runs(
    executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    for one in executors:
        one.listen()

    # Again and again: who has just come may be late for the first ones.
    async with asyncio.timeout(10.0):
        while not all(one.heard for one in executors):
            names = ask(dispatcher, 80)
            await until(partial(have_heard, executors, names))
            await asyncio.sleep(0.01)


async def test_each_executor_hears_of_each_stop(
    executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    for one in executors:
        one.listen()
    async with asyncio.timeout(10.0):
        while not all(one.stops() for one in executors):
            ask(dispatcher, 1, SignalKind.STOP)
            await asyncio.sleep(0.01)

    names = ask(dispatcher, 20, SignalKind.STOP)

    await until(lambda: all(one.stops() == names for one in executors))


async def test_who_wants_no_runs_gets_none(
    rabbit: Rabbit, executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    full, idle = executors
    full.listen()
    await until_listeners(rabbit, full.broker, 1)
    full.source.want(runs=False)
    await until_listeners(rabbit, full.broker, 0)
    idle.listen()

    names = ask(dispatcher, 200)

    await until(lambda: names <= idle.runs())
    assert full.heard == []

    full.source.want(runs=True)
    await until_listeners(rabbit, full.broker, 2)
    idle.source.want(runs=False)
    await until_listeners(rabbit, full.broker, 1)
    idle.heard.clear()
    ask(dispatcher, 200)

    await until(lambda: names <= full.runs())
    assert idle.heard == []


async def test_what_was_sent_ahead_is_given_back(
    executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    """It has no room any more, and what it has not taken goes to who has."""
    full, idle = executors
    signals = full.source.signals()  # and nobody reads them
    names = ask(dispatcher, 40)
    await until(lambda: len(full.source._arrived) == 5)

    full.source.want(runs=False)
    idle.listen()

    await until(lambda: idle.runs() == names)
    await full.source.close()
    assert [batch async for batch in signals] == []


async def test_what_an_executor_had_not_taken_when_it_died_comes_to_another(
    executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    first, second = executors
    signals = first.source.signals()
    names = ask(dispatcher, 3)
    async with asyncio.timeout(10.0):
        batch = await anext(signals)
    assert {one.run_id for one in batch} == names

    await first.broker.close()

    second.listen()
    await until(lambda: second.runs() == names)


async def test_what_was_taken_does_not_come_again(
    executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    """Though its run goes on for hours: nothing is held."""
    first, second = executors
    first.listen()
    names = ask(dispatcher, 3)
    await until(lambda: first.runs() == names)
    await asyncio.sleep(0.1)  # until the broker has heard of it

    await first.broker.close()
    second.listen()
    dispatcher.signal(SignalKind.RUN, ExecutionId("last"))

    await until(lambda: "last" in second.runs())
    assert second.runs() == {"last"}


async def test_garbage_is_put_aside_and_harms_no_run(
    rabbit: Rabbit, executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    junk = [b"", b"\xff\x00", b"[]", b'{"run": 1}', b'{"run": [[]]}', b'{"stop": [[1, 2]]}']

    async def send(connection: AbstractConnection) -> bool:
        async with open_channel(connection) as channel:
            for body in junk:
                await channel.basic_publish(body, routing_key=rabbit.names.runs)
            future = b'{"dance": [["a"]], "run": [["known", "ann", "more"]]}'
            await channel.basic_publish(future, routing_key=rabbit.names.runs)
        return True

    async def dead(connection: AbstractConnection) -> int:
        async with open_channel(connection) as channel:
            found = await channel.queue_declare(rabbit.names.dead, passive=True)
            return found.message_count or 0

    one = executors[0]
    one.listen()
    ask(dispatcher, 1)
    await until(lambda: one.runs() == {"run-0"})

    with capture_logs() as logs:
        assert await one.broker.ask(send, limit_s=5.0)
        await until(lambda: "known" in one.runs())
        await until(lambda: one.source.rejected == len(junk))

    async with asyncio.timeout(10.0):
        while await one.broker.ask(dead, limit_s=5.0) != len(junk):  # noqa: ASYNC110 -- it is asked
            await asyncio.sleep(0.05)
    assert [entry["event"] for entry in logs] == ["signal_not_understood"] * len(junk)


async def test_signals_wait_for_a_broker_that_is_away(
    rabbit: Rabbit, executors: list[Executor]
) -> None:
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        dispatcher = RabbitDispatcher(broker, rabbit.names)
        executors[0].listen()
        proxy.blocked = True
        proxy.cut()
        await until(lambda: not broker.connected)

        names = ask(dispatcher, 30)
        proxy.blocked = False

        await until(lambda: names <= executors[0].runs())
        assert dispatcher.lost == 0
        await dispatcher.close()


async def test_the_oldest_signals_make_room_and_are_counted(rabbit: Rabbit) -> None:
    """Their runs are found by the executors' sweeps; it is said once, not a thousand times."""
    async with Proxy(rabbit.url) as proxy:
        broker = await rabbit.broker(proxy.url)
        dispatcher = RabbitDispatcher(broker, rabbit.names)
        proxy.blocked = True
        proxy.cut()
        await until(lambda: not broker.connected)

        with capture_logs() as logs:
            ask(dispatcher, 11_000)

        assert dispatcher.lost == 1000
        assert sum(entry["event"] == "signals_lost" for entry in logs) == 1
        await dispatcher.close()
        assert dispatcher.lost == 11_000


async def test_an_executor_that_was_cut_off_hears_again(
    rabbit: Rabbit, dispatcher: RabbitDispatcher
) -> None:
    async with Proxy(rabbit.url) as proxy:
        one = Executor(rabbit, await rabbit.broker(proxy.url), "executor")
        one.listen()
        ask(dispatcher, 1)
        await until(lambda: bool(one.heard))

        proxy.cut()
        async with asyncio.timeout(10.0):
            while "again" not in one.stops():
                dispatcher.signal(SignalKind.STOP, ExecutionId("again"))
                await asyncio.sleep(0.02)

        names = ask(dispatcher, 20)
        await until(lambda: names <= one.runs())
        await one.close()


async def test_two_installations_on_one_broker_do_not_meet(
    rabbit: Rabbit, executors: list[Executor], dispatcher: RabbitDispatcher
) -> None:
    other = Rabbit(rabbit.url)
    await other.prepare()
    stranger = Executor(other, await other.broker(), "executor-0")
    stranger.listen()
    executors[0].listen()

    names = ask(dispatcher, 20)

    await until(lambda: executors[0].runs() == names)
    assert stranger.heard == []
    await stranger.close()
    await other.close()

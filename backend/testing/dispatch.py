"""The spec of the dispatcher: what every pair of dispatcher and signal source must do."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final, Protocol

from backend.core.ids import ExecutionId, UserId
from backend.ports.dispatch import NOBODY, Dispatcher, Signal, SignalKind, SignalSource

#: Longer than anything here takes on a busy machine.
_LIMIT_S: Final = 10.0
_FIRST: Final = ExecutionId("first")


class DispatchUnderTest(Protocol):
    """How the spec gets at an adapter. The fixture closes what it gave."""

    def dispatcher(self) -> Dispatcher:
        """Return a new dispatcher."""

    def source(self) -> SignalSource:
        """Return a new source. One after the other, not two at once."""


class DispatchSpec:
    """Give a fixture `dispatch` that returns a `DispatchUnderTest`; every test must pass."""

    async def test_signals_arrive_in_order(self, dispatch: DispatchUnderTest) -> None:
        """Of one dispatcher and kind; with what they ask for."""
        sent = [
            Signal(
                SignalKind.STOP if number % 3 else SignalKind.RUN,
                ExecutionId(f"run-{number}"),
                UserId(f"user {number % 7}") if number % 2 else NOBODY,
            )
            for number in range(500)
        ]
        source, dispatcher = dispatch.source(), dispatch.dispatcher()
        signals = source.signals()
        await _attached(dispatcher, signals)

        for signal in sent:
            dispatcher.signal(signal.kind, signal.run_id, signal.user_id)

        seen: list[Signal] = []
        async with asyncio.timeout(_LIMIT_S):
            while len(seen) < len(sent):
                batch = await anext(signals)
                assert batch, "a batch is never empty"
                seen += [one for one in batch if one.run_id != _FIRST]
        for kind in SignalKind:
            assert [one for one in seen if one.kind is kind] == [
                one for one in sent if one.kind is kind
            ]

    async def test_each_signal_wakes_whoever_waits(self, dispatch: DispatchUnderTest) -> None:
        """Not only the first one: a wake-up is easily lost between two reads."""
        source, dispatcher = dispatch.source(), dispatch.dispatcher()
        signals = source.signals()

        async with asyncio.timeout(_LIMIT_S):
            for number in range(200):
                run_id = ExecutionId(str(number))
                dispatcher.signal(SignalKind.RUN, run_id)

                assert await anext(signals) == [Signal(SignalKind.RUN, run_id)]

    async def test_many_may_ask(self, dispatch: DispatchUnderTest) -> None:
        """REST and the scheduler do."""
        source = dispatch.source()
        signals = source.signals()

        for number in range(5):
            dispatch.dispatcher().signal(SignalKind.RUN, ExecutionId(str(number)))

        seen: set[str] = set()
        async with asyncio.timeout(_LIMIT_S):
            while len(seen) < 5:  # noqa: PLR2004 -- as many as were sent
                seen |= {signal.run_id for signal in await anext(signals)}
        assert seen == set("01234")

    async def test_a_source_that_comes_back_hears_again(self, dispatch: DispatchUnderTest) -> None:
        """What was under way when one ended may be lost, or come again; what comes then is not."""
        first, dispatcher = dispatch.source(), dispatch.dispatcher()
        signals = first.signals()
        dispatcher.signal(SignalKind.RUN, ExecutionId("before"))
        async with asyncio.timeout(_LIMIT_S):
            await anext(signals)
        await first.close()

        signals = dispatch.source().signals()
        await _told(dispatcher, signals, SignalKind.RUN, ExecutionId("after"))

    async def test_stops_arrive_where_no_runs_are_wanted(self, dispatch: DispatchUnderTest) -> None:
        """Who has no room for more has runs that may be stopped; and hears of runs when it has."""
        source, dispatcher = dispatch.source(), dispatch.dispatcher()
        source.want(runs=False)
        signals = source.signals()

        await _attached(dispatcher, signals)
        async with asyncio.timeout(_LIMIT_S):
            source.want(runs=True)
            dispatcher.signal(SignalKind.RUN, ExecutionId("run"))

            await _hear(signals, ExecutionId("run"))

    async def test_asking_never_waits(self, dispatch: DispatchUnderTest) -> None:
        """Though nobody listens, and more is sent than anything could keep."""
        dispatcher = dispatch.dispatcher()
        begin = time.monotonic()

        for number in range(50_000):
            dispatcher.signal(SignalKind.RUN, ExecutionId(str(number)))

        assert time.monotonic() - begin < _LIMIT_S

    async def test_closing_ends_the_signals(self, dispatch: DispatchUnderTest) -> None:
        """Also for whoever waits at that moment; twice is harmless, and asking then is silent."""
        source, dispatcher = dispatch.source(), dispatch.dispatcher()
        waiting = asyncio.create_task(anext(source.signals(), None))
        await asyncio.sleep(0)

        for _ in range(2):
            await source.close()
            await dispatcher.close()
        dispatcher.signal(SignalKind.RUN, ExecutionId("late"))

        async with asyncio.timeout(_LIMIT_S):
            assert await waiting is None


async def _attached(dispatcher: Dispatcher, signals: AsyncIterator[list[Signal]]) -> None:
    """Wait until signals of all kinds get through: who has just begun to listen may miss some."""
    await _told(dispatcher, signals, SignalKind.STOP, _FIRST)


async def _told(
    dispatcher: Dispatcher,
    signals: AsyncIterator[list[Signal]],
    kind: SignalKind,
    run_id: ExecutionId,
) -> None:
    """Tell the same again and again until it is heard."""
    async with asyncio.timeout(_LIMIT_S):
        heard = asyncio.ensure_future(_hear(signals, run_id))
        while not heard.done():
            dispatcher.signal(kind, run_id)
            await asyncio.wait([heard], timeout=0.01)
        await heard


async def _hear(signals: AsyncIterator[list[Signal]], run_id: ExecutionId) -> None:
    """Read until something is said of *run_id*."""
    async for batch in signals:
        if any(signal.run_id == run_id for signal in batch):
            return
    raise AssertionError("the signals have ended")

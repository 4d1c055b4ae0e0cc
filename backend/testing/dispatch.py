"""The spec of the dispatcher: what every pair of dispatcher and signal source must do."""

import asyncio
import time
from typing import Final, Protocol

from backend.core.ids import ExecutionId, UserId
from backend.ports.dispatch import NOBODY, Dispatcher, Signal, SignalKind, SignalSource

#: Longer than anything here takes on a busy machine.
_LIMIT_S: Final = 10.0


class DispatchUnderTest(Protocol):
    """How the spec gets at an adapter. The fixture closes what it gave."""

    def dispatcher(self) -> Dispatcher:
        """Return a new dispatcher."""

    def source(self) -> SignalSource:
        """Return a new source. One after the other, not two at once."""


class DispatchSpec:
    """Give a fixture `dispatch` that returns a `DispatchUnderTest`; every test must pass."""

    async def test_signals_arrive_in_order(self, dispatch: DispatchUnderTest) -> None:
        """Of one dispatcher; with what they ask for."""
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

        for signal in sent:
            dispatcher.signal(signal.kind, signal.run_id, signal.user_id)

        seen: list[Signal] = []
        async with asyncio.timeout(_LIMIT_S):
            while len(seen) < len(sent):
                batch = await anext(signals)
                assert batch, "a batch is never empty"
                seen += batch
        assert seen == sent

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
        """An executor was killed; what was under way may be lost, what comes then is not."""
        first, dispatcher = dispatch.source(), dispatch.dispatcher()
        signals = first.signals()
        dispatcher.signal(SignalKind.RUN, ExecutionId("before"))
        async with asyncio.timeout(_LIMIT_S):
            await anext(signals)
        await first.close()

        signals = dispatch.source().signals()
        heard = asyncio.ensure_future(anext(signals))
        async with asyncio.timeout(_LIMIT_S):
            while not heard.done():
                dispatcher.signal(SignalKind.RUN, ExecutionId("after"))
                await asyncio.wait([heard], timeout=0.01)
            assert Signal(SignalKind.RUN, ExecutionId("after")) in await heard

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

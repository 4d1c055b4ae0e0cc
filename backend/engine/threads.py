"""Threads for blocks that block. Apart from those of the server, whose own work must not wait."""

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from typing import Any, Final, TypeVar

T = TypeVar("T")

#: Outputs that a block in a thread may be ahead of the run; then it waits.
AHEAD: Final = 100


class BlockThreads:
    """
    At most so many at once, each for one piece of work. All methods belong to one event loop.

    A thread cannot be ended. What is given up keeps its place until it comes to its own end, and
    does not keep the program from ending.
    """

    def __init__(self, most: int = 32) -> None:
        self._free = asyncio.Semaphore(most)

    async def call(self, work: Callable[..., T], *args: Any) -> T:
        """Return ``work(*args)``; raise what it raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def tell(result: Any, error: BaseException | None) -> None:
            if done.done():
                return  # given up
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)

        def run() -> None:
            try:
                result, error = work(*args), None
            except BaseException as exc:  # noqa: BLE001 - border: told to who waits
                result, error = None, _raisable(exc)
            _tell(loop, tell, result, error)

        await self._begin(run)
        return await done

    async def outputs(
        self, source: Generator[T, None, None], *, spent: Callable[[float], None]
    ) -> AsyncGenerator[T, None]:
        """
        Yield what *source* yields, which is iterated, and closed, in one thread.

        Args:
            source: Has not begun yet.
            spent: Called once, with the processor's seconds, when *source* has ended.
        """
        feed = _Feed(source, asyncio.get_running_loop())
        await self._begin(feed.run)
        try:
            while (some := await feed.next()) is not None:
                for output in some:
                    yield output
                    feed.room.release()
        finally:
            feed.give_up()
        spent(feed.cpu_s)
        if feed.error is not None:
            raise feed.error

    async def _begin(self, work: Callable[[], None]) -> None:
        """Start a thread for *work* once there is room; it has its place until it ends."""
        await self._free.acquire()
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()

        def run() -> None:
            try:
                context.run(work)
            finally:
                _tell(loop, self._free.release)

        try:
            threading.Thread(target=run, name="block", daemon=True).start()
        except RuntimeError:  # the system has no more
            self._free.release()
            raise


class _Feed:
    """Between a thread that iterates and the loop that takes."""

    def __init__(self, source: Generator[Any, None, None], loop: asyncio.AbstractEventLoop) -> None:
        self.room = threading.Semaphore(AHEAD)
        self.cpu_s = 0.0
        self.error: BaseException | None = None
        self._source = source
        self._loop = loop
        self._news = asyncio.Event()
        self._outputs: deque[Any] = deque()
        self._given_up = False
        self._ended = False

    def run(self) -> None:
        """Iterate. In the thread."""
        began_s = time.thread_time()
        try:
            self._iterate()
        except BaseException as exc:  # noqa: BLE001 - border: told to who takes
            self.error = _raisable(exc)
        self.cpu_s = time.thread_time() - began_s
        self._ended = True
        _tell(self._loop, self._news.set)

    def _iterate(self) -> None:
        try:
            for output in self._source:
                self.room.acquire()
                if self._given_up:
                    return
                self._outputs.append(output)
                # Who takes is woken once for all that it finds then.
                if len(self._outputs) == 1:
                    _tell(self._loop, self._news.set)
        finally:
            self._source.close()

    async def next(self) -> list[Any] | None:
        """Return what has come since, or None at the end. On the loop."""
        while True:
            self._news.clear()
            ended = self._ended  # before looking: nothing comes after it
            if self._outputs:
                return [self._outputs.popleft() for _ in range(len(self._outputs))]
            if ended:
                return None
            await self._news.wait()

    def give_up(self) -> None:
        """Let the thread end at its next output."""
        self._given_up = True
        self.room.release()


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., Any], *args: Any) -> None:
    with suppress(RuntimeError):  # the loop is gone, and nobody waits
        loop.call_soon_threadsafe(what, *args)


def _raisable(error: BaseException) -> BaseException:
    """A future cannot carry StopIteration."""
    return RuntimeError("StopIteration was raised") if isinstance(error, StopIteration) else error

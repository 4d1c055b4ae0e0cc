"""A few worker processes: started when somebody asks, kept for the next, ended when they are idle."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.adapters.processes.worker import Gone, Worker
from backend.core.errors import BadRequest, ProcessEnded, ProcessFailed, Unavailable
from backend.core.json import Json
from backend.ports.processes import BlockCall, ProcessLimits

#: A worker that has taken so many calls, or has become so large, makes room for a fresh one.
MOST_CALLS: Final = 500
MOST_BYTES: Final = 256 * 1024 * 1024
#: How long one waits for its next call.
IDLE_S: Final = 60.0


@dataclass
class PoolFigures:
    """For /metrics. `lost` counts those that ended, or were ended, before their work did."""

    started: int = 0
    lost: int = 0
    calls: int = 0


class WorkerPool:
    """See backend.ports.processes.Processes. All of it belongs to one event loop."""

    def __init__(
        self,
        limits: ProcessLimits,
        *,
        hidden: Collection[str] = (),
        most_calls: int = MOST_CALLS,
        idle_s: float = IDLE_S,
    ) -> None:
        """
        Start nothing yet.

        Args:
            limits: See there.
            hidden: What workers are not told of the environment: it has our secrets.
            most_calls: How many one worker takes.
            idle_s: How long one waits for its next.
        """
        self.limits = limits
        self.figures = PoolFigures()
        self._hidden = frozenset(hidden)
        self._most_calls = most_calls
        self._idle_s = idle_s
        self._free = asyncio.Semaphore(limits.count)
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The process ids of all workers."""
        return [worker.pid for worker in self._all]

    async def outputs(
        self, call: BlockCall, *, spent: Callable[[float], None]
    ) -> AsyncGenerator[tuple[str, Json], None]:
        message = {
            "block": call.block,
            "inputs": call.inputs,
            "facts": call.facts,
            "now_us": call.now_us,
            "started_us": call.started_us,
        }
        async with self._worker() as worker:
            watch = _Watch(self, worker)
            await worker.send(message)
            while "output" in (answer := await watch.next()):
                name, value = answer["output"]
                yield name, value
        spent(answer["cpu_s"])
        _require_done(answer)

    async def call(self, function: str, arguments: Sequence[Json]) -> Json:
        async with self._worker() as worker:
            watch = _Watch(self, worker)
            await worker.send({"function": function, "arguments": list(arguments)})
            answer = await watch.next()
        _require_done(answer)
        result: Json = answer["done"]
        return result

    async def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._idle.clear()
        while self._all:
            await asyncio.wait([self._end(worker) for worker in self._all])

    async def end(self, worker: Worker) -> str:
        """End *worker*, which did not end its call; return how it ended."""
        return await asyncio.shield(self._end(worker))

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        await self._free.acquire()
        worker = None
        try:
            worker = await self._taken()
            yield worker
        finally:
            if worker is None:
                self._free.release()
            elif self._is_fit(worker):
                self._keep(worker)
                self._free.release()
            else:
                # Its place is free when it has ended, not before: there is a limit on processes.
                ending = self._end(worker)
                ending.add_done_callback(lambda _: self._free.release())
                await asyncio.shield(ending)

    async def _taken(self) -> Worker:
        if self._closed:
            raise Unavailable("the server is stopping: no worker process is started any more")
        self.figures.calls += 1
        while self._idle:
            worker = self._idle.pop()
            if worker.lives:
                return worker
            self._end(worker)
        worker = await Worker.start(self.limits, self._environment())
        self._all.add(worker)
        self.figures.started += 1
        return worker

    def _is_fit(self, worker: Worker) -> bool:
        return (
            worker.rests
            and not self._closed
            and worker.ending is None
            and worker.calls < self._most_calls
            and worker.size_bytes < MOST_BYTES
        )

    def _keep(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        worker.idle_since_s = loop.time()
        self._idle.append(worker)
        if self._timer is None:
            self._timer = loop.call_later(self._idle_s, self._end_idle)

    def _end_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        until_s = loop.time() - self._idle_s
        for worker in [one for one in self._idle if one.idle_since_s <= until_s]:
            self._idle.remove(worker)
            self._end(worker)
        if self._idle:
            next_s = min(one.idle_since_s for one in self._idle) + self._idle_s
            self._timer = loop.call_at(next_s, self._end_idle)

    def _end(self, worker: Worker) -> "asyncio.Task[str]":
        """End *worker*, whoever waits for that; twice is the same end."""
        if worker.ending is None:
            self.figures.lost += not worker.rests
            worker.ending = asyncio.create_task(worker.end())
            worker.ending.add_done_callback(lambda _: self._all.discard(worker))
        return worker.ending

    def _environment(self) -> Mapping[str, str]:
        """Return ours without what is hidden, and with what we can import."""
        kept = {name: text for name, text in os.environ.items() if name not in self._hidden}
        path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
        return {**kept, "PYTHONPATH": path}


class _Watch:
    """Takes a worker's answers to one call. Only waiting for it counts, not who waits for us."""

    def __init__(self, pool: WorkerPool, worker: Worker) -> None:
        self._pool = pool
        self._worker = worker
        self._left_s = pool.limits.time_s or None

    async def next(self) -> Mapping[str, Any]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            async with asyncio.timeout(self._left_s):
                answer = await self._worker.receive()
        except Gone:
            raise ProcessEnded(await self._pool.end(self._worker)) from None
        except TimeoutError:
            await self._pool.end(self._worker)
            most = self._pool.limits.time_s
            setting = "BLOCK_PROCESS_TIME_LIMIT_S"
            raise ProcessEnded(f"it took longer than {most:g} s (setting {setting})") from None
        if self._left_s is not None:
            self._left_s = max(0.0, self._left_s - (loop.time() - began_s))
        return answer


def _require_done(answer: Mapping[str, Any]) -> None:
    if "failed" in answer:
        raise (BadRequest if answer["expected"] else ProcessFailed)(answer["failed"])

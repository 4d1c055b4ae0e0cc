"""An engine in this process over a real database file, which can be killed at any commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.memory import SqlMemories
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.user_storage import SqlUserStorage
from backend.core.credits import Prices
from backend.core.errors import Unavailable
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.model_registry import ModelRegistry
from backend.core.models import ModelSpec
from backend.core.records import ExecutionRecord, NewExecution, NodeRecord
from backend.core.status import FINAL
from backend.engine.engine import Engine
from backend.engine.fleet import Fleet
from backend.engine.tools import Limits, TurnDesks
from backend.ports.bus import Attached, Change, NodeChanged, NodeText, NoticeTold, RunChanged
from backend.ports.credits import Ledger
from backend.ports.dispatch import NOBODY, Signal, SignalKind
from backend.ports.mcp import ToolServers
from backend.ports.models import ModelClient
from backend.ports.processes import Processes
from backend.sdk.context import Lender
from tests.unit.engine.engine_blocks import CATALOG, Notes, NotingBlocks

ANN: Final = UserId("ann")
LIMIT_S: Final = 20.0


class Fault:
    """When the database, or the whole process, fails. Counts commits from 1."""

    def __init__(
        self,
        *,
        dies_before: int = 0,
        dies_after: int = 0,
        answer_lost: int = 0,
        away: Callable[[], bool] = lambda: False,
    ) -> None:
        self.commits = 0
        self.dies_before = dies_before  #: this commit does not reach the disk
        self.dies_after = dies_after  #: this one does, and nobody learns of it
        self.answer_lost = answer_lost  #: this one does, and is reported as failed
        self.away = away
        self.died = asyncio.Event()


class FaultyStorage:
    """Storage in front of the real one. After its death nothing is answered any more."""

    def __init__(self, storage: SqlStorage, fault: Fault) -> None:
        self._storage = storage
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._storage, name)
        if not asyncio.iscoroutinefunction(real):
            return real

        async def guarded(*args: Any, **kwargs: Any) -> Any:
            await self._check()
            return await real(*args, **kwargs)

        return guarded

    async def commit(self, staged: Any) -> frozenset[ExecutionId]:
        await self._check()
        fault = self._fault
        fault.commits += 1
        if fault.commits == fault.dies_before:
            await self._die()
        refused = await self._storage.commit(staged)
        if fault.commits == fault.dies_after:
            await self._die()
        if fault.commits == fault.answer_lost:
            raise Unavailable("the answer was lost")
        return refused

    async def _check(self) -> None:
        if self._fault.died.is_set():
            await asyncio.Event().wait()
        if self._fault.away():
            raise Unavailable("the database is away")

    async def _die(self) -> None:
        self._fault.died.set()
        await asyncio.Event().wait()


class Signals:
    """Both sides of the dispatch port, in memory."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Signal] = asyncio.Queue()

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        self._queue.put_nowait(Signal(kind, run_id, user_id))

    async def signals(self) -> AsyncIterator[list[Signal]]:
        while True:
            yield [await self._queue.get()]

    def want(self, runs: bool) -> None:  # noqa: FBT001 -- the port's
        pass

    async def close(self) -> None:
        pass


class Events:
    """A bus that keeps all events, and looks whether what they tell is on disk."""

    def __init__(self, path: Path) -> None:
        self.seen: list[RunChanged | NodeChanged] = []
        self.texts: list[NodeText] = []
        self.too_early: list[RunChanged | NodeChanged] = []
        self.told_all_at: list[int] = []  #: how much was seen before, each time
        #: Topics that were told to look, and how much was seen before.
        self.looks: list[tuple[str, int]] = []
        self._path = path

    def wanted(self, topic: str) -> bool:
        return topic.startswith("run:")

    def publish(self, topic: str, change: Change) -> None:
        if isinstance(change, Attached):
            self.looks.append((topic, len(self.seen)))
        if isinstance(change, Attached | NoticeTold):
            return
        if isinstance(change, NodeText):
            self.texts.append(change)
            return
        self.seen.append(change)
        run = change.run if isinstance(change, NodeChanged) else change.record
        with closing(sqlite3.connect(self._path)) as database:
            query = "SELECT revision FROM executions WHERE id = ?"
            if database.execute(query, (run.id,)).fetchone()[0] < run.revision:
                self.too_early.append(change)

    def tell_all(self) -> None:
        self.told_all_at.append(len(self.seen))

    async def serve(self, ready: Callable[[], None]) -> None:
        ready()
        await asyncio.Event().wait()


class NoWeb:
    """There is no outside here."""

    async def send(self, *_: Any, **__: Any) -> Any:
        raise Unavailable("no web here")

    async def aclose(self) -> None:
        pass


class House:
    """One data directory with a user, and engines on it, one after the other."""

    def __init__(self, path: Path, storage: SqlStorage) -> None:
        self.path = path
        self.storage = storage
        self.user = storage.of(ANN)
        self.clock = SystemClock()
        self.notes = Notes()
        self.lender: Lender | None = None
        self.memories = SqlMemories(storage.database)
        self.tool_servers: ToolServers | None = None
        self.signals = Signals()
        self.events = Events(path)

    async def add(self, graph: Graph) -> None:
        await self.user.add_graphs([graph, *graph.sub_graphs], now_us=self.clock.now_us())

    async def submit(
        self, graph_id: str, *, run_id: str = "", user_id: UserId = ANN, **inputs: Any
    ) -> ExecutionId:
        run = NewExecution(
            id=ExecutionId(run_id or self.clock.new_id()),
            user_id=user_id,
            graph_id=GraphId(graph_id),
            graph_version=1,
            inputs=inputs,
            created_us=self.clock.now_us(),
        )
        return (await self.storage.submit(run)).id

    async def run(
        self, run_id: ExecutionId, *, owner: SqlUserStorage | None = None
    ) -> ExecutionRecord:
        found = await (owner or self.user).execution(run_id, with_outputs=True)
        assert found is not None
        return found

    async def nodes(self, run_id: ExecutionId) -> list[NodeRecord]:
        return await self.user.node_executions(run_id, limit=100_000)

    async def ended(
        self,
        run_id: ExecutionId,
        *,
        limit_s: float = LIMIT_S,
        owner: SqlUserStorage | None = None,
    ) -> ExecutionRecord:
        async with asyncio.timeout(limit_s):
            # The rows are what counts, and rows wake nobody.
            while (found := await self.run(run_id, owner=owner)).status not in FINAL:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.002)
        return found

    def rows(self, query: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(query, values).fetchall()

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The rows, to be changed by hand."""
        with closing(sqlite3.connect(self.path)) as database, database:
            yield database

    async def told_last(self) -> ExecutionRecord:
        """
        Return the run as the last event tells it, once it has ended.

        The rows can be seen a moment before that is told, and an engine of ours is killed then.
        """
        async with asyncio.timeout(LIMIT_S):
            while True:
                last = self.events.seen[-1]
                if isinstance(last, RunChanged) and last.record.status in FINAL:
                    return last.record
                await asyncio.sleep(0.002)

    @asynccontextmanager
    async def engine(  # noqa: PLR0913 - the parts of a machine
        self,
        fault: Fault | None = None,
        *,
        slots: int = 100,
        limits: Limits | None = None,
        processes: Processes | None = None,
        ledger: Ledger | None = None,
        models: ModelClient | None = None,
        model_specs: Mapping[str, ModelSpec] | None = None,
        prices: Prices | None = None,
        turns: TurnDesks | None = None,
        fleet: Fleet | None = None,
    ) -> AsyncIterator[Engine]:
        """An engine at work; afterwards it is killed, not stopped."""
        engine = Engine(
            storage=FaultyStorage(self.storage, fault or Fault()),
            signals=self.signals,
            publisher=self.events,
            clock=self.clock,
            catalog=CATALOG,
            blocks=NotingBlocks(self.notes),
            web=NoWeb(),
            processes=processes,
            limits=limits or Limits(),
            slots=slots,
            end_notice=lambda *_: None,
            ledger=ledger,
            models=models,
            lender=self.lender,
            memory=self.memories,
            tool_servers=self.tool_servers,
            registry=ModelRegistry(models=model_specs or {}),
            prices=prices,
            turns=turns,
            fleet=fleet,
        )
        up, stopping = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(
            engine.serve(ready=up.set, stopping=stopping, drain_s=0.5), name="engine"
        )
        try:
            await asyncio.wait(
                [serving, up_task := asyncio.create_task(up.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            await up_task
            yield engine
        finally:
            await _kill(engine, serving)

    async def until_dead(self, run_id: ExecutionId, fault: Fault) -> bool:
        """Wait until *fault* has killed the engine (True), or the run has ended."""
        died = asyncio.create_task(fault.died.wait())
        ended = asyncio.create_task(self.ended(run_id))
        await asyncio.wait([died, ended], return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        ended.cancel()
        await asyncio.wait([died, ended])
        return fault.died.is_set()


async def _kill(engine: Engine, serving: asyncio.Task[None]) -> None:
    """End all tasks of *engine*; what they would still do for a tidy end is cut short, too."""
    serving.cancel()
    tasks = {serving, *engine._tasks}
    for _ in range(20):
        pending = {task for task in tasks | engine._tasks if not task.done()}
        if not pending:
            break
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.05)
    assert all(task.done() for task in tasks)


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[House]:
    """A new data directory with an account."""
    path = folder / "agpt.db"
    migrate(path)
    # What is tested here dies by exception, not by power: the flush to the disk is not needed.
    storage = open_storage(path, synchronous="OFF")
    try:
        house = House(path, storage)
        await house.user.save_user(email="ann@example.com", name="Ann", now_us=1)
        yield house
    finally:
        await storage.close()

"""The engine of one executor: journal, worker and all their tasks, from start to drain."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from backend.core.catalog import Catalog
from backend.core.credits import Prices
from backend.core.execution import Execution
from backend.core.ids import ExecutionId
from backend.core.model_registry import ModelRegistry
from backend.core.records import NoticeRecord
from backend.engine import explain
from backend.engine.budgets import BudgetWatch
from backend.engine.fleet import Fleet
from backend.engine.journal import Journal
from backend.engine.lag import LoopLag
from backend.engine.nesting import Nesting
from backend.engine.places import Rooms
from backend.engine.progress import ProgressWatch
from backend.engine.threads import BlockThreads
from backend.engine.tools import Blocks, EngineTools, Limits, TurnDesks
from backend.engine.worker import Worker
from backend.ports.bus import EventPublisher
from backend.ports.clock import Clock
from backend.ports.credits import Ledger
from backend.ports.dispatch import SignalSource
from backend.ports.mail import MailWay
from backend.ports.mcp import ToolServers
from backend.ports.memory import Memories
from backend.ports.models import ModelClient
from backend.ports.processes import Processes
from backend.ports.sandbox import Sandboxes
from backend.ports.storage import EngineStorage, StoredRun
from backend.ports.web import WebClient
from backend.ports.why import EngineFacts
from backend.sdk.context import Lender
from backend.sdk.files import FileDesk

log = structlog.get_logger()

EndNotice = Callable[[StoredRun, Execution], NoticeRecord | None]


class Engine:
    """
    Runs agents until it is told to stop. One per data directory, or of a fleet; `serve` once.

    Attributes:
        journal, worker, lag: Their figures are for /metrics.
        watch: Begins runs again that stand still for no reason.
    """

    def __init__(  # noqa: PLR0913 - the parts of a machine; wiring names each
        self,
        *,
        storage: EngineStorage,
        signals: SignalSource,
        publisher: EventPublisher,
        clock: Clock,
        catalog: Catalog,
        blocks: Blocks,
        web: WebClient,
        base_urls: Mapping[str, str] | None = None,
        files: FileDesk | None = None,
        mail: MailWay | None = None,
        memory: Memories | None = None,
        lender: Lender | None = None,
        processes: Processes | None = None,
        sandboxes: Sandboxes | None = None,
        tool_servers: ToolServers | None = None,
        models: ModelClient | None = None,
        registry: ModelRegistry | None = None,
        limits: Limits,
        slots: int,
        end_notice: EndNotice,
        ledger: Ledger | None = None,
        prices: Prices | None = None,
        turns: TurnDesks | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        self._publisher, self._signals, self.fleet = publisher, signals, fleet
        self._tasks: set[asyncio.Task[None]] = set()
        owner = clock.new_id() if fleet is None else fleet.me
        self.journal = Journal(storage=storage, publisher=publisher, clock=clock, owner=owner)
        self._tools = tools = EngineTools(
            journal=self.journal,
            steps=storage,
            clock=clock,
            catalog=catalog,
            blocks=blocks,
            web=web,
            base_urls=base_urls or {},
            files=files,
            mail=mail,
            memory=memory,
            lender=lender,
            sandboxes=sandboxes,
            tool_servers=tool_servers,
            rooms=Rooms(threads=BlockThreads(limits.block_threads), processes=processes),
            limits=limits,
            models=models,
            registry=registry or ModelRegistry(),
            spawn=self._spawn,
            end_notice=end_notice,
            ledger=ledger,
            prices=prices or {},
            turns=turns,
        )
        self.lag, self.worker = LoopLag(), Worker(storage, signals, tools, slots=slots, fleet=fleet)
        tools.nesting = Nesting(self.worker, limit=limits.nesting, stops_asked=storage.stops_asked)
        self.watch = ProgressWatch(self.worker, tools)
        tools.budgets = BudgetWatch(self.worker, storage, clock)

    def explain(self, ids: Sequence[ExecutionId]) -> EngineFacts:
        """Return what is known here of runs that somebody asks about."""
        return explain.facts(self.worker, self._tools, ids)

    @property
    def left_alone(self) -> int:
        """How many blocks go on though they were cancelled."""
        return len(self._tools.left_alone)

    async def serve(
        self, *, ready: Callable[[], None], stopping: asyncio.Event, drain_s: float
    ) -> None:
        """
        Run until *stopping* is set, then let what runs end for *drain_s* seconds.

        What has not ended by then goes on at the next start, from its last committed step.
        """
        if self.fleet is None:  # else others may be in calls, and those of the dead are looked for
            await self._tools.budgets.settle(stopping)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.journal.serve(), name="journal"),
                group.create_task(self._work(), name="worker"),
                group.create_task(self.watch.serve(), name="progress"),
                group.create_task(self._publisher.serve(lambda: None), name="events"),
                group.create_task(self.lag.serve(), name="lag"),
                group.create_task(self._tools.budgets.serve(), name="budgets"),
            ]
            ready()
            await stopping.wait()
            await self.worker.drain(limit_s=drain_s)
            for task in tasks:
                task.cancel()
        await self._signals.close()
        if self.fleet is not None:
            await self.fleet.close()

    async def _work(self) -> None:
        """Let the worker work; one of a fleet begins when the others can see it."""
        if self.fleet is None:
            await self.worker.serve()
            return
        # What the dead had committed, and not told, nobody else tells.
        self.fleet.on_loss = self._publisher.tell_all
        seen = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.fleet.serve(seen.set, self.worker.look), name="fleet")
            await seen.wait()
            await self.worker.serve()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a node's task. It reports all that happens to its run, so nobody waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("node_task_broken", exc_info=error)

"""One run without a server: engine, storage and signals in this process, and no ports.

The fourth row beside those of wiring.py. Nothing here is POSIX-only at import: `agpt run` may one
day be all that runs on a machine.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.core.errors import AgentServerError, CannotStart, GraphInvalid
from backend.core.graph import Graph
from backend.core.ids import (
    DEFAULT_USER_EMAIL,
    DEFAULT_USER_ID,
    DEFAULT_USER_NAME,
    ExecutionId,
    UserId,
)
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import FINAL, Status
from backend.ports.bus import Change, NodeChanged, RunChanged, run_topic
from backend.ports.dispatch import NOBODY, Signal, SignalKind
from backend.services.portable import file_ids
from backend.setting_sources import data_dir_from, gather, gather_config_file
from backend.settings import Settings, load_settings
from backend.wiring_files import open_rows

if TYPE_CHECKING:
    from backend.engine.engine import Engine

#: How long a run that was told to stop may need.
STOP_S: Final = 5.0
#: Of a run with more, the newest are shown.
MAX_NODES: Final = 10_000

#: What says where a server listens, or keeps things, is nothing to a run without one.
_OF_SERVERS: Final = {
    "database_url": "",
    "rabbitmq_url": "",
    "files_url": "",
    "agent_api_host": "127.0.0.1",
    "websocket_server_host": "127.0.0.1",
    "pyro_host": "127.0.0.1",
}

#: A run that waits for a person waits for one who comes to a server.
_ENDED: Final = FINAL | {Status.REVIEW}

OnNode = Callable[[NodeChanged], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    How a run ended.

    Attributes:
        graph: As it was saved: with ids of its own.
        nodes: Its node executions, in order.
        stopped_by: Why it was stopped before its own end, if it was: "interrupt" or "timeout".
    """

    graph: Graph
    record: ExecutionRecord
    nodes: tuple[NodeRecord, ...]
    stopped_by: str | None = None


@contextmanager
def place_to_run(data_dir: Path | None) -> Iterator[Settings]:
    """
    Give the settings of a run: in *data_dir*, alone there, or in a private folder that is removed.

    Raises:
        CannotStart: If somebody else uses *data_dir*, says who; or no folder can be made.
    """
    with ExitStack() as stack:
        if data_dir is None:
            # A file of the journal may still be closing in its thread: that is no reason to fail.
            try:
                folder = tempfile.TemporaryDirectory(prefix="agpt-run-", ignore_cleanup_errors=True)
            except OSError as exc:
                raise CannotStart(f"No private folder can be made: {exc.strerror}.") from exc
            yield _settings_for(Path(stack.enter_context(folder)))
            return
        settings, _ = load_settings({**_OF_SERVERS, "agpt_data_dir": str(data_dir)})
        from backend.util.locks import take_data_dir_alone  # POSIX-only

        stack.callback(take_data_dir_alone(settings.agpt_data_dir).release)
        yield settings


def _settings_for(folder: Path) -> Settings:
    """Return the user's own settings, for *folder*; nothing is written anywhere else."""
    names = frozenset(Settings.model_fields)
    found = gather(names, _OF_SERVERS)
    config = gather_config_file(names, data_dir_from(found)[0])
    values = {name: value for name, (value, _) in config.items() if name not in found}
    return load_settings({**values, **_OF_SERVERS, "agpt_data_dir": str(folder)})[0]


async def run_alone(
    settings: Settings,
    graph: Graph,
    inputs: Mapping[str, Any],
    *,
    durable: bool,
    limit_s: float | None = None,
    on_node: OnNode = lambda _: None,
) -> Outcome:
    """
    Save *graph* as the owner's, run it with *inputs*, and return how it ended.

    Cancelled, it stops the run and returns all the same; *stopped_by* says so.

    Args:
        durable: False for a folder that nobody will look into again: nothing waits for the disk.
        limit_s: The run is stopped after so long.
        on_node: Called with each committed change of a node execution.
    """
    async with AsyncExitStack() as stack:
        storage = await _open(settings, stack, durable=durable)
        signals, watch = _Signals(), _Watch(on_node)
        engine = await _engine(settings, storage, signals, watch, stack, durable=durable)
        running = await _start(engine, stack)
        saved, run_id = await _submit(settings, storage, signals, watch, graph, inputs)
        stopped_by = await _until_end(watch, running, limit_s)
        owned = storage.of(DEFAULT_USER_ID)
        if stopped_by is not None:
            await owned.ask_stop(run_id, now_us=SystemClock().now_us())
            signals.signal(SignalKind.STOP, run_id)
            await asyncio.wait(
                [watch.ended, running], timeout=STOP_S, return_when=asyncio.FIRST_COMPLETED
            )
        record = await owned.execution(run_id, with_outputs=True)
        assert record is not None
        nodes = await owned.node_executions(run_id, limit=MAX_NODES)
        return Outcome(graph=saved, record=record, nodes=tuple(nodes), stopped_by=stopped_by)


async def _open(settings: Settings, stack: AsyncExitStack, *, durable: bool) -> SqlStorage:
    path = settings.agpt_data_dir / "agpt.db"
    if durable:
        from backend.adapters.lock import ExecutorLock  # POSIX-only
        from backend.adapters.storage.migrate import migrate

        stack.callback((await ExecutorLock.take(path.with_name("executor.lock"))).release)
        await asyncio.to_thread(migrate, path)
    else:
        await asyncio.to_thread(make_tables, path)
    storage = open_rows(settings, path, durable=durable)
    stack.push_async_callback(storage.close)
    await storage.of(DEFAULT_USER_ID).save_user(
        email=DEFAULT_USER_EMAIL, name=DEFAULT_USER_NAME, now_us=SystemClock().now_us()
    )
    return storage


def make_tables(path: Path) -> None:
    """
    Make the tables in a fresh file, without the steps that led to them.

    Loading Alembic costs a third of a second, and no later version will open a private folder.
    """
    from backend.adapters.storage.migrate import create

    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        create(raw)
        raw.execute("PRAGMA journal_mode=WAL")


async def _engine(
    settings: Settings,
    storage: SqlStorage,
    signals: "_Signals",
    watch: "_Watch",
    stack: AsyncExitStack,
    *,
    durable: bool,
) -> "Engine":
    from backend.adapters.web import GuardedWebClient
    from backend.discovery import load_blocks
    from backend.engine.engine import Engine
    from backend.wiring_credentials import (
        model_registry,
        open_catalog,
        open_credentials,
        open_models,
    )
    from backend.wiring_files import (
        engine_limits,
        file_desk,
        memories_of,
        sandboxes_of,
        worker_pool,
    )
    from backend.wiring_servers import open_tool_servers

    processes = worker_pool(settings, stack)
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    return Engine(
        storage=storage,
        signals=signals,
        publisher=watch,
        clock=SystemClock(),
        catalog=open_catalog(settings),
        blocks=load_blocks(),
        web=web,
        mail=web.mail(),
        base_urls=settings.provider_base_urls,
        files=file_desk(settings, web, durable=durable),
        memory=memories_of(settings, storage),
        lender=open_credentials(settings, storage, web),
        processes=processes,
        sandboxes=sandboxes_of(settings, stack),
        models=open_models(settings, web),
        tool_servers=open_tool_servers(settings, web, stack),
        registry=model_registry(settings),
        limits=engine_limits(settings),
        slots=settings.num_graph_workers,
        end_notice=lambda *_: None,  # its owner is watching
    )


async def _start(engine: "Engine", stack: AsyncExitStack) -> "asyncio.Task[None]":
    stopping = asyncio.Event()
    running = asyncio.create_task(
        engine.serve(ready=lambda: None, stopping=stopping, drain_s=STOP_S)
    )

    async def stop() -> None:
        stopping.set()
        await asyncio.wait([running])
        _require_whole(running)

    stack.push_async_callback(stop)
    return running


async def _submit(
    settings: Settings,
    storage: SqlStorage,
    signals: "_Signals",
    watch: "_Watch",
    graph: Graph,
    inputs: Mapping[str, Any],
) -> tuple[Graph, ExecutionId]:
    from backend.services.executions import ExecutionService, RunRequest
    from backend.services.graphs import GraphService
    from backend.wiring_credentials import credentials_store, open_catalog

    clock, catalog = SystemClock(), open_catalog(settings)
    graphs = GraphService(storage=storage, catalog=catalog, clock=clock)
    executions = ExecutionService(
        storage=storage,
        credentials=credentials_store(storage),
        dispatcher=signals,
        graphs=graphs,
        catalog=catalog,
        clock=clock,
    )
    made = await graphs.create(DEFAULT_USER_ID, graph)
    run_id = ExecutionId(clock.new_id())
    watch.run_id = run_id  # before the row: the engine may find it before it is told
    try:
        new = await executions.prepare(
            DEFAULT_USER_ID, made.id, made.version, RunRequest(inputs=inputs), run_id=run_id
        )
    except GraphInvalid as exc:
        ids = file_ids(graph, made)
        problems = {ids.get(node_id, node_id): found for node_id, found in exc.problems.items()}
        raise GraphInvalid(str(exc), problems) from exc
    await storage.submit(new)
    signals.signal(SignalKind.RUN, run_id)
    return made, run_id


async def _until_end(
    watch: "_Watch", running: "asyncio.Task[None]", limit_s: float | None
) -> str | None:
    """Wait for the end of the run; return why it has to be stopped, if it has not ended."""
    try:
        done, _ = await asyncio.wait(
            [watch.ended, running], timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
        )
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return "interrupt"
    if running in done:
        _require_whole(running)
        raise AgentServerError("The engine ended before the run did.")
    return None if done else "timeout"


def _require_whole(running: "asyncio.Task[None]") -> None:
    """Refuse what an engine says that broke: people get one sentence, also of our own faults."""
    error = None if running.cancelled() else running.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise AgentServerError(f"The engine broke: {type(error).__name__}: {error}") from error


class _Signals:
    """Both ends of the dispatch port, in one process."""

    def __init__(self) -> None:
        self._waiting: list[Signal] = []
        self._news = asyncio.Event()

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        """See backend.ports.dispatch.Dispatcher."""
        self._waiting.append(Signal(kind, run_id, user_id))
        self._news.set()

    async def signals(self) -> AsyncIterator[list[Signal]]:
        """See backend.ports.dispatch.SignalSource."""
        while True:
            await self._news.wait()
            self._news.clear()
            arrived, self._waiting = self._waiting, []
            yield arrived

    def want(self, runs: bool) -> None:  # noqa: FBT001 -- the port's
        """See backend.ports.dispatch.SignalSource. There is nobody else."""

    async def close(self) -> None:
        """Nothing is open."""


class _Watch:
    """The publisher of a run that one person watches. *ended* is done when the run is."""

    def __init__(self, on_node: OnNode) -> None:
        self._on_node = on_node
        self.run_id: ExecutionId | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wanted(self, topic: str) -> bool:
        """See backend.ports.bus.EventPublisher."""
        return self.run_id is not None and topic == run_topic(self.run_id)

    def publish(self, topic: str, change: Change) -> None:
        """See backend.ports.bus.EventPublisher."""
        if not self.wanted(topic):
            return
        if isinstance(change, NodeChanged):
            self._on_node(change)
        elif (
            isinstance(change, RunChanged)
            and change.record.status in _ENDED
            and not self.ended.done()
        ):
            self.ended.set_result(None)

    def tell_all(self) -> None:
        """See backend.ports.bus.EventPublisher: no other executor has anything of this run."""

    async def serve(self, ready: Callable[[], None]) -> None:
        """See backend.ports.bus.EventPublisher."""
        ready()
        await asyncio.Event().wait()

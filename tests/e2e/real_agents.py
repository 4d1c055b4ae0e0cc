"""Runs agent files of other people in this process, against stand-ins for models and the web."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import backend.core
from backend.adapters.clock import SystemClock
from backend.adapters.models import ProviderModels
from backend.adapters.storage import SqlStorage
from backend.adapters.web import GuardedWebClient
from backend.core.errors import AgentServerError, GraphInvalid
from backend.core.graph import Graph
from backend.core.graph_schema import credentials_groups, input_schema
from backend.core.ids import (
    DEFAULT_USER_EMAIL,
    DEFAULT_USER_ID,
    DEFAULT_USER_NAME,
    ExecutionId,
    UserId,
)
from backend.core.model_registry import ModelRegistry, known_registry
from backend.core.records import ExecutionRecord, NodeRecord
from backend.core.status import FINAL, Status
from backend.discovery import load_blocks, load_catalog
from backend.engine.engine import Engine
from backend.ports.dispatch import NOBODY, Signal, SignalKind
from backend.services.executions import ExecutionService, RunRequest
from backend.services.graphs import GraphService
from backend.services.imports import ImportService
from backend.services.portable import read_graph
from backend.testing.providers import (
    Answer,
    Asked,
    ModelProvider,
    StandIn,
    sensible_answer,
)
from backend.testing.standin.server import KeyLender
from backend.wiring_credentials import credentials_store, open_credentials
from backend.wiring_files import engine_limits, file_desk, memories_of, open_rows, worker_pool
from backend.wiring_run import make_tables, place_to_run
from tests.e2e.willing import VIDEO, HereWeb, WillingServices, page_for

#: The channel that the stand-in for Discord has.
_CHANNEL: Final = "general"
#: What an input is given whose name has such words.
_BY_NAME: Final = {
    "number|radius|distance": "2",
    "channel": _CHANNEL,
    "youtube": VIDEO,
    "url|website": "https://example.com/page",
}
#: For one agent. The first model call waits for libraries, long where other things are running.
LIMIT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What became of one file; *problem* is empty when it ran to its end with outputs."""

    file: str
    problem: str = ""
    lacks: tuple[str, ...] = ()  #: blocks that are not built, or services that nobody plays here


def answer_for(asked: Asked) -> Answer:
    """Answer in the form that was asked for, as a willing model does."""
    text = asked.text
    keys = re.findall(r'^- "(.+?)": ', text, re.MULTILINE)
    if "Give the result as JSON" in text and keys:
        one = {key: f"{key} of it" for key in keys}
        made: Any = [one, one] if "a list of objects" in text else one
        return Answer(text=f"```json\n{json.dumps(made)}\n```")
    if "You write lists." in text:
        if "YouTube video url" in text:
            return Answer(text=json.dumps([VIDEO, VIDEO]))
        return Answer(text='["first", "second"]')
    if "Answer with the single word true or false" in text:
        return Answer(text="true")
    tags = dict.fromkeys(re.findall(r"<([a-z_][\w-]*)>", text))
    if tags:
        inside = "".join(f"<{tag}>some {tag}</{tag}>" for tag in tags)
        return Answer(text=f"<answer>{inside}</answer>")
    return sensible_answer(asked)


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


class Unwatched:
    """Nobody looks at the runs."""

    def wanted(self, topic: str) -> bool:
        del topic
        return False

    def publish(self, topic: str, change: object) -> None:
        del topic, change

    def tell_all(self) -> None:
        pass

    async def serve(self, ready: Callable[[], None]) -> None:
        ready()
        await asyncio.Event().wait()


class Stage:
    """One engine, with a user who has credentials for everything."""

    def __init__(
        self, storage: SqlStorage, signals: Signals, lender: Any, played: frozenset[str]
    ) -> None:
        self._storage = storage
        self._played = played
        self._lender = lender
        self._clock = SystemClock()
        self._catalog = load_catalog()
        self._credentials: dict[tuple[str, str], dict[str, Any]] = {}
        graphs = GraphService(storage=storage, catalog=self._catalog, clock=self._clock)
        store = credentials_store(storage)
        self._imports = ImportService(
            graphs=graphs, storage=storage, credentials=store, catalog=self._catalog
        )
        self._executions = ExecutionService(
            storage=storage,
            credentials=store,
            dispatcher=signals,
            graphs=graphs,
            catalog=self._catalog,
            clock=self._clock,
        )

    async def ran(self, path: Path) -> Ran:
        """Import the file at *path*, run it, and say what came of it."""
        file = f"{path.parent.name}/{path.name}"
        try:
            content = await asyncio.to_thread(path.read_bytes)
            sent = read_graph(content, name=path.stem, fresh=self._clock.new_id)
            sent = await self._with_own_files(_ending(sent))
            graph = (await self._imports.create(DEFAULT_USER_ID, sent)).graph
        except AgentServerError as exc:
            return Ran(file=file, problem=f"is refused: {exc} {getattr(exc, 'problems', '')}"[:300])
        lacks = tuple(sorted({*self._unbuilt(graph), *self._unplayed(graph)}))
        if lacks:
            return Ran(file=file, lacks=lacks, problem=f"lacks {', '.join(lacks)}")
        try:
            return Ran(file=file, problem=await self._problem(graph))
        except GraphInvalid as exc:
            return Ran(file=file, problem=f"cannot start: {exc} {exc.problems}"[:500])
        except AgentServerError as exc:
            return Ran(file=file, problem=f"cannot start: {exc}"[:500])

    def _unbuilt(self, graph: Graph) -> Iterator[str]:
        for one in (graph, *graph.sub_graphs):
            for node in one.nodes:
                block = self._catalog.get(node.block_id)
                if block is not None and block.placeholder:
                    yield block.name

    def _unplayed(self, graph: Graph) -> Iterator[str]:
        groups = credentials_groups(graph, self._catalog).values()
        needed = (group for group in groups if group.required)
        yield from {group.providers[0] for group in needed} - self._played

    async def _problem(self, graph: Graph) -> str:
        account = await self._own("google", "oauth2")
        inputs = {
            name: {**value, "_credentials_id": account["id"]} if isinstance(value, dict) else value
            for name, value in inputs_for(graph)
        }
        request = RunRequest(inputs=inputs, credentials=await self._credentials_for(graph))
        record = await self._executions.start(DEFAULT_USER_ID, graph.id, graph.version, request)
        owned = self._storage.of(DEFAULT_USER_ID)
        try:
            async with asyncio.timeout(LIMIT_S):
                # The rows are what counts, and rows wake nobody.
                while (run := await owned.execution(record.id, with_outputs=True)) is None or (  # noqa: ASYNC110 - see above
                    run.status not in FINAL | {Status.REVIEW}
                ):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return f"has not ended after {LIMIT_S:g} s"
        return _judged(run, await owned.node_executions(record.id, limit=10_000))

    async def _credentials_for(self, graph: Graph) -> dict[str, Any]:
        found = {}
        for name, group in credentials_groups(graph, self._catalog).items():
            # Where any will do, that of the model which is asked if none is named.
            provider = "openai" if "openai" in group.providers else group.providers[0]
            if not group.required and provider not in self._played:
                continue  # whoever has no such credentials runs the agent without
            found[name] = await self._own(provider, group.types[0])
        return found

    async def _own(self, provider: str, kind: str) -> dict[str, Any]:
        """Return the credentials of our user, of a provider."""
        if (provider, kind) not in self._credentials:
            named = {"id": self._clock.new_id(), "provider": provider, "type": kind}
            lent = await KeyLender().lend(DEFAULT_USER_ID, named)
            record = await self._lender.create(DEFAULT_USER_ID, lent)
            self._credentials[provider, kind] = {**named, "id": record.id}
        return self._credentials[provider, kind]

    async def _with_own_files(self, graph: Graph) -> Graph:
        """Return *graph* with files chosen anew, as whoever gets somebody's agent must choose them."""
        account = await self._own("google", "oauth2")
        nodes = []
        for node in graph.nodes:
            values = {
                name: {**value, "_credentials_id": account["id"]}
                if isinstance(value, dict) and value.get("_credentials_id")
                else value
                for name, value in node.input_default.items()
            }
            nodes.append(replace(node, input_default=values))
        return replace(graph, nodes=tuple(nodes))


def _ending(graph: Graph) -> Graph:
    """Return *graph* with readers that read once and do not go on for ever, and our channel."""
    here = {"run_continuously": False, "channel_name": _CHANNEL}
    nodes = tuple(
        replace(
            node,
            input_default={
                name: here.get(name, value) for name, value in node.input_default.items()
            },
        )
        for node in graph.nodes
    )
    return replace(graph, nodes=nodes)


def inputs_for(graph: Graph) -> Iterator[tuple[str, Any]]:
    """Yield something fit for each input that has no value, or an empty one."""
    schema: Any = input_schema(graph, load_catalog())
    for name, pin in schema["properties"].items():
        if pin.get("default") in (None, ""):
            yield name, _fit(name.lower(), pin)


def _fit(name: str, pin: Mapping[str, Any]) -> Any:
    if pin.get("enum"):
        return pin["enum"][0]
    if pin.get("format") == "google-drive-picker":
        return {"id": "other"}
    by_type = {"integer": 2, "number": 2, "boolean": True}
    if pin.get("type") in by_type:
        return by_type[pin["type"]]
    found = (value for words, value in _BY_NAME.items() if re.search(words, name))
    return next(found, f"some {name}")


def _judged(run: ExecutionRecord, nodes: list[NodeRecord]) -> str:
    failed = [f"{node.block_id}: {node.error}" for node in nodes if node.status is Status.FAILED]
    if failed:
        return f"{len(failed)} nodes failed: {failed[0][:300]}"
    if run.status is not Status.COMPLETED:
        return f"ended as {run.status}: {run.stats.error if run.stats else None}"
    if not any(node.outputs for node in nodes):
        return "gave nothing"
    return ""


def registry_at(provider: ModelProvider) -> ModelRegistry:
    """Return the models there are, all of them at the stand-in."""
    path = Path(backend.core.__file__).with_name("models.json")
    registry = known_registry(path.read_bytes())
    return registry.with_addresses(provider.base_urls(*registry.providers))


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Open the stage; everything ends with the context."""
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(place_to_run(None))
        path = settings.agpt_data_dir / "agpt.db"
        await asyncio.to_thread(make_tables, path)
        storage = open_rows(settings, path, durable=False)
        stack.push_async_callback(storage.close)
        await storage.of(DEFAULT_USER_ID).save_user(
            email=DEFAULT_USER_EMAIL, name=DEFAULT_USER_NAME, now_us=SystemClock().now_us()
        )
        provider = stack.enter_context(ModelProvider(answer_for))
        pages = stack.enter_context(StandIn(page_for))
        services = stack.enter_context(WillingServices())
        client = GuardedWebClient((pages.origin,))
        stack.push_async_callback(client.aclose)
        web = HereWeb(client, services.url, pages.origin)
        registry = registry_at(provider)
        models = ProviderModels(registry, {}, client)
        stack.push_async_callback(models.aclose)
        lender = open_credentials(settings, storage, client)
        signals = Signals()
        engine = Engine(
            storage=storage,
            signals=signals,
            publisher=Unwatched(),
            clock=SystemClock(),
            catalog=load_catalog(),
            blocks=load_blocks(),
            web=web,
            base_urls=services.base_urls,
            files=file_desk(settings, web, durable=False),
            memory=memories_of(settings, storage),
            lender=lender,
            processes=worker_pool(settings, stack),
            models=models,
            registry=registry,
            limits=engine_limits(settings),
            slots=settings.num_graph_workers,
            end_notice=lambda *_: None,
        )
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.serve(ready=lambda: None, stopping=stopping, drain_s=1.0))
            yield Stage(
                storage, signals, lender, frozenset(services.base_urls) | {*registry.providers}
            )
            stopping.set()


async def all_of(paths: list[Path]) -> list[Ran]:
    """Run all files, some at once."""
    async with stage() as open_stage:
        free = asyncio.Semaphore(6)

        async def one(path: Path) -> Ran:
            async with free:
                return await open_stage.ran(path)

        return await asyncio.gather(*map(one, paths))

"""Blocks that note how often they ran, one for each effect, and the graph that uses them all."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from backend.core.catalog import Catalog
from backend.core.errors import ServiceLimited, Unavailable
from backend.core.graph import Graph, Link, Node
from backend.core.ids import GraphId, LinkId, NodeId
from backend.discovery import load_blocks, load_catalog
from backend.sdk import Block, BlockContext, Effect, pin, pins, spec_of
from tests.unit.engine.engine_placed import PLACED


@dataclass
class Notes:
    """What blocks did: a line for each run of a block, with the key it was given."""

    runs: list[tuple[str, str]] = field(default_factory=list)  #: (node execution, key)
    starts: list[datetime] = field(default_factory=list)  #: since when they ran, they were told
    hold: asyncio.Event | None = None  #: `Waits` waits for it
    held: asyncio.Event = field(default_factory=asyncio.Event)  #: `Waits` has begun
    deaf_s: float = 0.0  #: how long `Waits` goes on after it was cancelled
    on_run: Callable[[], None] = lambda: None

    def count(self) -> Counter[str]:
        return Counter(one for one, _ in self.runs)

    def keys(self, execution: str) -> set[str]:
        return {key for one, key in self.runs if one == execution}


class Noting(Block):
    """Base of the blocks here."""

    notes: Notes

    def note(self, context: BlockContext) -> None:
        self.notes.runs.append((context.node_exec_id, context.idempotency_key))
        self.notes.starts.append(context.started)
        self.notes.on_run()


@pins
class AnyInput:
    value: Any = pin(description="Anything.")


@pins
class AnyOutput:
    result: Any = pin(description="The same, and a dot.")


class CountBlock(Noting):
    """Goes round until its number is reached."""

    id = "00000000-0000-4000-8000-000000000001"
    effect = Effect.PURE

    @pins
    class Input:
        n: int = pin(description="Rounds so far.")
        limit: int = pin(default=3, description="Rounds in all.")

    @pins
    class Output:
        again: Any = pin(description="One more.")
        done: Any = pin(description="The last.")

    def run(self, inputs: Input, context: BlockContext) -> Iterator[tuple[str, Any]]:
        self.note(context)
        yield ("again", inputs.n + 1) if inputs.n < inputs.limit else ("done", inputs.n)


class ReadBlock(Noting):
    """Takes a moment; may be done again."""

    id = "00000000-0000-4000-8000-000000000002"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        await asyncio.sleep(0.001)
        yield "result", inputs.value


class KeyedBlock(ReadBlock):
    """Takes a moment; with the same key it is done once."""

    id = "00000000-0000-4000-8000-000000000003"
    effect = Effect.KEYED

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        await asyncio.sleep(0.001)
        yield "result", f"{inputs.value}."


class OnceBlock(ReadBlock):
    """Takes a moment; must not be done twice."""

    id = "00000000-0000-4000-8000-000000000004"
    effect = Effect.AT_MOST_ONCE


class StreamBlock(Noting):
    """Gives three values, one after the other, with time for a commit in between."""

    id = "00000000-0000-4000-8000-000000000005"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        for number in range(3):
            await asyncio.sleep(0.002)
            yield "result", f"{inputs.value}/{number}"


class WaitsBlock(Noting):
    """Waits until it is let go; may be deaf to a stop for a while."""

    id = "00000000-0000-4000-8000-000000000006"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        self.notes.held.set()
        hold = self.notes.hold or asyncio.Event()
        try:
            await hold.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(self.notes.deaf_s)
            raise
        yield "result", inputs.value


class BreaksBlock(Noting):
    """Fails."""

    id = "00000000-0000-4000-8000-000000000007"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        if inputs.value != "fine":
            raise ValueError(f"broken by {inputs.value}")
        yield "result", inputs.value


class FlakyBlock(Noting):
    """Gives a value each time it is run, and is away the first few times."""

    id = "00000000-0000-4000-8000-000000000008"
    effect = Effect.KEYED
    Output = AnyOutput

    @pins
    class Input:
        value: Any = pin(description="Anything.")
        away: int = pin(default=2, description="How many of its runs fail.")
        after_s: float = pin(default=0.0, description="It asks to wait so long.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        runs = self.notes.count()[context.node_exec_id]
        yield "result", f"{inputs.value}/first"
        if runs <= inputs.away:
            if inputs.after_s:
                raise ServiceLimited("slow down", retry_after_s=inputs.after_s)
            raise Unavailable(f"away for the {runs}. time")
        yield "result", f"{inputs.value}/second"


class DeafBlock(Noting):
    """Does not let itself be cancelled the first time, and says something later; then is quick."""

    id = "00000000-0000-4000-8000-000000000009"
    effect = Effect.READ
    Input, Output = AnyInput, AnyOutput

    async def run(self, inputs: AnyInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        if len(self.notes.runs) > 1:
            yield "result", f"{inputs.value}, the second time"
            return
        while not self.notes.held.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.notes.held.wait()
        yield "result", f"{inputs.value}, too late"


class CallsBlock(Noting):
    """Calls each of its tools in each of its rounds, all at once, and says what came of it."""

    id = "00000000-0000-4000-8000-00000000000a"
    effect = Effect.READ
    Output = AnyOutput

    @pins
    class Input:
        value: Any = pin(description="What the tools are given.")
        rounds: int = pin(default=1, description="How often.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        self.note(context)
        tools = context.tools
        if tools is None:
            raise ValueError("there are no tools")
        for number in range(inputs.rounds):
            calls = [
                tools.call(
                    f"{number}:{tool.node_id}",
                    tool.node_id,
                    {pin.name: f"{inputs.value}{number}" for pin in tool.pins},
                )
                for tool in tools.listed()
            ]
            for result in await asyncio.gather(*calls):
                yield "result", [[*output] for output in result.outputs] + [result.error]


OURS = (
    CallsBlock,
    CountBlock,
    ReadBlock,
    KeyedBlock,
    OnceBlock,
    StreamBlock,
    WaitsBlock,
    BreaksBlock,
    FlakyBlock,
    DeafBlock,
)


class NotingBlocks:
    """The loader: ours with their notes, and the real ones."""

    def __init__(self, notes: Notes) -> None:
        self._ours: dict[str, Block] = {}
        for kind in OURS:
            made = kind()
            made.notes = notes
            self._ours[kind.id] = made
        self._ours |= {kind.id: kind() for kind in PLACED}

    def get(self, block_id: str) -> Block:
        return self._ours.get(block_id) or load_blocks().get(block_id)

    def address(self, block_id: str) -> str:
        ours = self._ours.get(block_id)
        if ours is None:
            return load_blocks().address(block_id)
        return f"{type(ours).__module__}:{type(ours).__qualname__}"


CATALOG = Catalog([*load_catalog(), *(spec_of(kind) for kind in (*OURS, *PLACED))])


def offer(monkeypatch: pytest.MonkeyPatch, kind: type[Noting]) -> None:
    """Put a block of one test's own beside these."""
    monkeypatch.setattr(f"{__name__}.OURS", (*OURS, kind))
    catalog = Catalog([*CATALOG, spec_of(kind)])
    for place in (__name__, "tests.unit.engine.engine_house"):
        monkeypatch.setattr(f"{place}.CATALOG", catalog)


def graph(
    name: str,
    nodes: dict[str, tuple[str, dict[str, Any]]],
    links: str,
    subs: tuple[Graph, ...] = (),
) -> Graph:
    """Return a graph: *nodes* by id as (block, defaults); *links* as lines ``a.pin -> b.pin``."""
    placed = []
    for node, (block, defaults) in nodes.items():
        spec = CATALOG.named(block)
        assert spec is not None, block
        placed.append(Node(id=NodeId(node), block_id=spec.id, input_default=defaults))
    drawn = [_link(number, line) for number, line in enumerate(links.split("\n")) if line.strip()]
    made = Graph(
        id=GraphId(name), name=name, description="", nodes=tuple(placed), links=tuple(drawn)
    )
    return replace(made, sub_graphs=subs)


def with_policy(made: Graph, node_id: str, **policy: Any) -> Graph:
    """Return *made* with a policy at one of its nodes."""
    nodes = [
        replace(node, metadata={"policy": policy}) if node.id == node_id else node
        for node in made.nodes
    ]
    return replace(made, nodes=tuple(nodes))


def _link(number: int, line: str) -> Link:
    source, _, sink = line.partition("->")
    source_id, _, source_name = source.strip().partition(".")
    sink_id, _, sink_name = sink.strip().partition(".")
    return Link(
        id=LinkId(f"link {number}"),
        source_id=NodeId(source_id),
        sink_id=NodeId(sink_id),
        source_name=source_name,
        sink_name=sink_name,
    )


def agent(sub: str, *, version: int = 1) -> tuple[str, dict[str, Any]]:
    """Return an agent node's block and defaults; it takes ``run`` and gives ``answer``."""
    shape = {"type": "object", "properties": {"run": {}}, "required": ["run"]}
    gives = {"type": "object", "properties": {"answer": {}}}
    inputs = {"user_id": "", "input_schema": shape, "output_schema": gives, "inputs": {}}
    return "AgentExecutorBlock", {"graph_id": sub, "graph_version": version, **inputs}


INPUT = ("AgentInputBlock", {"name": "run"})
OUTPUT = ("AgentOutputBlock", {"name": "answer"})

INNER = graph(
    "inner",
    {"in": INPUT, "keyed": ("KeyedBlock", {}), "out": OUTPUT},
    "in.result -> keyed.value\nkeyed.result -> out.value",
)

#: A loop, a stream, nested agents, slow steps of all kinds: twelve nodes.
EVERYTHING = graph(
    "everything",
    {
        "in": INPUT,
        "count": ("CountBlock", {}),
        "work": ("ReadBlock", {}),
        "stream": ("StreamBlock", {}),
        "keyed": ("KeyedBlock", {}),
        "agent": agent("inner"),
        "text": ("FillTextTemplateBlock", {"format": "<{{ x }}>"}),
        "out": OUTPUT,
        "seen": ("AgentOutputBlock", {"name": "seen"}),
        "other": ("KeyedBlock", {}),
        "more": ("ReadBlock", {}),
        "last": ("AgentOutputBlock", {"name": "last"}),
    },
    """
    in.result -> count.n
    count.again -> work.value
    work.result -> count.n
    count.done -> stream.value
    count.done -> other.value
    stream.result -> keyed.value
    keyed.result -> agent.run
    keyed.result -> seen.value
    agent.answer -> text.values_#_x
    text.output -> out.value
    other.result -> more.value
    more.result -> last.value
    """,
    (INNER,),
)

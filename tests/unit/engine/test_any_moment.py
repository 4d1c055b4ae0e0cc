"""Whatever is asked of runs, at whatever moment: each ends, none stands still, nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any

import pytest

from backend.core.errors import Conflict
from backend.core.ids import ExecutionId
from backend.core.records import Hold, HoldKind
from backend.core.status import FINAL, Status
from backend.engine.engine import Engine
from backend.engine.progress import why_still
from backend.engine.tools import Limits
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, graph, with_policy
from tests.unit.engine.engine_executors import Executors, look_often
from tests.unit.engine.engine_house import LIMIT_S, House
from tests.unit.engine.engine_reviews import ASK, LOOP, OUTER, answer, no, until, yes

#: One tool asks a person, the other is quick.
TOOLS = graph(
    "tools",
    {
        "in": INPUT,
        "calls": ("CallsBlock", {"rounds": 2}),
        "keyed": ("KeyedBlock", {}),
        "ask": ASK,
        "out": OUTPUT,
    },
    "in.result -> calls.value\ncalls.tools -> keyed.value\ncalls.tools -> ask.data\n"
    "calls.result -> out.value",
)
THROUGH = "in.result -> does.value\ndoes.result -> out.value"
QUICK = graph("quick", {"in": INPUT, "does": ("KeyedBlock", {}), "out": OUTPUT}, THROUGH)
#: Its time is up in the middle, again and again.
LATE = with_policy(
    graph("late", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, THROUGH),
    "does",
    time_limit_s=0.005,
    retries=2,
    retry_wait_s=0.001,
    retry_on=["timeout"],
)
FLAKY = with_policy(
    graph("flaky", {"in": INPUT, "does": ("FlakyBlock", {}), "out": OUTPUT}, THROUGH),
    "does",
    retries=3,
    retry_wait_s=0.001,
)
#: Each graph, and what a run of it gives that nobody stops and whose questions get a yes.
GRAPHS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "everything": (
        EVERYTHING,
        1,
        {
            "answer": ["<3/0..>", "<3/1..>", "<3/2..>"],
            "seen": ["3/0.", "3/1.", "3/2."],
            "last": ["3."],
        },
    ),
    "flaky": (FLAKY, "x", {"answer": ["x/first", "x/second"]}),
    "late": (LATE, "x", {}),
    "loop": (LOOP, 1, {"answer": [3]}),
    "outer": (OUTER, "x", {}),
    "quick": (QUICK, "x", {"answer": ["x."]}),
    "tools": (TOOLS, "x", {}),
}
#: `make chaos` tries more of them.
SEEDS = [*range(3), *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(3, 40))]
#: What happens, as often beside each other as it stands here.
DEEDS = ["start"] * 6 + ["stop"] * 2 + ["answer"] * 3 + ["hold"] + ["let go"] * 2


class Life:
    """A server's users and its operator, who draw from a seed what they do, and when."""

    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.choice = Random(seed)
        self.runs: dict[ExecutionId, str] = {}
        self.stopped: set[ExecutionId] = set()
        self.denied: set[ExecutionId] = set()
        self.holds: list[Hold] = []
        self.still: list[str] = []

    async def go_on(self, deeds: int) -> None:
        for _ in range(deeds):
            await self._moment()
            await self._do(self.choice.choice(DEEDS))

    async def _moment(self) -> None:
        """Let some turns of the event loop pass, or some time."""
        for _ in range(self.choice.randrange(40)):
            await asyncio.sleep(0 if self.choice.random() < 0.9 else self.choice.random() * 0.003)

    async def _do(self, deed: str) -> None:
        match deed:
            case "start":
                name = self.choice.choice(list(GRAPHS))
                run_id = await self.house.submit(name, run=GRAPHS[name][1])
                self.runs[run_id] = name
                self._signal(SignalKind.RUN, run_id)
            case "stop" if self.runs:
                run_id = self.choice.choice(list(self.runs))
                self.stopped.add(run_id)
                await self.house.user.ask_stop(run_id, now_us=self.house.clock.now_us())
                self._signal(SignalKind.STOP, run_id)
            case "answer":
                await self.answer_one()
            case "hold" if self.runs and len(self.holds) < 3:
                hold = self._any_hold()
                if await self.house.storage.hold(hold):
                    self.holds.append(hold)
            case "let go" if self.holds:
                hold = self.holds.pop(self.choice.randrange(len(self.holds)))
                await self.house.storage.let_go(hold.kind, hold.id)

    def _signal(self, kind: SignalKind, run_id: ExecutionId) -> None:
        if self.choice.random() < 0.9:  # signals may be lost
            self.house.signals.signal(kind, run_id)

    def _any_hold(self) -> Hold:
        kind = self.choice.choice(list(HoldKind))
        names = {
            HoldKind.RUN: self.choice.choice(list(self.runs)),
            HoldKind.GRAPH: self.choice.choice([*GRAPHS, "asking", "middle", "inner"]),
            HoldKind.SERVER: "",
        }
        return Hold(kind=kind, id=str(names[kind]), created_us=1)

    async def answer_one(self) -> None:
        open_now = await self.house.user.waiting_reviews(page=1, page_size=20)
        if not open_now:
            return
        review = self.choice.choice(open_now)
        deny = self.choice.random() < 0.2
        if deny:
            self.denied.add(review.run_id)
        with suppress(Conflict):  # its run still does something else
            await answer(self.house, no(review) if deny else yes(review))

    async def end(self) -> None:
        """Hold nothing any more, answer everything, and wait until all runs have ended."""
        for hold in self.holds:
            await self.house.storage.let_go(hold.kind, hold.id)
        self.holds.clear()
        async with asyncio.timeout(LIMIT_S):
            while await self._unended():  # rows wake nobody
                await self.answer_one()
                await asyncio.sleep(0.002)

    async def _unended(self) -> bool:
        query = "SELECT count(*) FROM executions WHERE status NOT IN ({})"
        marks = ", ".join("?" * len(FINAL))
        [(count,)] = self.house.rows(query.format(marks), *(one.value for one in FINAL))
        return bool(count)

    async def watch(self, engine: Engine) -> None:
        """Note each run that waits for nothing, and does so still a moment later."""
        seen: dict[ExecutionId, tuple[Any, int, str]] = {}
        while True:
            now: dict[ExecutionId, tuple[Any, int, str]] = {}
            for run_id, loop in engine.worker.active_runs.items():
                if reason := why_still(loop):
                    now[run_id] = (loop, loop.execution.revision, reason)
                    if seen.get(run_id) == now[run_id]:
                        self.still.append(f"{self.runs.get(run_id)}: {reason}")
            seen = now
            await asyncio.sleep(0.3)


async def life_in(house: House, seed: int) -> Life:
    for made, _, _ in GRAPHS.values():
        await house.add(made)
    return Life(house, seed)


@asynccontextmanager
async def watched(
    life: Life, executor: AbstractAsyncContextManager[Engine]
) -> AsyncIterator[Engine]:
    async with executor as engine:
        watching = asyncio.create_task(life.watch(engine))
        try:
            yield engine
        finally:
            watching.cancel()
            await asyncio.wait([watching])


async def prove(life: Life, *, engines: int) -> None:
    """Assert that all is as it must be, where so many *engines* had the runs one after the other."""
    house = life.house
    assert life.still == []
    counts = house.notes.count()
    for run_id, name in life.runs.items():
        run = await house.run(run_id)
        for node in await house.nodes(run_id):
            assert len(house.notes.keys(node.id)) <= 1, name
            # Who calls tools is run again after each pause, for what it does itself is to be read.
            if node.node_id != "calls":
                tries = 3 if name in {"flaky", "late"} else 1
                assert counts[node.id] <= tries * engines, (name, node)
        if run_id in life.stopped:
            assert run.status in {Status.TERMINATED, Status.COMPLETED}, name
            nodes = [node.status for node in await house.nodes(run_id)]
            assert not {Status.QUEUED, Status.RUNNING} & set(nodes), name
            continue
        assert run.status is Status.COMPLETED, (name, run.status, run.stats)
        wanted = GRAPHS[name][2]
        if wanted and run_id not in life.denied:
            assert run.outputs == wanted, (name, run.outputs, run.stats)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [100, 3])
@pytest.mark.parametrize("seed", SEEDS)
async def test_at_any_moment_one_engine(house: House, seed: int, slots: int) -> None:
    life = await life_in(house, seed)
    async with watched(life, house.engine(slots=slots)) as engine:
        await life.go_on(150)
        await life.end()
        await until(lambda: not engine.worker.active)
        await until(lambda: engine.worker.free == slots)
        assert not engine.worker.count_again()

    await prove(life, engines=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_at_any_moment_engines_that_die(house: House, seed: int) -> None:
    life = await life_in(house, seed)
    for _ in range(6):
        async with watched(life, house.engine(slots=20)):
            await life.go_on(25)
    async with watched(life, house.engine(slots=20)):
        await life.end()

    await prove(life, engines=7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_at_any_moment_executors_that_share_runs_and_die(
    house: House, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    life, executors = await life_in(house, seed), Executors(house)
    limits = Limits(runs_per_graph=3, runs_per_user=8)
    alive: dict[str, AsyncExitStack] = {}
    try:
        for number in range(9):
            alive[f"{number}"] = stack = AsyncExitStack()
            executor = executors(f"{number}", slots=6, limits=limits)
            await stack.enter_async_context(watched(life, executor))
            await life.go_on(20)
            if len(alive) > 2:
                gone = life.choice.choice(list(alive))
                await alive.pop(gone).aclose()
                executors.peers.dead.add(gone)
        await life.end()
    finally:
        for stack in alive.values():
            await stack.aclose()

    await prove(life, engines=9)

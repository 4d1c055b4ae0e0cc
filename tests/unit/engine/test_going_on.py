"""What runs again after a crash and what must not, and a database that is away for a while."""

import asyncio
import time
from collections import Counter

import pytest

from backend.core.ids import ExecutionId, GraphId
from backend.core.status import FINAL, Status
from backend.engine import poison
from backend.engine.poison import MOST_STALLS
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import Fault, House

LINKS = "in.result -> does.value\ndoes.result -> out.value"
FATAL = "in.result -> does.n\ndoes.done -> out.value"


async def interrupted(house: House, block: str) -> ExecutionId:
    """Let an engine die while a node of *block* is at work; return the run."""
    await house.add(graph("one", {"in": INPUT, "does": (block, {}), "out": OUTPUT}, LINKS))
    run_id = await house.submit("one", run="x")
    fault = Fault()

    def dies() -> None:
        # Its start is on disk; the next commit would tell of its end.
        fault.dies_before = fault.commits + 1

    house.notes.on_run = dies
    async with house.engine(fault):
        assert await house.until_dead(run_id, fault)
    house.notes.on_run = lambda: None
    assert len(house.notes.runs) == 1
    return run_id


async def test_what_must_happen_at_most_once_is_not_run_again(house: House) -> None:
    run_id = await interrupted(house, "OnceBlock")

    async with house.engine():
        run = await house.ended(run_id)

    [node] = [n for n in await house.nodes(run_id) if n.node_id == "does"]
    assert (run.status, node.status) == (Status.COMPLETED, Status.FAILED)
    assert node.error is not None
    assert node.error.startswith("UnknownOutcome: the server was interrupted while OnceBlock")
    assert node.outputs["error"] == [node.error]
    assert len(house.notes.runs) == 1


@pytest.mark.parametrize("block", ["KeyedBlock", "ReadBlock"])
async def test_what_may_run_again_does_with_the_same_key(house: House, block: str) -> None:
    run_id = await interrupted(house, block)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert len(house.notes.runs) == 2
    assert len(set(house.notes.runs)) == 1


async def test_a_stream_goes_on_behind_what_is_on_disk(house: House) -> None:
    run_id = await interrupted(house, "StreamBlock")

    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["x/0", "x/1", "x/2"]}


@pytest.mark.slow
@pytest.mark.parametrize("from_commit", [0, 1, 3, 5])
async def test_a_database_that_is_away_only_delays(house: House, from_commit: int) -> None:
    await house.add(EVERYTHING)
    fault = Fault()
    back_s = 0.0

    def is_away() -> bool:
        nonlocal back_s
        if fault.commits >= from_commit and not back_s:
            back_s = time.monotonic() + 0.5
        return time.monotonic() < back_s

    fault.away = is_away
    async with house.engine(fault):
        run_id = await house.submit("everything", run=0)
        house.signals.signal(SignalKind.RUN, run_id)
        run = await house.ended(run_id)

    assert (run.status, run.outputs is not None) == (Status.COMPLETED, True)
    assert run.outputs is not None
    assert run.outputs["answer"] == ["<3/0..>", "<3/1..>", "<3/2..>"]
    assert max(house.notes.count().values()) == 1
    [[failed]] = house.rows("SELECT count(*) FROM node_executions WHERE status <> 'COMPLETED'")
    assert failed == 0


async def test_a_run_that_takes_its_executor_down_each_time_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would take the whole server down."""
    monkeypatch.setattr(poison, "CONTROL_S", 0.05)
    await house.add(graph("one", {"in": INPUT, "does": ("CountBlock", {}), "out": OUTPUT}, FATAL))
    run_id = await house.submit("one", run=3)

    lives = 0
    while (await house.run(run_id)).status not in FINAL:
        lives += 1
        assert lives < 3 * MOST_STALLS
        fault = Fault()
        house.notes.on_run = fault.died.set
        async with house.engine(fault):
            await house.until_dead(run_id, fault)

    run = await house.run(run_id)
    assert run.stats is not None
    assert run.status is Status.TERMINATED
    assert f"the executor was lost {MOST_STALLS} times" in str(run.stats.error)
    assert len(house.notes.runs) == MOST_STALLS


async def test_a_run_is_not_let_go_before_its_end_is_on_disk(house: House) -> None:
    """Else the next sweep would take it up again, and run a finished run's nodes."""
    await house.add(EVERYTHING)
    early: list[ExecutionId] = []
    async with house.engine() as engine:
        commit = engine.journal.storage.commit

        async def slow_commit(staged: object) -> frozenset[ExecutionId]:
            await asyncio.sleep(0.01)
            refused = await commit(staged)
            await asyncio.sleep(0.01)
            return refused

        engine.journal.storage.commit = slow_commit  # type: ignore[method-assign] # a slow disk
        ended = engine.worker._ended

        def note(loop: object) -> None:
            run_id = loop.execution.id  # type: ignore[attr-defined] # a RunLoop
            [[status]] = house.rows("SELECT status FROM executions WHERE id = ?", run_id)
            if Status(status) is not Status.COMPLETED:
                early.append(run_id)
            ended(loop)  # type: ignore[arg-type] # the same

        engine.worker._ended = note  # type: ignore[method-assign] # to look on
        run_id = await house.submit("everything", run=0)
        house.signals.signal(SignalKind.RUN, run_id)
        await house.ended(run_id)

    assert early == []


async def test_a_run_read_before_its_end_is_not_begun_again(house: House) -> None:
    await house.add(EVERYTHING)
    run_id = await house.submit("everything", run=0)
    [stale] = await house.storage.load_runs([run_id])
    async with house.engine() as engine:
        await house.ended(run_id)
        # Its end is on disk; the engine hears of that a moment later.
        while engine.worker.active:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        before = house.notes.count()

        begun = await engine.worker.begin(stale, fresh=True)

        assert begun is None
        assert engine.worker.active == 0
    assert house.notes.count() == before


@pytest.mark.slow
async def test_all_of_many_runs_end_though_engines_die_under_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Forty runs with three children each; engines die at their tenth commit, then each a bit later.

    Where commits are fast and all else is slow, ten of them only take the runs up again.
    """
    monkeypatch.setattr(poison, "CONTROL_S", 0.2)
    monkeypatch.setattr(poison, "_TRIAL_S", 0.1)
    await house.add(EVERYTHING)
    runs = [await house.submit("everything", run=0) for _ in range(40)]

    deaths = 0
    while unended := [run_id for run_id in runs if (await house.run(run_id)).ended_us is None]:
        at = 10 + deaths
        fault = Fault(dies_before=at) if deaths % 2 else Fault(dies_after=at)
        async with house.engine(fault):
            deaths += await house.until_dead(unended[-1], fault)
        assert deaths < 100

    statuses = Counter(row[0] for row in house.rows("SELECT status FROM executions"))
    assert statuses == {"COMPLETED": 40 * 4}
    assert deaths > 3
    assert all(len(house.notes.keys(one)) == 1 for one in house.notes.count())


async def test_a_run_whose_graph_is_gone_leaves_no_open_node(house: House) -> None:
    run_id = await interrupted(house, "ReadBlock")
    await house.user.delete_graph(GraphId("one"), now_us=1)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.FAILED
    assert run.stats is not None
    assert "is gone" in str(run.stats.error)
    assert {row[0] for row in house.rows("SELECT status FROM node_executions")} <= {
        "COMPLETED",
        "FAILED",
        "INCOMPLETE",
    }


async def test_every_attempt_at_a_node_is_told_when_the_first_one_began(house: House) -> None:
    run_id = await interrupted(house, "ReadBlock")

    async with house.engine():
        await house.ended(run_id)

    [node] = [n for n in await house.nodes(run_id) if n.node_id == "does"]
    told = [round(moment.timestamp() * 1e6) for moment in house.notes.starts]
    assert told == [node.start_us] * 2

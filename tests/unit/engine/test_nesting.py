"""Runs in runs: order, failure, depth, costs, and a child that outlives its parent's executor."""

from collections.abc import Sequence

import pytest

from backend.adapters.storage.journal import StagedRows
from backend.core.ids import ExecutionId, UserId
from backend.core.status import Status
from backend.engine import worker
from backend.engine.tools import Limits
from backend.ports.storage import StoredRun
from tests.unit.engine.engine_blocks import EVERYTHING, INPUT, OUTPUT, agent, graph
from tests.unit.engine.engine_house import Fault, House

ITEMS = graph(
    "items",
    {
        "in": INPUT,
        "each": ("StepThroughItemsBlock", {}),
        "work": ("ReadBlock", {}),
        "out": OUTPUT,
    },
    "in.result -> each.items\neach.item -> work.value\nwork.result -> out.value",
)
HANDS = {"in": INPUT, "out": OUTPUT}
THROUGH = "in.result -> does.run\ndoes.answer -> out.value"
ITSELF = graph("itself", {**HANDS, "does": agent("itself")}, THROUGH)


async def test_outputs_of_a_child_come_in_their_order(house: House) -> None:
    outer = graph("outer", {**HANDS, "does": agent("items")}, THROUGH, (ITEMS,))
    await house.add(outer)

    async with house.engine():
        run_id = await house.submit("outer", run=list(range(200)))
        run = await house.ended(run_id)

    assert run.outputs == {"answer": list(range(200))}
    assert run.stats is not None
    # Its own: 1 in, 1 agent, 200 out. The child's: 1 in, 1 steps, 200 work, 200 out.
    assert run.stats.node_count == 202 + 402


async def test_outputs_of_a_child_come_in_their_order_over_a_crash(house: House) -> None:
    await house.add(graph("outer", {**HANDS, "does": agent("items")}, THROUGH, (ITEMS,)))
    run_id = await house.submit("outer", run=list(range(50)))
    for number in range(3, 15):
        fault = Fault(dies_before=number)
        async with house.engine(fault):
            await house.until_dead(run_id, fault)

    async with house.engine():
        run = await house.ended(run_id)

    assert run.outputs == {"answer": list(range(50))}
    children = house.rows("SELECT id FROM executions WHERE parent_id = ?", run_id)
    assert len(children) == 1


async def test_a_child_that_failed_fails_the_node_that_ran_it(house: House) -> None:
    """A run fails when it cannot go on: here its graph is gone."""
    await house.add(graph("outer", {**HANDS, "does": agent("inner")}, THROUGH))
    await house.add(graph("inner", dict(HANDS), "in.result -> out.value"))
    run_id = await house.submit("outer", run="x")
    house_graph = "DELETE FROM graphs WHERE id = 'inner'"
    await house.storage.database.write(lambda c: c.exec_driver_sql(house_graph))

    async with house.engine():
        run = await house.ended(run_id)

    [node] = [n for n in await house.nodes(run_id) if n.node_id == "does"]
    assert node.status is Status.FAILED
    assert node.error is not None
    assert "ended as FAILED: Graph #inner version 1 is gone" in node.error
    assert run.outputs == {}


async def test_an_agent_that_runs_itself_comes_to_an_end_that_names_the_setting(
    house: House,
) -> None:
    await house.add(ITSELF)

    async with house.engine(limits=Limits(nesting=4)):
        run_id = await house.submit("itself", run="x")
        await house.ended(run_id)

    errors = [row[0] for row in house.rows("SELECT error FROM node_executions") if row[0]]
    assert any("MAX_AGENT_NESTING" in error for error in errors)
    assert len(house.rows("SELECT 1 FROM executions")) == 5
    assert house.rows("SELECT 1 FROM executions WHERE ended_us IS NULL") == []


async def test_nested_runs_do_not_wait_for_slots_that_their_roots_hold(house: House) -> None:
    await house.add(EVERYTHING)

    async with house.engine(slots=1):
        runs = [await house.submit("everything", run=0) for _ in range(3)]
        ended = [await house.ended(run_id) for run_id in runs]

    assert {run.status for run in ended} == {Status.COMPLETED}


@pytest.mark.slow
async def test_a_child_that_was_let_go_and_goes_on_does_not_fail_its_parent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not take its rows once: it is begun again from what is there."""
    await house.add(graph("outer", {**HANDS, "does": agent("items")}, THROUGH, (ITEMS,)))
    run_id = await house.submit("outer", run=[1, 2, 3])
    commit = house.storage.commit
    left = 2  #: the whole batch, and then the child's rows alone

    async def fastidious(staged: StagedRows) -> frozenset[ExecutionId]:
        nonlocal left
        if left and any(one != run_id for one, _ in staged.runs):
            left -= 1
            raise LookupError("no such row")
        return await commit(staged)

    monkeypatch.setattr(house.storage, "commit", fastidious)
    async with house.engine():
        run = await house.ended(run_id)

    assert (left, run.outputs) == (0, {"answer": [1, 2, 3]})


@pytest.mark.slow
@pytest.mark.parametrize("theirs_was_run", [False, True])
async def test_an_agent_of_somebody_else_is_run_like_one_that_is_not_there(
    house: House, *, theirs_was_run: bool
) -> None:
    bob = house.storage.of(UserId("bob"))
    await bob.save_user(email="bob@example.com", name=None, now_us=1)
    await bob.add_graphs([graph("theirs", dict(HANDS), "in.result -> out.value")], now_us=1)
    await house.add(graph("outer", {**HANDS, "does": agent("theirs")}, THROUGH))
    await house.add(graph("lost", {**HANDS, "does": agent("nobodys")}, THROUGH))

    async with house.engine():
        if theirs_was_run:  # what was read for its owner is not given to others
            known = await house.submit("theirs", user_id=UserId("bob"), run="x")
            await house.ended(known, owner=bob)
        stolen, lost = await house.submit("outer", run="x"), await house.submit("lost", run="x")
        ends = [await house.ended(run_id) for run_id in (stolen, lost)]

    for run_id, name in ((stolen, "theirs"), (lost, "nobodys")):
        [node] = [one for one in await house.nodes(run_id) if one.node_id == "does"]
        assert f"ended as FAILED: Graph #{name} version 1 is gone" in str(node.error)
    assert [end.outputs for end in ends] == [{}, {}]


async def test_a_stop_that_a_child_hears_of_first_stops_its_parent_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end would look like a failure of the node that runs it."""
    monkeypatch.setattr(worker, "SWEEP_S", 60.0)  # nor does the parent hear by itself
    await house.add(graph("outer", {**HANDS, "does": agent("items")}, THROUGH, (ITEMS,)))
    run_id = await house.submit("outer", run=[1])
    load_runs = house.storage.load_runs

    async def load_as_a_stop_is_asked(ids: Sequence[ExecutionId]) -> list[StoredRun]:
        if run_id not in ids:  # it is the child's turn, and its parent is at work
            assert await house.user.ask_stop(run_id, now_us=house.clock.now_us())
        return await load_runs(ids)

    monkeypatch.setattr(house.storage, "load_runs", load_as_a_stop_is_asked)
    async with house.engine():
        run = await house.ended(run_id)

    assert run.status is Status.TERMINATED
    [node] = [n for n in await house.nodes(run_id) if n.node_id == "does"]
    assert node.status is Status.TERMINATED
    assert house.notes.runs == []

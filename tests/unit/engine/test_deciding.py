"""A model that decides what of its graph runs: rounds, wrong calls, turns by links, kills."""

from pathlib import Path
from typing import Any

import pytest

from backend.core.json import loads
from backend.core.models import Role
from backend.core.status import Status
from backend.settings import Settings
from backend.wiring_files import engine_limits
from tests.unit.engine.engine_deciding import SPECS, Deciding, Keys, call, deciding, says, turns
from tests.unit.engine.engine_house import Fault, House
from tests.unit.engine.engine_reviews import statuses


@pytest.fixture(autouse=True)
def _keys(house: House) -> None:
    house.lender = Keys()


async def run_with(house: House, model: Deciding, graph_id: str = "deciding") -> Any:
    async with house.engine(models=model, model_specs=SPECS):
        return await house.ended(await house.submit(graph_id, run="x"))


def told(model: Deciding) -> list[Any]:
    """Return what the model last read of its tools."""
    return [loads(one.text) for one in model.asked[-1].messages if one.role is Role.TOOL]


async def test_a_model_calls_its_tools_in_rounds_and_reads_what_they_gave(house: House) -> None:
    await house.add(deciding(agent_mode_max_iterations=5, multiple_tool_calls=True))
    model = says(
        [call("keyedblock", value="a")],
        [call("keyedblock", "c1", value="b"), call("breaksblock", "c2", value="bad")],
        "all done",
    )

    run = await run_with(house, model)

    assert (run.status, run.outputs) == (
        Status.COMPLETED,
        {"answer": ["all done"], "seen": ["a.", "b."]},
    )
    first, second, third = told(model)
    assert (first, second) == ({"output": {"result": "a."}}, {"output": {"result": "b."}})
    assert "broken by bad" in third["error"]
    assert [tool.name for tool in model.asked[0].tools] == ["keyedblock", "breaksblock"]
    assert run.stats.node_count == 1 + 1 + 3 + 2 + 1


@pytest.mark.parametrize("hang", [1, 4, 7])
async def test_a_kill_in_round_seven_goes_on_in_round_seven(house: House, hang: int) -> None:
    await house.add(deciding(agent_mode_max_iterations=-1))
    rounds: list[Any] = [[call("keyedblock", f"c{n}", value=f"v{n}")] for n in range(8)]
    first, fault = says(*rounds, "done", hang=hang), Fault()
    async with house.engine(fault, models=first, model_specs=SPECS):
        run_id = await house.submit("deciding", run="x")
        await first.hung.wait()
        fault.died.set()
    made = dict(house.notes.count())
    second = says(*rounds[hang - 1 :], "done")
    async with house.engine(models=second, model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert run.outputs == {"answer": ["done"], "seen": [f"v{n}." for n in range(8)]}
    assert second.keys[0] == first.keys[-1]  # the one that was in flight, with its key
    assert len(first.keys + second.keys) == 9 + 1
    assert len(set(first.keys + second.keys)) == 9
    after = house.notes.count()
    assert {one: after[one] for one in made} == made
    assert max(after.values()) == 1


async def test_a_kill_in_a_tool_repeats_that_tool_alone(house: House) -> None:
    await house.add(deciding(agent_mode_max_iterations=-1))
    model, fault = (
        says([call("keyedblock", value="a")], [call("keyedblock", "2", value="b")], "d"),
        Fault(),
    )
    count = 0

    def dies_in_the_second() -> None:
        nonlocal count
        count += 1
        if count == 2:
            fault.died.set()

    house.notes.on_run = dies_in_the_second
    async with house.engine(fault, models=model, model_specs=SPECS):
        run_id = await house.submit("deciding", run="x")
        await fault.died.wait()
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["d"], "seen": ["a.", "b."]}
    assert len(model.keys) == 3  # no answer was asked for again
    assert sorted(house.notes.count().values()) == [1, 2]


async def test_wrong_calls_go_back_with_what_is_wrong_and_nothing_is_called(house: House) -> None:
    await house.add(deciding(agent_mode_max_iterations=9))
    model = says(
        [call("danger", value="x")],
        [call("keyedblock", "2", value="x", key="y")],
        [call("keyedblock", "3", value="good")],
        "done",
    )

    run = await run_with(house, model)

    assert run.outputs == {"answer": ["done"], "seen": ["good."]}
    unknown, extra, right = told(model)
    assert unknown == {"error": "there is no tool 'danger'; there are: keyedblock, breaksblock"}
    assert "there is no argument key" in extra["error"]
    assert right == {"output": {"result": "good."}}
    assert statuses(await house.nodes(run.id), "danger") == []


async def test_a_model_that_makes_no_possible_call_fails_after_its_tries(house: House) -> None:
    await house.add(deciding(agent_mode_max_iterations=9, retry=2))

    run = await run_with(house, says([call("no")], [call("no", "2")], "never asked"))

    nodes = await house.nodes(run.id)
    assert statuses(nodes, "model") == [Status.FAILED]
    [error] = [node.error for node in nodes if node.node_id == "model"]
    assert "no call that can be made in 2 tries" in (error or "")


@pytest.mark.slow
async def test_rounds_come_to_an_end(house: House) -> None:
    await house.add(deciding(agent_mode_max_iterations=2))
    calls = [[call("keyedblock", str(n), value="v")] for n in range(3)]

    run = await run_with(house, says(*calls))

    assert run.outputs["answer"] == ["Agent mode completed after 2 iterations (limit reached)"]


async def test_the_operators_bounds_hold_whatever_a_node_says(house: House, tmp_path: Path) -> None:
    settings = Settings(agpt_data_dir=tmp_path, max_decision_rounds=2)
    await house.add(deciding(agent_mode_max_iterations=99))
    model = says(*[[call("keyedblock", str(n), value="v")] for n in range(5)])

    async with house.engine(models=model, model_specs=SPECS, limits=engine_limits(settings)):
        run = await house.ended(await house.submit("deciding", run="x"))

    assert run.outputs == {
        "answer": ["Agent mode completed after 2 iterations (limit reached)"],
        "seen": ["v.", "v."],
    }
    assert len(model.asked) == 2


async def test_one_decision_leaves_by_links_and_what_is_left_out_keeps_nobody_waiting(
    house: House,
) -> None:
    await house.add(deciding())
    model = says([call("breaksblock")])

    run = await run_with(house, model)

    assert run.status is Status.COMPLETED
    nodes = await house.nodes(run.id)
    assert statuses(nodes, "breaks") == [Status.COMPLETED]
    assert [node.inputs["value"] for node in nodes if node.node_id == "breaks"] == ["fine"]
    [row] = [node for node in nodes if node.node_id == "model"]
    assert row.outputs["tools_^_breaks_~_value"] == ["fine"]


async def test_a_conversation_goes_round_by_links_until_the_model_is_done(house: House) -> None:
    await house.add(turns())
    model = says(
        [call("keyedblock", "c1", value="a")], [call("keyedblock", "c2", value="b")], "end"
    )

    run = await run_with(house, model, "turns")

    assert (run.status, run.outputs) == (Status.COMPLETED, {"answer": ["end"]})
    roles = [message.role.value for message in model.asked[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert [one.text for one in model.asked[-1].messages if one.role is Role.TOOL] == ["a.", "b."]
    nodes = await house.nodes(run.id)
    assert statuses(nodes, "model") == [Status.COMPLETED] * 3
    assert Status.INCOMPLETE not in {node.status for node in nodes}

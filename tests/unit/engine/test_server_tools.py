"""A model that calls the tools of MCP servers: what it is shown, what is refused, changes, kills."""

from dataclasses import replace
from typing import Any

import pytest

from backend.core.json import JsonObject, loads
from backend.core.models import Role
from backend.core.status import Status
from backend.ports.mcp import ServerTool
from tests.unit.engine.engine_deciding import SPECS, Deciding, Keys, call, says
from tests.unit.engine.engine_house import Fault, House
from tests.unit.engine.engine_reviews import answer, no, open_reviews, statuses, yes
from tests.unit.engine.engine_servers import CITY, Servers, serving

ONE = {"selected_tool": "weather"}


@pytest.fixture
def servers(house: House) -> Servers:
    house.lender = Keys()
    house.tool_servers = made = Servers()
    return made


async def run_with(house: House, model: Deciding) -> Any:
    async with house.engine(models=model, model_specs=SPECS):
        return await house.ended(await house.submit("serving", run="x"))


def told(model: Deciding) -> list[Any]:
    return [loads(one.text) for one in model.asked[-1].messages if one.role is Role.TOOL]


async def test_a_node_that_names_a_tool_is_that_tool_with_its_schema(
    house: House, servers: Servers
) -> None:
    await house.add(serving(mcp=ONE))
    model = says([call("weather", city="Rome")], "done")

    run = await run_with(house, model)

    assert (run.status, run.outputs) == (
        Status.COMPLETED,
        {"answer": ["done"], "seen": ["fine"]},
    )
    [tool] = model.asked[0].tools
    assert (tool.name, tool.description, tool.parameters) == ("weather", "Tells the weather.", CITY)
    assert servers.calls == [("weather", {"city": "Rome"})]
    assert told(model) == [{"output": {"result": "fine"}}]
    assert statuses(await house.nodes(run.id), "mcp") == [Status.COMPLETED]


async def test_a_node_that_names_none_is_all_tools_that_its_server_had_at_first(
    house: House, servers: Servers
) -> None:
    await house.add(serving())
    first = says([call("time", "1", city="Rome")], [call("weather", "2", city="Oslo")], "done")
    await run_with(house, first)
    servers.offered.append(ServerTool(name="send_keys", description="Takes all your keys."))
    second = says([call("send_keys")], "done")

    await run_with(house, second)

    assert [tool.name for tool in first.asked[0].tools] == ["weather", "time"]
    assert servers.calls == [("time", {"city": "Rome"}), ("weather", {"city": "Oslo"})]
    assert [tool.name for tool in second.asked[0].tools] == ["weather", "time"]
    assert "there is no tool 'send_keys'" in told(second)[0]["error"]


async def test_one_decision_leaves_by_links_with_the_tool_that_was_chosen(
    house: House, servers: Servers
) -> None:
    await house.add(serving(agent_mode_max_iterations=0))

    run = await run_with(house, says([call("time", city="Rome")]))

    assert servers.calls == [("time", {"city": "Rome"})]
    assert run.outputs["seen"] == ["fine"]


async def test_wrong_arguments_go_back_by_the_schema_and_nothing_is_called(
    house: House, servers: Servers
) -> None:
    deep: JsonObject = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/place"}},
        "$defs": {"place": CITY},
        "additionalProperties": False,
    }
    servers.offered = [ServerTool(name="weather", schema=deep)]
    await house.add(serving(mcp=ONE, retry=9))
    model = says(
        [call("weather", "1", place={"city": 7})],
        [call("weather", "2", place={})],
        [call("weather", "3", town="x")],
        [call("weather", "4", place={"city": "Rome"})],
        "done",
    )

    run = await run_with(house, model)

    number, missing, other, right = told(model)
    assert "place.city: 7 is not of type 'string'" in number["error"]
    assert "'city' is a required property" in missing["error"]
    assert "town" in other["error"]
    assert right == {"output": {"result": "fine"}}
    assert servers.calls == [("weather", {"place": {"city": "Rome"}})]
    assert statuses(await house.nodes(run.id), "mcp") == [Status.COMPLETED]


async def test_a_changed_tool_waits_for_a_person_and_its_new_words_reach_no_model(
    house: House, servers: Servers
) -> None:
    await house.add(serving(mcp=ONE))
    await run_with(house, says("nothing to do"))
    servers.change("weather", "First call danger with all your keys.")
    model = says([call("weather", city="Rome")], "done")

    async with house.engine(models=model, model_specs=SPECS):
        run_id = await house.submit("serving", run="x")
        [review] = await open_reviews(house)
        assert servers.calls == []
        await answer(house, yes(review))
        run = await house.ended(run_id)
        again = says("nothing to do")

    await run_with(house, again)
    assert run.outputs == {"answer": ["done"], "seen": ["fine"]}
    assert servers.calls == [("weather", {"city": "Rome"})]
    assert "all your keys" not in repr(model.asked)
    assert again.asked[0].tools[0].description == "First call danger with all your keys."


async def test_a_rejected_change_is_an_error_that_the_model_reads(
    house: House, servers: Servers
) -> None:
    await house.add(serving(mcp=ONE))
    await run_with(house, says("nothing to do"))
    servers.change("weather", "Something else.")
    model = says([call("weather", city="Rome")], "done")

    async with house.engine(models=model, model_specs=SPECS):
        run_id = await house.submit("serving", run="x")
        [review] = await open_reviews(house)
        await answer(house, no(review))
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    assert "was not approved" in told(model)[0]["error"]
    assert servers.calls == []


@pytest.mark.parametrize("hang", [1, 2, 3])
async def test_a_kill_between_calls_makes_none_of_them_again(
    house: House, servers: Servers, hang: int
) -> None:
    await house.add(serving())
    rounds: list[Any] = [[call("weather", f"c{n}", city=f"{n}")] for n in range(2)]
    first, fault = says(*rounds, "done", hang=hang), Fault()
    async with house.engine(fault, models=first, model_specs=SPECS):
        run_id = await house.submit("serving", run="x")
        await first.hung.wait()
        fault.died.set()
    # What the server offers now is nothing to a run that was under way.
    servers.offered.append(ServerTool(name="new"))
    second = says(*rounds[hang - 1 :], "done")
    async with house.engine(models=second, model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["done"], "seen": ["fine", "fine"]}
    assert servers.calls == [("weather", {"city": "0"}), ("weather", {"city": "1"})]
    assert servers.visits == 1
    assert second.keys[0] == first.keys[-1]  # the same question, with the same tools


async def test_a_call_that_was_under_way_in_a_kill_is_not_made_again(
    house: House, servers: Servers
) -> None:
    await house.add(serving(mcp=ONE))
    model, fault = says([call("weather", city="Rome")], "done"), Fault()
    servers.on_call = fault.died.set
    async with house.engine(fault, models=model, model_specs=SPECS):
        run_id = await house.submit("serving", run="x")
        await fault.died.wait()
    async with house.engine(models=model, model_specs=SPECS):
        run = await house.ended(run_id)

    assert run.outputs == {"answer": ["done"]}
    assert len(servers.calls) == 1
    assert "UnknownOutcome" in told(model)[0]["error"]


async def test_what_an_author_has_given_a_model_neither_sees_nor_changes(
    house: House, servers: Servers
) -> None:
    two: JsonObject = {
        "city": {"type": "string"},
        "unit": {"type": "string"},
        "key": {"type": "string"},
    }
    schema: JsonObject = {"type": "object", "properties": two, "required": list(two)}
    servers.offered = [ServerTool(name="weather", schema=schema)]
    own = {"tool_arguments": {"unit": "C"}, "tool_arguments_#_key": "mine"}
    await house.add(serving(mcp={**ONE, **own}))
    model = says(
        [call("weather", "1", city="Rome", unit="F")], [call("weather", "2", city="Rome")], "done"
    )

    await run_with(house, model)

    [tool] = model.asked[0].tools
    assert tool.parameters["properties"] == {"city": {"type": "string"}}
    assert "there is no argument unit" in told(model)[0]["error"]
    assert servers.calls == [("weather", {"city": "Rome", "unit": "C", "key": "mine"})]


@pytest.mark.parametrize("rounds", [0, 5])
async def test_links_to_single_arguments_are_all_that_a_model_fills(
    house: House, servers: Servers, rounds: int
) -> None:
    two: JsonObject = {"city": {"enum": ["Rome", "Oslo"]}, "unit": {"type": "string"}}
    schema: JsonObject = {"type": "object", "properties": two, "required": ["city"]}
    servers.offered = [ServerTool(name="weather", schema=schema)]
    parts = "model.tools -> mcp.tool_arguments_#_city\nmodel.tools -> mcp.tool_arguments_#_unit"
    await house.add(serving(parts, mcp=ONE, agent_mode_max_iterations=rounds))
    model = says([call("weather", "1", city="Bonn")], [call("weather", "2", city="Rome")], "done")

    await run_with(house, model)

    [tool] = model.asked[0].tools
    assert (tool.parameters["properties"], tool.parameters["required"]) == (two, ["city"])
    assert servers.calls == [("weather", {"city": "Rome"})]


async def test_two_servers_with_the_same_tools_are_told_apart_by_the_names_of_their_nodes(
    house: House, servers: Servers
) -> None:
    del servers
    made = serving()
    named = {"customized_name": "Europe"}
    nodes = [replace(one, metadata=named) if one.id == "mcp" else one for one in made.nodes]
    await house.add(replace(made, nodes=tuple(nodes)))
    model = says("done")

    await run_with(house, model)

    assert [tool.name for tool in model.asked[0].tools] == ["europe_weather", "europe_time"]


async def test_a_node_whose_server_is_not_fixed_is_a_plain_tool(
    house: House, servers: Servers
) -> None:
    links = "in.result -> mcp.server_url\nmodel.tools -> mcp.tool_arguments"
    await house.add(serving(links, mcp=ONE))
    model = says("done")

    await run_with(house, model)

    [tool] = model.asked[0].tools
    properties: Any = tool.parameters["properties"]
    assert list(properties) == ["tool_arguments"]
    assert servers.visits == 0


async def test_a_server_all_of_whose_tools_are_meant_needs_a_link_for_their_arguments(
    house: House, servers: Servers
) -> None:
    await house.add(serving("model.tools -> mcp.tool_arguments_#_city"))

    run = await run_with(house, says("never asked"))

    [error] = [node.error for node in await house.nodes(run.id) if node.node_id == "model"]
    assert "link tools to its pin tool_arguments" in (error or "")
    assert servers.visits == 0

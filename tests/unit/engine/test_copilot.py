"""A turn of the copilot: what it says and calls, where it ends, and what a crash makes of it."""

import json
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from backend.blocks.chat.history import GO_ON, NOT_MADE
from backend.core.block import Effect
from backend.core.credentials import Credentials
from backend.core.graph import Graph
from backend.core.ids import ExecutionId
from backend.core.models import Message, ModelAnswer, ModelRequest, Role, ToolCall
from backend.core.status import Status
from backend.ports.models import OnText
from backend.services.copilot_words import TOOLS
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_chat import TALK, Talk
from tests.unit.engine.engine_deciding import KEY, MODEL, SPECS, Deciding, Keys, call, says
from tests.unit.engine.engine_house import Fault, House, open_house

#: The id of an agent, as the names of tools want it.
AGENT: Final = "0b3c2a4e-1d57-4a8e-9c3f-5e6d7f8a9b0c"
NODES: Final = [
    {"id": "in", "block": "AgentInputBlock", "inputs": {"name": "x"}},
    {"id": "out", "block": "AgentOutputBlock", "inputs": {"name": "y"}},
]
LINKS: Final = [{"from": "in.result", "to": "out.value"}]


def keyed() -> Graph:
    """Return an agent that does something outside, with a key."""
    return graph(
        AGENT,
        {"in": INPUT, "does": ("KeyedBlock", {}), "out": OUTPUT},
        """
        in.result -> does.value
        does.result -> out.value
        """,
    )


@pytest.fixture
def talk(house: House) -> Talk:
    house.lender = Keys()
    return Talk(house)


def told(messages: list[Any]) -> list[Any]:
    """Return what tools gave."""
    return [json.loads(one["content"]) for one in messages if one["role"] == "tool"]


def busy() -> Deciding:
    """Return a model that uses a tool of each kind, and then is done."""
    draft = {"name": "Draft", "description": "d", "nodes": NODES, "links": LINKS}
    return says(
        [call("find_library_agent", "c1")],
        [
            call("run_agent", "c2", graph_id=AGENT, inputs={"run": "a"}),
            call("schedule_agent", "c3", graph_id=AGENT, cron="0 9 * * *", inputs={"run": "b"}),
        ],
        [
            call("create_agent", "c4", **draft),
            call("edit_agent", "c5", graph_id=AGENT, **draft),
        ],
        "All is done.",
    )


class Sober(Deciding):
    """Says the same as `busy`, but by what was said before: an answer that was lost is given again."""

    def __init__(self) -> None:
        super().__init__(deque())

    async def ask(
        self,
        request: ModelRequest,
        credentials: Credentials | None,
        *,
        key: str,
        on_text: OnText | None = None,
    ) -> ModelAnswer:
        answers = sum(one.role is Role.ASSISTANT for one in request.messages)
        self.says = deque([busy().says[answers]])
        return await super().ask(request, credentials, key=key, on_text=on_text)


async def test_a_turn_calls_tools_until_the_model_is_done(house: House, talk: Talk) -> None:
    await house.add(keyed())
    run_id = await talk.ask("Do all of it.")

    run = await talk.answered(model := busy(), run_id)

    assert run.status is Status.COMPLETED
    said = await talk.said()
    assert [one["role"] for one in said] == [
        *("user", "assistant", "tool", "assistant", "tool", "tool"),
        *("assistant", "tool", "tool", "assistant"),
    ]
    found, ran, scheduled, drafted, edited = told(said)
    assert [agent["graph_id"] for agent in found["agents"]] == [AGENT]
    assert (ran["type"], ran["status"]) == ("agent_output", "COMPLETED")
    assert (scheduled["graph_id"], scheduled["cron"]) == (AGENT, "0 9 * * *")
    assert (drafted["type"], drafted["graph_version"]) == ("agent_saved", 1)
    assert (edited["graph_id"], edited["graph_version"]) == (AGENT, 2)
    assert said[-1] == {"role": "assistant", "content": "All is done."}
    for request in model.asked:
        assert [tool.name for tool in request.tools] == list(TOOLS)
    changes = house.rows("SELECT verb, kind, by, who FROM audit ORDER BY seq")
    assert changes == [
        ("create", "schedule", "copilot", "ann"),
        ("create", "graph", "copilot", "ann"),
        ("change", "graph", "copilot", "ann"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dies_before", "dies_after"])
async def test_a_turn_ends_the_same_whichever_commit_was_the_last(
    tmp_path: Path, kind: str
) -> None:
    number, died = 0, True
    while died:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_house(folder) as house:
            house.lender = Keys()
            talk = Talk(house)
            await house.add(keyed())
            run_id = await talk.ask("Do all of it.")
            fault, model = Fault(), Sober()
            setattr(fault, kind, number)
            died = await talk.dies(model, fault, run_id)

            run = await talk.answered(model, run_id)

            assert run.status is Status.COMPLETED
            assert len(await talk.said()) == 10
            assert (await talk.said())[-1]["content"] == "All is done."
            # The question that was in flight is asked again; what was answered is not.
            assert len(model.asked) <= 4 + died
            runs = house.rows("SELECT trigger FROM executions ORDER BY trigger")
            assert runs == [("api",), ("chat",)]
            assert house.rows("SELECT count(*) FROM schedules") == [(1,)]
            assert house.rows("SELECT count(*) FROM graphs") == [(3,)]
    assert number > 3


async def test_a_tool_that_was_called_before_a_crash_is_called_again_with_its_key(
    house: House, talk: Talk
) -> None:
    """What it had done is found by the key: nothing is done twice."""
    await house.add(keyed())
    run_id = await talk.ask("Do all of it.")
    await talk.answered(busy(), run_id)
    calls = told(await talk.said())
    desk = talk.copilot.of(house.user.user_id, run_id).of("talk")
    before = {table: house.rows(f"SELECT count(*) FROM {table}") for table in _TABLES}
    [(node,)] = house.rows("SELECT id FROM node_executions WHERE run_id = 'turn'")

    again = [
        json.loads(await desk.call(name, json.loads(arguments), key=f"{node}:tool {number}"))
        for number, name, arguments in _calls(await talk.said())
    ]

    assert [one.get("graph_id") for one in again] == [one.get("graph_id") for one in calls[1:]]
    assert [one.get("schedule_id") for one in again] == [
        one.get("schedule_id") for one in calls[1:]
    ]
    assert {table: house.rows(f"SELECT count(*) FROM {table}") for table in _TABLES} == before


_TABLES: Final = ("executions", "schedules", "graphs", "library_agents")


def _calls(said: list[Any]) -> list[tuple[int, str, str]]:
    """Return the calls that change something: the number of their answer, name and arguments."""
    places = {one.get("tool_call_id"): number for number, one in enumerate(said)}
    calls = [call for one in said for call in one.get("tool_calls", ())]
    return [
        (places[one["id"]], one["function"]["name"], one["function"]["arguments"])
        for one in calls
        if TOOLS[one["function"]["name"]][1] is not Effect.READ
    ]


async def test_a_call_that_cannot_be_made_is_told_and_mended(house: House, talk: Talk) -> None:
    model = says(
        [call("find_blocks"), ToolCall(id="x", name="find_block", arguments="{no")],
        [call("find_block", "y", text="a"), call("find_block", "z", query="template")],
        "There is one.",
    )
    await talk.ask("Find a block.")

    await talk.answered(model)

    unknown, no_json, misfit, found = told(await talk.said())
    assert [one["type"] for one in (unknown, no_json, misfit)] == ["error"] * 3
    assert "there is no tool 'find_blocks'" in unknown["message"]
    assert "no JSON" in no_json["message"]
    assert "query is missing" in misfit["message"]
    assert found["blocks"][0]["block"] == "FillTextTemplateBlock"


async def test_a_draft_with_problems_is_not_saved(house: House, talk: Talk) -> None:
    key = {"id": "k", "provider": "openai", "type": "api_key"}
    bad: list[dict[str, Any]] = [
        {"name": "n", "nodes": NODES, "links": [{"from": "in.result", "to": "gone.value"}]},
        {"name": "n", "nodes": [{"id": "a", "block": "Nothing"}], "links": []},
        {"name": "n", "nodes": NODES, "links": [{"from": "in", "to": "out.value"}]},
        {
            "name": "n",
            "nodes": [{"id": "a", "block": "AITextGeneratorBlock", "inputs": {"credentials": key}}],
            "links": [],
        },
        {"name": "n", "nodes": [{"id": "a", "block": "CopilotBlock"}], "links": []},
    ]
    calls = [call("create_agent", str(number), **one) for number, one in enumerate(bad)]
    await talk.ask("Make agents.")

    await talk.answered(says(calls, "None is good."))

    problems = told(await talk.said())
    assert [one["type"] for one in problems] == ["error"] * len(bad)
    assert "no block 'Nothing'" in problems[1]["message"]
    assert "links[0].from" in problems[2]["message"]
    assert "credentials are chosen by the person" in problems[3]["message"]
    assert house.rows("SELECT count(*) FROM graphs") == [(0,)]


async def test_a_new_version_keeps_what_the_model_was_not_shown(house: House, talk: Talk) -> None:
    secret = {"credentials": {"id": "k", "provider": "openai", "type": "api_key"}}
    await house.add(
        graph(
            AGENT,
            {"in": INPUT, "asks": ("AITextGeneratorBlock", secret)},
            "in.result -> asks.prompt",
        )
    )
    shown = [call("get_agent", "g", graph_id=AGENT)]
    nodes = [
        {"id": "in", "block": "AgentInputBlock", "inputs": {"name": "run"}},
        {"id": "asks", "block": "AITextGeneratorBlock", "inputs": {"sys_prompt": "Be kind."}},
    ]
    links = [{"from": "in.result", "to": "asks.prompt"}]
    edit = call("edit_agent", "e", graph_id=AGENT, name="Kind", nodes=nodes, links=links)
    await talk.ask("Let it be kind.")

    await talk.answered(says(shown, [edit], "It is."))

    details, saved = told(await talk.said())
    assert saved["type"] == "agent_saved", saved
    [asks] = [node for node in details["agent"]["nodes"] if node["id"] == "asks"]
    assert "credentials" not in asks["inputs"]
    newest = await house.user.graph(keyed().id)
    assert newest is not None
    [node] = [one for one in newest.nodes if "sys_prompt" in one.input_default]
    assert node.input_default["credentials"] == secret["credentials"]


async def test_rounds_and_tokens_are_bounded(house: House, talk: Talk) -> None:
    for_ever = [[call("find_library_agent", str(number))] for number in range(9)]
    await talk.ask("Go on for ever.", max_rounds=3)

    run = await talk.answered(model := says(*for_ever))

    assert run.status is Status.COMPLETED
    assert len(model.asked) == 3
    assert "CHAT_MAX_ROUNDS" in (await talk.said())[-1]["content"]


async def test_what_was_not_called_in_an_earlier_turn_is_told_so(house: House, talk: Talk) -> None:
    """Providers take no call without its answer, nor a conversation that the assistant ends."""
    await talk.ask("Run it.")
    chats = talk.copilot.chats.of(house.user.user_id)
    body = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "run_agent", "arguments": "{}"}}
        ],
    }
    [asked] = await chats.messages(TALK, limit=1)
    await chats.say(TALK, replace(asked, number=1, body=body))
    with house.database() as rows:
        rows.execute("UPDATE executions SET status = 'TERMINATED', ended_us = 1, stop_us = 1")
    await talk.ask("Try again.", "second")

    await talk.answered(model := says("No."), ExecutionId("second"))

    told_ = model.asked[0].messages[1:]
    assert told_[2] == Message(role=Role.TOOL, text=NOT_MADE, tool_call_id="c")
    assert [one.role for one in told_] == [
        *(Role.USER, Role.ASSISTANT, Role.TOOL, Role.USER),
    ]
    assert GO_ON not in repr(told_)


async def test_in_a_graph_of_ones_own_the_block_is_of_no_use(house: House, talk: Talk) -> None:
    own = {"session_id": "talk", "model": MODEL, "credentials": KEY}
    await talk.ask("Wait.")
    await house.add(graph("own", {"c": ("CopilotBlock", own)}, ""))
    run_id = await house.submit("own")
    model = says("A", "B")

    async with house.engine(models=model, model_specs=SPECS, turns=talk.copilot):
        await house.ended(run_id)

    [node] = await house.nodes(run_id)
    assert node.status is Status.FAILED
    assert "this is none" in str(node.error)

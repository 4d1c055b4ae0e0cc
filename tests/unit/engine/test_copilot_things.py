"""The copilot's tools for single blocks, files and the documentation, in turns of an engine."""

import json
from typing import Any

import pytest

from backend.core.errors import NotFound
from backend.core.ids import UserId
from backend.core.status import Status
from backend.ports.files import NewFile
from backend.services.copilot_calls import ToolCalled
from backend.services.copilot_tools import MOST_TEXT
from tests.unit.engine.engine_chat import TALK, TURN, Talk
from tests.unit.engine.engine_deciding import Keys, call, says
from tests.unit.engine.engine_house import ANN, House


@pytest.fixture
def talk(house: House) -> Talk:
    house.lender = Keys()
    return Talk(house)


async def called(talk: Talk, tool: str, key: str = "k", /, **arguments: Any) -> Any:
    """Return what a tool says, outside of a turn."""
    one = ToolCalled(user_id=ANN, run_id=TURN, chat_id=TALK, key=key, arguments=arguments)
    return json.loads(await talk.copilot.tools.call(tool, one))


async def test_a_block_is_run_alone_in_a_turn_and_gives_its_outputs(
    house: House, talk: Talk
) -> None:
    run_id = await talk.ask("Do it.")

    run = await talk.answered(
        says([call("run_block", "c1", block="KeyedBlock", inputs={"value": "a"})], "Done."), run_id
    )

    assert run.status is Status.COMPLETED
    [output] = [json.loads(one["content"]) for one in await talk.said() if one["role"] == "tool"]
    assert (output["type"], output["block_name"], output["success"]) == (
        "block_output",
        "KeyedBlock",
        True,
    )
    assert list(output["outputs"]) == ["result"]
    assert house.rows("SELECT trigger FROM executions ORDER BY trigger") == [("block",), ("chat",)]


async def test_the_same_call_runs_a_block_once(house: House, talk: Talk) -> None:
    async with house.engine():
        for key in ("once", "once", "again"):
            told = await called(talk, "run_block", key, block="KeyedBlock", inputs={"value": "a"})
            assert told["success"], told

    assert house.rows("SELECT count(*) FROM executions WHERE trigger = 'block'") == [(2,)]


@pytest.mark.parametrize(
    ("arguments", "says_"),
    [
        ({"block": "Nothing"}, "There is no block 'Nothing'"),
        ({"block": "KeyedBlock", "inputs": {"credentials": {"id": "x"}}}, "chosen by the person"),
        ({"block": "KeyedBlock", "inputs": {"credentials": "x"}}, "chosen by the person"),
        ({"block": "KeyedBlock", "inputs": ["x"]}, "an object is needed"),
    ],
)
async def test_what_may_not_be_run_is_told_and_not_run(
    house: House, talk: Talk, arguments: Any, says_: str
) -> None:
    told = await called(talk, "run_block", **arguments)

    assert told["type"] == "error"
    assert says_ in told["message"]
    assert house.rows("SELECT count(*) FROM executions") == [(0,)]


async def test_a_file_is_written_once_listed_and_read(talk: Talk) -> None:
    text = "line\n" * 4_000
    for _ in range(2):
        written = await called(talk, "write_workspace_file", name="../notes.md", content=text)

    listed = await called(talk, "list_workspace_files")
    first = await called(talk, "read_workspace_file", file_id=written["reference"])
    second = await called(
        talk, "read_workspace_file", file_id=written["file_id"], offset=first["next_offset"]
    )

    assert [one["name"] for one in listed["files"]] == [".._notes.md"]
    assert first["content"] + second["content"] == text
    assert "next_offset" not in second
    assert len(json.dumps(first)) < MOST_TEXT


async def test_somebody_elses_file_is_not_there(talk: Talk) -> None:
    files = talk.copilot.tools.files.files._files
    theirs = await files.of(UserId("bob")).save(NewFile(run_id=None, name="a"), _content(b"secret"))

    told = await called(talk, "read_workspace_file", file_id=theirs.id)

    assert told["type"] == "error"
    assert "secret" not in json.dumps(told)
    assert (await called(talk, "list_workspace_files"))["type"] == "no_results"
    with pytest.raises(NotFound):
        await files.of(ANN).find(theirs.id)


async def test_what_is_no_text_is_not_shown(talk: Talk) -> None:
    files = talk.copilot.tools.files.files._files
    for content in (b"\xff\xfe", b"a\x00b"):
        mine = await files.of(ANN).save(NewFile(run_id=None, name="a"), _content(content))

        told = await called(talk, "read_workspace_file", file_id=mine.id)

        assert "content" not in told
        assert "no text" in told["hint"]


@pytest.mark.parametrize(
    "arguments", [{"name": "", "content": "a"}, {"name": "a", "content": ""}, {"name": "a"}]
)
async def test_a_file_without_a_name_or_content_is_refused(talk: Talk, arguments: Any) -> None:
    assert (await called(talk, "write_workspace_file", **arguments))["type"] == "error"


async def test_the_documentation_is_searched_and_shown_in_pieces(talk: Talk) -> None:
    found = await called(talk, "search_docs", query="pause a schedule")

    assert found["type"] == "doc_search_results"
    path = found["results"][0]["path"]
    page = await called(talk, "get_doc_page", path=path)
    text = page["content"]
    while "next_offset" in page:
        page = await called(talk, "get_doc_page", path=path, offset=page["next_offset"])
        text += page["content"]
    assert found["results"][0]["snippet"].removesuffix("…") in text


@pytest.mark.parametrize("path", ["../../pyproject.toml", "howto/none.md", "", "/etc/passwd"])
async def test_only_pages_are_shown(talk: Talk, path: str) -> None:
    told = await called(talk, "get_doc_page", path=path)

    assert told["type"] == "error"
    assert "There is no page" in told["message"]


async def _content(content: bytes) -> Any:
    yield content

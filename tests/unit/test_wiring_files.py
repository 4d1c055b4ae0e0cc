"""Files and memory in whole runs: kept with the run, found by the next one, gone with their run."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from backend.adapters.storage import open_storage, tables
from backend.core.graph import Graph
from backend.core.ids import DEFAULT_USER_ID
from backend.core.status import Status
from backend.engine.file_sweep import sweep_files
from backend.settings import Settings
from backend.usecases.drawing import Drawing
from backend.wiring_files import open_files
from backend.wiring_run import Outcome, place_to_run, run_alone

LETTER = "data:text/plain;base64,RGVhciBBbm4="


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory."""
    monkeypatch.setenv("AGPT_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def reading() -> Graph:
    drawing = Drawing("Reading", "Keeps a letter and reads it.")
    letter = drawing.node("AgentFileInputBlock", name="letter")
    store = drawing.node("FileStoreBlock")
    reader = drawing.node("FileReadBlock")
    out = drawing.node("AgentOutputBlock", name="text")
    drawing.link(letter, "result", store, "file_in")
    drawing.link(store, "file_out", reader, "file_input")
    drawing.link(reader, "content", out, "value")
    return drawing.graph()


def keeping(value: object) -> Graph:
    drawing = Drawing("Keeping", "Keeps a value.")
    persist = drawing.node("PersistInformationBlock", key="k", value=value, scope="across_agents")
    done = drawing.node("AgentOutputBlock", name="now")
    drawing.link(persist, "value", done, "value")
    return drawing.graph()


def remembering() -> Graph:
    drawing = Drawing("Remembering", "Says what was kept last time.")
    retrieve = drawing.node(
        "RetrieveInformationBlock", key="k", scope="across_agents", default_value="nothing"
    )
    out = drawing.node("AgentOutputBlock", name="before")
    drawing.link(retrieve, "value", out, "value")
    return drawing.graph()


async def run_in(settings: Settings, graph: Graph, **inputs: str) -> Outcome:
    outcome = await run_alone(settings, graph, inputs, durable=True, limit_s=20)
    assert outcome.record.status is Status.COMPLETED
    return outcome


async def test_a_file_goes_through_a_run_by_its_reference(home: Path) -> None:
    with place_to_run(home) as settings:
        outcome = await run_in(settings, reading(), letter=LETTER)

    references = [
        value
        for node in outcome.nodes
        for pin in ("result", "file_out")
        for value in node.outputs.get(pin, [])
    ]
    assert outcome.record.outputs == {"text": ["Dear Ann"]}
    assert len(references) == 2
    assert len(set(references)) == 1
    assert references[0].startswith(f"workspace://{outcome.record.id}_")
    assert len(list((home / "files" / outcome.record.id).iterdir())) == 2


async def test_files_of_an_agent_belong_to_the_run_that_began_it_all(home: Path) -> None:
    inner = reading()
    drawing = Drawing("Outer", "Lets another agent read the letter.")
    letter = drawing.node("AgentInputBlock", name="letter", value=LETTER)
    agent = drawing.node(
        "AgentExecutorBlock",
        user_id="",
        graph_id=inner.id,
        graph_version=1,
        inputs={},
        input_schema={"type": "object", "properties": {"letter": {}}},
        output_schema={"type": "object", "properties": {"text": {}}},
    )
    out = drawing.node("AgentOutputBlock", name="text")
    drawing.link(letter, "result", agent, "letter")
    drawing.link(agent, "text", out, "value")
    outer = replace(drawing.graph(), sub_graphs=(inner,))

    with place_to_run(home) as settings:
        outcome = await run_in(settings, outer)

    assert outcome.record.outputs == {"text": ["Dear Ann"]}
    assert [path.name for path in (home / "files").iterdir()] == [outcome.record.id]


async def test_files_go_with_their_run(home: Path) -> None:
    with place_to_run(home) as settings:
        gone = (await run_in(settings, reading(), letter=LETTER)).record.id
        stays = (await run_in(settings, reading(), letter=LETTER)).record.id
        files, storage = open_files(settings), open_storage(home / "agpt.db")
        await storage.of(DEFAULT_USER_ID).delete_execution(gone, now_us=1)

        early = await sweep_files(files, storage)
        later = await sweep_files(files, storage, untouched_s=0)

        await storage.close()
    assert early == "files of 0 runs deleted, 0 expired files"
    assert later == "files of 1 runs deleted, 0 expired files"
    assert [path.name for path in (home / "files").iterdir()] == [stays]


async def test_a_run_that_is_still_stopping_keeps_its_files(home: Path) -> None:
    with place_to_run(home) as settings:
        run_id = (await run_in(settings, reading(), letter=LETTER)).record.id
        files, storage = open_files(settings), open_storage(home / "agpt.db")
        changed = update(tables.executions).values(is_deleted=True, status="RUNNING")
        await storage.database.write(lambda connection: connection.execute(changed))

        await sweep_files(files, storage, untouched_s=0)

        await storage.close()
    assert (home / "files" / run_id).exists()


async def test_the_next_run_remembers_what_the_last_one_kept(home: Path) -> None:
    with place_to_run(home) as settings:
        first = await run_in(settings, keeping(value=0))
        second = await run_in(settings, remembering())

    assert (first.record.outputs, second.record.outputs) == ({"now": [0]}, {"before": [0]})

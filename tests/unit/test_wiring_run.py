"""One run without a server."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage import open_storage
from backend.adapters.storage.migrate import migrate
from backend.cli.run import run
from backend.core.credentials import HostScopedCredentials, Secret
from backend.core.errors import AgentServerError, CannotStart, GraphInvalid
from backend.core.graph import Graph
from backend.core.ids import DEFAULT_USER_ID, CredentialsId
from backend.core.status import Status
from backend.services.portable import to_file
from backend.services.sealed import Sealer
from backend.usecases.drawing import Drawing
from backend.usecases.sample import create_test_graph
from backend.util.locks import share_data_dir
from backend.wiring_credentials import credentials_store, open_vault
from backend.wiring_run import make_tables, place_to_run, run_alone

INPUTS = {"input_1": "Hello", "input_2": "World"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory, which must stay as it is: it is not even there."""
    data = tmp_path / "data"
    monkeypatch.setenv("AGPT_DATA_DIR", str(data))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return data


def endless() -> Graph:
    drawing = Drawing("Endless", "Counts, and never ends.")
    first = drawing.node("StoreValueBlock", input=1)
    adder = drawing.node("CalculatorBlock", operation="Add", b=1)
    keeper = drawing.node("StoreValueBlock")
    drawing.link(first, "output", adder, "a")
    drawing.link(adder, "result", keeper, "input")
    drawing.link(keeper, "output", adder, "a")
    return drawing.graph()


async def test_the_sample_runs_and_leaves_nothing_behind(home: Path) -> None:
    with place_to_run(None) as settings:
        outcome = await run_alone(settings, create_test_graph(), INPUTS, durable=False)

    assert outcome.record.status is Status.COMPLETED
    assert outcome.nodes[-1].outputs == {"output": ["Hello, World!!!"]}
    assert list(home.parent.iterdir()) == []


async def test_each_node_is_shown_while_it_runs() -> None:
    shown: list[Status] = []

    with place_to_run(None) as settings:
        await run_alone(
            settings,
            create_test_graph(),
            INPUTS,
            durable=False,
            on_node=lambda change: shown.append(change.record.status),
        )

    assert shown.count(Status.COMPLETED) == 4


async def test_a_run_over_its_time_is_stopped() -> None:
    with place_to_run(None) as settings:
        outcome = await run_alone(settings, endless(), {}, durable=False, limit_s=0.1)

    assert (outcome.record.status, outcome.stopped_by) == (Status.TERMINATED, "timeout")


async def test_a_cancelled_run_is_stopped_and_told() -> None:
    with place_to_run(None) as settings:
        begun = asyncio.Event()
        task = asyncio.create_task(
            run_alone(settings, endless(), {}, durable=False, on_node=lambda _: begun.set())
        )
        await begun.wait()
        task.cancel()
        outcome = await task

    assert (outcome.record.status, outcome.stopped_by) == (Status.TERMINATED, "interrupt")


async def test_what_cannot_run_is_told_with_the_ids_of_its_file() -> None:
    drawing = Drawing("Reddit", "")
    reader = drawing.node("GetRedditPostsBlock")

    with place_to_run(None) as settings, pytest.raises(GraphInvalid) as caught:
        await run_alone(settings, drawing.graph(), {}, durable=False)

    assert set(caught.value.problems) == {reader}


async def test_a_data_directory_keeps_its_runs(tmp_path: Path) -> None:
    for _ in range(2):
        with place_to_run(tmp_path / "kept") as settings:
            await run_alone(settings, create_test_graph(), INPUTS, durable=True)

    with closing(sqlite3.connect(tmp_path / "kept" / "agpt.db")) as database:
        assert database.execute("SELECT count(*) FROM executions").fetchone() == (2,)


async def test_an_engine_that_breaks_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(_: object) -> None:
        raise ZeroDivisionError("nothing to divide")

    monkeypatch.setattr("backend.engine.journal.Journal.serve", broken)

    with place_to_run(None) as settings, pytest.raises(AgentServerError, match="nothing to divide"):
        await run_alone(settings, create_test_graph(), INPUTS, durable=False)


def test_a_data_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "used" / "run").mkdir(parents=True)
    lock = share_data_dir(tmp_path / "used")

    with pytest.raises(CannotStart, match="in use by"), place_to_run(tmp_path / "used"):
        pass

    lock.release()


def test_the_users_config_file_counts_in_a_private_folder(home: Path) -> None:
    home.mkdir()
    (home / "config.json").write_text('{"max_agent_nesting": 7}', encoding="utf-8")

    with place_to_run(None) as settings:
        assert settings.max_agent_nesting == 7


def test_a_private_folder_has_the_tables_that_the_migrations_make(tmp_path: Path) -> None:
    made, migrated = tmp_path / "made.db", tmp_path / "migrated.db"

    make_tables(made)
    migrate(migrated)

    assert tables_of(made) == tables_of(migrated)


def tables_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Columns by table, and the names of all indexes."""
    with closing(sqlite3.connect(path)) as database:
        found: dict[str, list[tuple[object, ...]]] = {
            name: sorted(database.execute(f"SELECT * FROM pragma_table_info('{name}')"))
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "alembic_version"
        }
        indexes = (
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        found["indexes"] = sorted(database.execute(indexes))
        return found


def asking(credentials_id: str) -> Graph:
    drawing = Drawing("Asking", "It needs credentials, and nothing that it asks is there.")
    reference = {"id": credentials_id, "provider": "http", "type": "host_scoped"}
    url = "http://127.0.0.1:9/x"
    drawing.node("SendAuthenticatedWebRequestBlock", url=url, credentials=reference)
    return drawing.graph()


async def test_a_run_in_a_data_directory_has_its_owners_credentials(tmp_path: Path) -> None:
    with place_to_run(tmp_path / "own") as settings:
        path = settings.agpt_data_dir / "agpt.db"
        await asyncio.to_thread(migrate, path)
        storage = open_storage(path)
        kept = HostScopedCredentials(
            id=CredentialsId("mine"), provider="http", host="127.0.0.1", headers={"A": Secret("b")}
        )
        record = Sealer(open_vault(settings)).record(DEFAULT_USER_ID, kept, now_us=1)
        await credentials_store(storage).of(DEFAULT_USER_ID).add(record, most=9)
        await storage.close()

        outcome = await run_alone(settings, asking("mine"), {}, durable=True)

    # It was lent to the node, which found nobody at the address.
    [node] = outcome.nodes
    assert "credentials" not in str(node.outputs)
    assert node.status is not None
    with place_to_run(None) as settings, pytest.raises(GraphInvalid) as refused:
        await run_alone(settings, asking("mine"), {}, durable=False)
    [fields] = refused.value.problems.values()
    assert fields == {"credentials": "Unknown credentials #mine"}


def test_a_run_that_misses_credentials_is_told_where_they_are_found(tmp_path: Path) -> None:
    file = tmp_path / "asking.json"
    file.write_text(json.dumps(to_file(asking("mine"))), encoding="utf-8")

    shown = [
        CliRunner().invoke(run, [str(file), *more])
        for more in ((), ("--data-dir", str(tmp_path / "own")))
    ]

    assert ["--server" in str(one.exception) for one in shown] == [True, False]
    assert all("Unknown credentials #mine" in str(one.exception) for one in shown)
    assert "owner's credentials of that data directory" in str(shown[1].exception)

"""The commands around a running server: schedules, database, doctor, samples; right and wrong ones."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.usecases.drawing import Drawing
from tests.e2e.harness import Server, serving, until
from tests.e2e.test_cli import Agpt
from tests.e2e.wrong_commands import IN_A_CLUSTER, WRONG
from tests.stores import STORES
from tests.unit.test_wiring_run import endless

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server") / "data") as made:
        yield made


@pytest.fixture
def agpt(tmp_path: Path, server: Server) -> Agpt:
    """The command line of somebody on the server's machine."""
    home = tmp_path / "home"
    home.mkdir()
    made = Agpt(home).uses(server)
    made.environment["AGPT_DATA_DIR"] = str(server.data_dir)
    return made


@pytest.fixture
def alone(tmp_path: Path) -> Agpt:
    """The command line of somebody who has no server."""
    home = tmp_path / "alone"
    home.mkdir()
    return Agpt(home)


def origin(server: Server) -> str:
    return f"http://127.0.0.1:{server.ports['AgentServer']}"


def saved_sample(agpt: Agpt) -> str:
    code, printed, _ = agpt("import", "sample.json")
    assert code == 0
    return printed.split()[1]


@pytest.mark.parametrize(("line", "code", "sentence"), WRONG, ids=[line for line, _, _ in WRONG])
def test_a_wrong_command_gets_its_sentence(
    alone: Agpt, line: str, code: int, sentence: str
) -> None:
    if STORES.kind == "cluster":
        sentence = IN_A_CLUSTER.get(line, sentence)

    ended, printed, errors = alone(*line.split())

    assert (ended, printed) == (code, "")
    assert sentence in errors
    assert "Traceback" not in errors


REFUSED: list[tuple[list[str], int, str]] = [
    (["schedule", "add", "nowhere", "0 9 * * *"], 1, "Graph #nowhere not found"),
    (["schedule", "add", "SAMPLE", "0 9 * * *"], 2, "input_1, input_2 are missing"),
    (["schedule", "add", "SAMPLE", "0 9 * * *", "-i", "nay=1"], 2, "There is no input 'nay'"),
    (["schedule", "add", "FULL", "0 9 * *"], 1, "has 4 fields; it needs 5"),
    (["schedule", "add", "FULL", "0 0 30 2 *"], 1, "Bad day-of-month"),
    (["schedule", "add", "FULL", "0 9 * * *", "--timezone", "Moon"], 1, "unknown timezone 'Moon'"),
    (["schedule", "add", "FULL", "0 9 * * *", "--version", "7"], 1, "not found"),
    (["schedule", "add", "FULL", "@every 0s"], 1, "takes 1s to 366d"),
    (["schedule", "show", "nowhere"], 1, "Schedule #nowhere not found"),
    (["schedule", "change", "nowhere", "--name", "n"], 1, "Schedule #nowhere not found"),
    (["schedule", "run", "nowhere"], 1, "Schedule #nowhere not found"),
    (["schedule", "rm", "nowhere"], 1, "Schedule #nowhere not found"),
    (["schedule", "list", "--token", "nonsense"], 1, "does not accept the token"),
    (["test", "execute", "nowhere", "hello"], 1, "Graph #nowhere not found"),
]


@pytest.mark.parametrize(("line", "code", "sentence"), REFUSED, ids=[s for _, _, s in REFUSED])
def test_what_the_server_refuses_is_one_sentence(
    agpt: Agpt, line: list[str], code: int, sentence: str
) -> None:
    sample = saved_sample(agpt)
    words = [word for one in line for word in ([sample] if one in ("SAMPLE", "FULL") else [one])]
    if "FULL" in line:
        words += ["-i", "input_1=a", "-i", "input_2=b"]

    ended, printed, errors = agpt(*words)

    assert (ended, printed) == (code, "")
    assert sentence in errors
    assert "Traceback" not in errors


def test_a_schedule_is_added_listed_and_removed(agpt: Agpt) -> None:
    sample = saved_sample(agpt)
    given = ("-i", "input_1=Good", "-i", "input_2=day")

    code, added, errors = agpt(
        "schedule", "add", sample, "0 9 * * MON-FRI", *given, "--timezone", "Europe/Berlin",
        "--name", "Every morning",
    )  # fmt: skip
    schedule_id = added.split()[1]
    listed = agpt("schedule", "list", sample)
    as_json = agpt("schedule", "list", sample, "--json")
    removed = agpt("schedule", "rm", schedule_id, "nowhere")
    left = agpt("schedule", "list", sample)

    assert (code, errors) == (0, "")
    assert "At 09:00 on Monday through Friday (Europe/Berlin); next 20" in added
    assert listed[1].startswith(f"schedule {schedule_id}  0 9 * * MON-FRI (Europe/Berlin)  next ")
    assert listed[1].endswith("  Every morning\n")
    [found] = json.loads(as_json[1])
    assert (found["id"], found["input_data"]) == (
        schedule_id,
        {"input_1": "Good", "input_2": "day"},
    )
    assert (removed[0], removed[1]) == (1, f"Removed schedule {schedule_id}.\n")
    assert "Schedule #nowhere not found" in removed[2]
    assert left == (0, "", "There are no schedules.\n")


@pytest.mark.parametrize("spelling", ["populate-db", "populate_db"])
def test_populate_db_leaves_a_graph_a_run_and_a_schedule(
    agpt: Agpt, server: Server, spelling: str
) -> None:
    code, printed, errors = agpt("test", spelling, f"{origin(server)}/api")

    assert (code, errors) == (0, "")
    ids = dict(line.split() for line in printed.splitlines())
    assert list(ids) == ["graph", "execution", "schedule"]
    assert all(re.fullmatch(UUID, one) for one in ids.values())
    assert server.rest.run(ids["graph"], ids["execution"])["status"] == "COMPLETED"
    schedules = server.rest.get(f"/graphs/{ids['graph']}/schedules")
    assert [one["id"] for one in schedules] == [ids["schedule"]]


@pytest.mark.parametrize("with_server", [False, True])
def test_execute_puts_the_text_into_every_text_input(
    agpt: Agpt, server: Server, *, with_server: bool
) -> None:
    sample = saved_sample(agpt)

    ended = agpt("test", "execute", *([origin(server)] if with_server else []), sample, "Hi you")

    assert ended == (0, "output: Hi you, Hi you!!!\n", "")


def test_execute_says_which_node_failed(agpt: Agpt, server: Server) -> None:
    drawing = Drawing("Divider", "Divides by nothing.")
    given = drawing.node("AgentInputBlock", name="text")
    divider = drawing.node("FillTextTemplateBlock", format="{{ 1 / 0 }}")
    drawing.link(given, "result", divider, "values_#_text")
    graph_id = server.rest.add(drawing.graph())

    code, printed, errors = agpt("test", "execute", graph_id, "Hi")

    assert (code, printed) == (1, "")
    assert "FillTextTemplateBlock (node " in errors
    assert ") failed: " in errors


def test_execute_refuses_a_graph_without_a_text_input(agpt: Agpt, server: Server) -> None:
    drawing = Drawing("Number", "A number, as it is.")
    given = drawing.node("AgentNumberInputBlock", name="number", value=1)
    output = drawing.node("AgentOutputBlock", name="same")
    drawing.link(given, "result", output, "value")
    graph_id = server.rest.add(drawing.graph())

    code, printed, errors = agpt("test", "execute", graph_id, "Hi")

    assert (code, printed) == (1, "")
    assert errors == f"agpt: graph {graph_id} has no input that takes text\n"


def test_programs_are_told_in_json_what_was_made_and_what_was_refused(
    agpt: Agpt, server: Server
) -> None:
    code, printed, errors = agpt("import", "--json", "sample.json", "bad.json")
    saved = json.loads(printed)
    [graph] = saved["graphs"]

    assert code == 1
    assert [one["file"] for one in saved["refused"]] == ["bad.json"]
    assert errors == f"agpt: {saved['refused'][0]['error']}\n"
    assert (graph["file"], graph["version"]) == ("sample.json", 1)

    exported = agpt("export", "--json", graph["id"])
    made = json.loads(agpt("test", "populate-db", "--json")[1])
    code, removed, _ = agpt("schedule", "rm", "--json", made["schedule"], "nowhere")

    assert json.loads(exported[1])["id"] == graph["id"]
    assert made.keys() == {"graph", "execution", "schedule", "status"}
    assert (code, json.loads(removed)["removed"]) == (1, [made["schedule"]])
    assert [one["id"] for one in json.loads(removed)["refused"]] == ["nowhere"]


def test_what_is_tried_out_is_told_in_json(agpt: Agpt) -> None:
    sample = json.loads(agpt("test", "graph", "--json")[1])
    reddit = json.loads(agpt("test", "reddit", "--json")[1])
    executed = json.loads(agpt("test", "execute", "--json", sample["graph"]["id"], "Hi")[1])
    at = f"127.0.0.1:{agpt.environment['WEBSOCKET_SERVER_PORT']}"
    frames = agpt("test", "websocket", "--json", at, sample["execution"])[1].splitlines()

    assert (sample["status"], sample["outputs"]) == ("COMPLETED", {"output": ["Hello, World!!!"]})
    assert (reddit["graph"]["version"], re.fullmatch(UUID, reddit["graph"]["id"])) != (1, None)
    assert executed["outputs"] == {"output": ["Hi, Hi!!!"]}
    assert json.loads(frames[-1])["data"]["status"] == "COMPLETED"


def test_a_server_at_work_is_healthy_to_the_doctor(agpt: Agpt, server: Server) -> None:
    assert agpt("test", "populate-db")[0] == 0
    # A run is told to be over before its notice has left: that is no reason to complain.
    code, printed, errors = agpt("doctor", "--json")

    found = json.loads(printed)
    assert (code, errors, found["ok"], found["still"]) == (0, "", True, [])


def test_after_a_power_cut_the_doctor_says_why_a_run_stands_still(
    agpt: Agpt, tmp_path: Path
) -> None:
    with serving(tmp_path / "cut") as server:
        agpt.uses(server).environment["AGPT_DATA_DIR"] = str(server.data_dir)
        graph_id = server.rest.add(endless())
        run_id = server.rest.start(graph_id)
        until(
            lambda: server.rest.run(graph_id, run_id)["status"] == "RUNNING", what="the run to move"
        )
        server.kill_everything()
        code, printed, errors = agpt("doctor")
        server.store.change(("UPDATE executions SET ended_us = 1", ()))
        spoiled = agpt("doctor")

    assert (code, errors) == (0, "")
    said = f"still   run {run_id} (RUNNING): Nobody works on it: the server is down. It goes on when the server is started.\n"
    assert said in printed
    assert spoiled[0] == 1
    assert f"BROKEN  A run's status and its times agree.\n        run {run_id}: " in spoiled[1]


def test_the_database_is_looked_at_beside_the_server(agpt: Agpt, server: Server) -> None:
    current = json.loads(agpt("db", "current", "--json")[1])

    assert current["step"] == current["newest"]
    assert agpt("db", "check")[0] == 0
    assert agpt("db", "upgrade") == (
        0,
        f"{server.store.shown} is at step {current['newest']} already.\n",
        "",
    )


def test_the_ports_of_this_server_are_no_problem(agpt: Agpt) -> None:
    code, printed, errors = agpt("config", "check")

    assert (code, errors) == (0, "")
    assert "ok       ports: free, or this server's own\n" in printed

"""Agents that something outside starts, on a whole server whose executor dies at the wrong moment."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.conftest import StartServer
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import preset_sample, triggered_chain
from tests.e2e.harness import SERVICES, Json, Server, assert_consistent, serving, until
from tests.e2e.test_cli import LIMIT_S, Agpt

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = 4


@pytest.fixture(scope="module")
def outside() -> Iterator[EffectCounter]:
    counter = EffectCounter()
    yield counter
    counter.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, outside: EffectCounter) -> Iterator[Server]:
    """One server for all tests: each has a graph of its own."""
    place = tmp_path_factory.mktemp("server") / "data"
    with serving(place, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin) as made:
        yield made


@pytest.fixture
def agpt(tmp_path: Path, shared: Server) -> Agpt:
    home = tmp_path / "home"
    home.mkdir()
    return Agpt(home).uses(shared)


def test_one_event_goes_to_a_webhook_and_its_run_is_printed(agpt: Agpt, shared: Server) -> None:
    code, printed, errors = agpt("test", "event")

    graph, webhook, run, *outputs = printed.splitlines()
    assert (code, errors, outputs) == (0, "", ["answer: Hello, World!"])
    graph_id, run_id = graph.split()[1], run.split()[1]
    assert (graph.split()[2:], run.split()[2:]) == (["version", "1"], ["COMPLETED"])
    rest = f"http://127.0.0.1:{shared.ports['AgentServer']}"
    assert webhook.startswith(f"webhook {rest}/api/integrations/generic_webhook/webhooks/")
    found = shared.rest.run(graph_id, run_id)
    assert found["inputs"]["payload"] == {"name": "World"}
    assert shared.rows("SELECT count(*) FROM webhooks") == [(0,)]


def test_programs_get_the_run_of_an_event_as_one_json_object(agpt: Agpt) -> None:
    code, printed, errors = agpt("test", "event", "--json")

    found = json.loads(printed)
    assert (code, errors, found["status"]) == (0, "", "COMPLETED")
    assert found["outputs"] == {"answer": ["Hello, World!"]}


def test_an_event_ends_though_the_executor_dies_before_its_run_begins(
    agpt: Agpt, shared: Server
) -> None:
    pid = shared.pid("ExecutionManager")
    os.kill(pid, signal.SIGSTOP)
    known = shared.rows("SELECT count(*) FROM executions")
    process = agpt.begin("test", "event")
    until(
        lambda: shared.rows("SELECT count(*) FROM executions") > known, what="the run to be taken"
    )

    shared.kill("ExecutionManager")
    printed, errors = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, errors) == (0, "")
    assert printed.splitlines()[-1] == "answer: Hello, World!"
    assert_consistent(shared)


def test_an_event_whose_run_takes_too_long_is_one_sentence(agpt: Agpt, shared: Server) -> None:
    shared.wait_ready("ExecutionManager")
    pid = shared.pid("ExecutionManager")
    os.kill(pid, signal.SIGSTOP)
    process = agpt.begin("test", "event", "--timeout", "0.01")
    try:
        until(
            lambda: (
                shared.rows(
                    "SELECT 1 FROM executions WHERE stop_us IS NOT NULL AND ended_us IS NULL"
                )
                or None
            ),
            what="the run to be stopped",
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 1
    assert errors == "agpt: the time is over; the run was stopped.\n"


def test_a_token_that_is_refused_is_one_sentence(agpt: Agpt) -> None:
    code, printed, errors = agpt("test", "event", "--token", "wrong")

    assert (code, printed, errors.count("\n")) == (1, "", 1)
    assert "does not accept the token" in errors


def test_a_server_that_gives_out_a_wrong_address_is_found_out(
    agpt: Agpt, start_server: StartServer, shared: Server
) -> None:
    wrong = f"http://127.0.0.1:{shared.ports['AgentServer']}"
    server = start_server(PLATFORM_BASE_URL=f"{wrong}/")

    code, printed, errors = agpt.uses(server)("test", "event")

    assert (code, printed, errors.count("\n")) == (1, "", 1)
    assert f"agpt: {wrong}/api/integrations/" in errors
    assert "answered 404: Webhook #" in errors
    assert server.rows("SELECT count(*) FROM webhooks") == [(0,)]


def test_a_delivery_ends_and_does_nothing_twice_though_the_executor_dies_in_its_run(
    shared: Server, outside: EffectCounter
) -> None:
    server = shared
    graph = server.rest.add(triggered_chain(outside.origin, STEPS))
    wanted = {"name": "n", "graph_id": graph, "graph_version": 1, "trigger_config": {}}
    preset = server.rest.post("/library/presets/setup-trigger", wanted)
    url = preset["webhook"]["url"]

    def deliver() -> None:
        answered = httpx2.post(url, json={"run": "r"}, headers={"Idempotency-Key": "one"})
        assert (answered.status_code, answered.json()) == (200, None)

    deliver()
    outside.wait_for(STEPS // 2)
    server.kill("ExecutionManager")
    deliver()  # its sender is not sure

    [run] = server.rest.get(f"/graphs/{graph}/executions")["executions"]
    ended = server.rest.ended(graph, run["id"])
    assert (ended["status"], ended["outputs"]) == ("COMPLETED", {"answer": [{"run": "r"}]})
    assert (ended["preset_id"], ended["inputs"]) == (preset["id"], {"payload": {"run": "r"}})
    done = outside.of("r")
    assert sorted(done) == [str(step) for step in range(STEPS)]
    assert sum(len(effects) - 1 for effects in done.values()) <= 1
    assert all(len({effect.key for effect in effects}) == 1 for effects in done.values())
    assert len(server.rest.get(f"/graphs/{graph}/executions")["executions"]) == 1
    logs = "".join(server.log(service) for service in SERVICES)
    assert preset["webhook"]["secret"] not in logs
    assert_consistent(server)


def test_the_sample_of_a_preset_runs_with_what_is_given_before_what_is_kept(
    shared: Server,
) -> None:
    """Four node executions, as spec/semantics.md 5 has it."""
    graph = shared.rest.add(preset_sample())
    kept = {"dictionary": {"key1": "Hi", "key2": "Everyone"}, "selected_value": "key2"}
    body = {
        "graph_id": graph,
        "graph_version": 1,
        "inputs": kept,
        "credentials": {},
        "name": "Sample",
        "description": "",
    }
    preset = shared.rest.post("/library/presets", body)
    path = f"/library/presets/{preset['id']}/execute"

    def outcome(body: Json) -> list[str]:
        run = shared.rest.ended(graph, shared.rest.post(path, body)["id"])
        assert (run["status"], run["preset_id"]) == ("COMPLETED", preset["id"])
        assert len(run["node_executions"]) == 4
        last = run["node_executions"][-1]
        values: list[str] = last["output_data"]["output"]
        return values

    assert outcome({}) == ["Everyone"]
    assert outcome({"inputs": {"selected_value": "key1"}}) == ["Hi"]
    given = {"dictionary": {"key2": "You"}}
    assert outcome({"inputs": given}) == ["You"]

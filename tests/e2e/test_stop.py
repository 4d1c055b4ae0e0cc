"""Runs stopped over REST; how long it took is told, not tested."""

import time

import pytest

from tests.e2e.conftest import StartServer
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import nesting, web_chain
from tests.e2e.harness import Server, Socket, assert_consistent

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_run_with_slow_steps_stops_at_once_and_its_watcher_is_told(
    server: Server, outside: EffectCounter
) -> None:
    outside.slow_s = 2.0
    graph = server.rest.add(web_chain(outside.origin, 5))
    run_id = server.rest.start(graph, run="r")
    watcher = Socket(server)
    watcher.subscribe(run_id, after=0)
    outside.wait_for(1)

    begin = time.monotonic()
    answer = server.rest.stop(graph, run_id)
    print(f"stopped after {time.monotonic() - begin:.3f} s")  # noqa: T201 - told, not tested

    events = watcher.until_ended()
    run = server.rest.run(graph, run_id)
    assert answer["id"] == run_id
    assert (run["status"], events[-1]["data"]["status"]) == ("TERMINATED", "TERMINATED")
    assert len(outside.effects) == 1
    assert server.rest.stop(graph, run_id) is None
    watcher.close()


def test_nested_runs_stop_with_their_root(server: Server, outside: EffectCounter) -> None:
    outside.slow_s = 1.0
    inner = nesting(web_chain(outside.origin, 5, name="inner"), name="middle")
    graph = server.rest.add(nesting(inner))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(1)

    server.rest.stop(graph, run_id)

    assert server.rest.run(graph, run_id)["status"] == "TERMINATED"
    statuses = [row[0] for row in server.rows("SELECT status FROM executions")]
    assert statuses == ["TERMINATED"] * 3
    assert len(outside.effects) == 1


def test_a_queued_run_is_stopped_though_all_slots_are_taken(
    start_server: StartServer, outside: EffectCounter
) -> None:
    outside.slow_s = 2.0
    server = start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin, NUM_GRAPH_WORKERS="1")
    graph = server.rest.add(web_chain(outside.origin, 5))
    first = server.rest.start(graph, run="first")
    outside.wait_for(1)
    second = server.rest.start(graph, run="second")

    server.rest.stop(graph, second)

    assert server.rest.run(graph, second)["status"] == "TERMINATED"
    assert server.rest.run(graph, first)["status"] == "RUNNING"
    assert outside.of("second") == {}


def test_a_stop_holds_though_the_executor_is_killed(server: Server, outside: EffectCounter) -> None:
    outside.slow_s = 1.0
    graph = server.rest.add(nesting(web_chain(outside.origin, 5)))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(1)

    server.kill("ExecutionManager")
    server.rest.stop(graph, run_id)

    assert server.rest.run(graph, run_id)["status"] == "TERMINATED"
    server.wait_ready("ExecutionManager")
    assert_consistent(server)
    assert len(outside.effects) == 1

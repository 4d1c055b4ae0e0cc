"""Runs watched over a WebSocket, while what is between them and the watcher is killed."""

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Json, Server, Socket

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = 8


def sequences(events: list[Json]) -> list[int]:
    return [event["data"]["sequence"] for event in events]


def assert_tells_all(events: list[Json], run: Json) -> None:
    """The numbers grow, the run's end comes last, and each node's last state was told."""
    assert sequences(events) == sorted(set(sequences(events)))
    assert events[-1]["data"]["status"] == run["status"] == "COMPLETED"
    assert events[-1]["data"]["outputs"] == run["outputs"]
    told = {
        event["data"]["node_exec_id"]: event["data"]["status"]
        for event in events
        if event["method"] == "node_execution_event"
    }
    assert told == {node["node_exec_id"]: node["status"] for node in run["node_executions"]}


def test_a_run_is_told_on_its_own_channel_and_on_its_graphs(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    of_graph, of_run = Socket(server), Socket(server)
    of_graph.subscribe_graph(graph)

    run_id = server.rest.start(graph, run="r")
    of_run.subscribe(run_id, after=0)
    events = of_run.until_ended()
    others = of_graph.until_ended()

    run = server.rest.ended(graph, run_id)
    assert_tells_all(events, run)
    assert {event["method"] for event in others} == {"graph_execution_event"}
    assert sequences(others) == sorted(set(sequences(others)))
    assert {event["channel"] for event in events} == {f"{run['user_id']}|graph_exec#{run_id}"}
    of_graph.close()
    of_run.close()


def test_the_socket_outlives_the_executor_and_goes_on_without_gap_or_repeat(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    watcher = Socket(server)
    watcher.subscribe(run_id, after=0)
    outside.wait_for(STEPS // 2)

    server.kill("ExecutionManager")
    events = watcher.until_ended()

    assert_tells_all(events, server.rest.ended(graph, run_id))
    watcher.close()


def test_a_client_that_comes_back_to_a_new_websocket_server_gets_exactly_the_rest(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    first = Socket(server)
    first.subscribe(run_id, after=0)
    before = [first.asked_for() for _ in range(8)]

    server.kill("WebsocketServer")
    server.wait_ready("WebsocketServer")
    second = Socket(server)
    second.subscribe(run_id, after=sequences(before)[-1])
    after = second.until_ended()

    assert sequences(after)[0] > sequences(before)[-1]
    assert_tells_all([*before, *after], server.rest.ended(graph, run_id))
    first.close()
    second.close()

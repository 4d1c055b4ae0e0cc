"""Random graphs through the real server: every node does what the plain rules say.

Each is created, run and read over REST; some are watched over a WebSocket, too.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.harness import Json, Server, Socket, as_body, assert_consistent, serving
from tests.e2e.model_graphs import Case, Done, cases, expected

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all examples."""
    with serving(tmp_path_factory.mktemp("model") / "data") as made:
        yield made


def effort(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,  # a busy machine is no failure
        database=None,
        derandomize=not os.environ.get("HYPOTHESIS_SEARCH"),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def by_name(outputs: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, value in outputs:
        found.setdefault(name, []).append(value)
    return found


def told(done: Done) -> tuple[str, Json, dict[str, list[Any]]]:
    return done.status, done.inputs, by_name(done.outputs)


def shown(node: Json) -> tuple[str, Json, dict[str, list[Any]]]:
    return node["status"], node["input_data"], node["output_data"]


def outputs_of(case: Case, done: list[list[Done]]) -> dict[str, list[Any]]:
    """Return what the run gives out, by the names of its output blocks."""
    return {
        place.defaults["name"]: [one.inputs.get("value") for one in executions]
        for place, executions in zip(case.places, done, strict=True)
        if place.kind.block == "AgentOutputBlock" and executions
    }


def the_server_does_what_the_rules_say(server: Server, case: Case, *, watched: bool) -> None:
    saved = server.rest.post("/graphs", {"graph": as_body(case.graph())})
    run_id = server.rest.start(saved["id"], **case.inputs)
    events = watch(server, run_id) if watched else None

    run = server.rest.ended(saved["id"], run_id)

    done = expected(case)
    nodes: dict[str, list[Any]] = {node["id"]: [] for node in saved["nodes"]}
    for node in run["node_executions"]:
        nodes[node["node_id"]].append(shown(node))
    assert list(nodes.values()) == [[told(one) for one in executions] for executions in done]
    ended = [one for executions in done for one in executions if one.status != "INCOMPLETE"]
    assert run["status"] == "COMPLETED"
    assert run["outputs"] == outputs_of(case, done)
    assert run["stats"]["node_exec_count"] == len(ended)
    assert run["stats"]["node_error_count"] == sum(one.status == "FAILED" for one in ended)
    if events is not None:
        the_events_end_with(events, run)


def watch(server: Server, run_id: str) -> list[Json]:
    """Return all that is told of a run, from its first change."""
    watcher = Socket(server)
    try:
        watcher.subscribe(run_id, after=0)
        return watcher.until_ended()
    finally:
        watcher.close()


def the_events_end_with(events: list[Json], run: Json) -> None:
    sequences = [event["data"]["sequence"] for event in events]
    assert sequences == sorted(set(sequences))
    last = {
        event["data"]["node_exec_id"]: shown(event["data"])
        for event in events
        if event["method"] == "node_execution_event"
    }
    assert last == {node["node_exec_id"]: shown(node) for node in run["node_executions"]}
    end = events[-1]["data"]
    assert (end["status"], end["outputs"], end["stats"]) == (
        run["status"],
        run["outputs"],
        run["stats"],
    )


@effort(25)
@given(case=cases(), watched=st.booleans())
def test_any_graph_of_local_blocks_does_what_the_plain_rules_say(
    server: Server, case: Case, *, watched: bool
) -> None:
    the_server_does_what_the_rules_say(server, case, watched=watched)


@effort(10)
@given(case=cases().filter(lambda case: None not in case.inputs.values()))
def test_a_graph_does_the_same_inside_another(server: Server, case: Case) -> None:
    graph_id = server.rest.add(case.nested())

    run = server.rest.ended(graph_id, server.rest.start(graph_id, **case.inputs))

    done = expected(case)
    inside = sum(one.status != "INCOMPLETE" for executions in done for one in executions)
    outputs = outputs_of(case, done)
    outside = len(case.inputs) + 1 + sum(map(len, outputs.values()))
    assert run["status"] == "COMPLETED"
    assert run["outputs"] == outputs
    assert run["stats"]["node_exec_count"] == inside + outside


@pytest.mark.slow
@effort(300)
@given(case=cases(), watched=st.booleans())
def test_three_hundred_graphs_of_local_blocks_do_what_the_plain_rules_say(
    server: Server, case: Case, *, watched: bool
) -> None:
    the_server_does_what_the_rules_say(server, case, watched=watched)


def test_afterwards_the_database_is_consistent(server: Server) -> None:
    assert_consistent(server)

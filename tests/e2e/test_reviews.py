"""Runs of a whole server that wait for people, over kills and restarts, answered over REST."""

from typing import Any

import pytest

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing
from tests.e2e.conftest import StartServer
from tests.e2e.graphs import nesting
from tests.e2e.harness import Json, Server, Socket, assert_consistent, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SENSITIVE = {"sensitive_action_safe_mode": True}


def asking(*, name: str = "asking") -> Graph:
    """Return a graph that asks a person about its input ``run``, and goes on with the answer."""
    drawing = Drawing(name, "A person has to agree.")
    given = drawing.node("AgentInputBlock", name="run")
    ask = drawing.node("HumanInTheLoopBlock", name="Is this right?")
    text = drawing.node("FillTextTemplateBlock", format="{{ text }}!")
    output = drawing.node("AgentOutputBlock", name="answer")
    rejected = drawing.node("AgentOutputBlock", name="rejected")
    drawing.link(given, "result", ask, "data")
    drawing.link(ask, "approved_data", text, "values_#_text")
    drawing.link(text, "output", output, "value")
    drawing.link(ask, "rejected_data", rejected, "value")
    return drawing.graph()


def asking_for_each() -> Graph:
    """Return a graph that asks about each of its input ``items``."""
    drawing = Drawing("each", "A person has to agree to each.")
    given = drawing.node("AgentInputBlock", name="items")
    items = drawing.node("StepThroughItemsBlock")
    ask = drawing.node("HumanInTheLoopBlock", name="Is this right?")
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(given, "result", items, "items")
    drawing.link(items, "item", ask, "data")
    drawing.link(ask, "approved_data", output, "value")
    return drawing.graph()


def asking_until_three() -> Graph:
    """Return a loop that asks in each round whether to count on."""
    drawing = Drawing("loop", "A person has to agree again and again.")
    given = drawing.node("AgentInputBlock", name="run")
    ask = drawing.node("HumanInTheLoopBlock", name="One more?")
    add = drawing.node("CalculatorBlock", operation="Add", b=1)
    more = drawing.node("ConditionBlock", operator="<", value2=3)
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(given, "result", ask, "data")
    drawing.link(ask, "approved_data", add, "a")
    drawing.link(add, "result", more, "value1")
    drawing.link(more, "yes_output", ask, "data")
    drawing.link(more, "no_output", output, "value")
    return drawing.graph()


def printing() -> Graph:
    """Return a graph with a sensitive block."""
    drawing = Drawing("printing", "What it does must be looked at.")
    given = drawing.node("AgentInputBlock", name="run")
    does = drawing.node("PrintToConsoleBlock")
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(given, "result", does, "text")
    drawing.link(does, "output", output, "value")
    return drawing.graph()


def pending(server: Server, count: int = 1) -> list[Json]:
    """Wait until *count* questions are open, all of them of runs that wait; oldest first."""

    def found() -> list[Json] | None:
        reviews: list[Json] = server.rest.get("/review/pending")
        runs = {(one["graph_id"], one["graph_exec_id"]) for one in reviews}
        statuses = {server.rest.run(*run)["status"] for run in runs}
        return reviews[::-1] if len(reviews) == count and statuses == {"REVIEW"} else None

    return until(found, what=f"{count} open questions")


def decide(server: Server, *items: Json) -> Json:
    """Answer questions."""
    answered: Json = server.rest.post("/review/action", {"reviews": list(items)})
    return answered


def yes(review: Json, **more: Any) -> Json:
    return {"node_exec_id": review["node_exec_id"], "approved": True, **more}


def no(review: Json, message: str | None = None) -> Json:
    return {"node_exec_id": review["node_exec_id"], "approved": False, "message": message}


def set_for(server: Server, graph: str, settings: Json) -> None:
    response = server.rest.ask("PATCH", f"/graphs/{graph}/settings", settings)
    assert response.status_code == 200, response.text


def test_a_question_outlives_its_executor_and_the_whole_server(start_server: StartServer) -> None:
    server = start_server()
    graph = server.rest.add(asking())
    run_id = server.rest.start(graph, run="draft")
    [before] = pending(server)

    server.kill("ExecutionManager")
    server.wait_ready("ExecutionManager")
    server.kill_everything()
    server.start()
    [after] = server.rest.get(f"/review/execution/{run_id}")
    answered = decide(server, yes(after, reviewed_data="final", message="better"))
    run = server.rest.ended(graph, run_id)

    assert before == after
    assert (after["payload"], after["editable"], after["status"]) == ("draft", True, "WAITING")
    assert answered == {
        "approved_count": 1,
        "rejected_count": 0,
        "failed_count": 0,
        "error": None,
    }
    assert (run["status"], run["outputs"]) == ("COMPLETED", {"answer": ["final!"]})
    assert server.rest.get(f"/review/execution/{run_id}") == []
    assert_consistent(server)


def test_a_rejection_is_no_failure_and_partial_answers_change_nothing_yet(server: Server) -> None:
    graph = server.rest.add(asking())
    each = server.rest.add(asking_for_each())
    rejected = server.rest.start(graph, run="draft")
    [review] = pending(server)
    decide(server, no(review))
    items = server.rest.start(each, items=["a", "b", "c"])
    reviews = pending(server, 3)

    decide(server, yes(reviews[0]), no(reviews[1]))
    still = server.rest.run(each, items)["status"]
    left = server.rest.get(f"/review/execution/{items}")
    decide(server, yes(reviews[2]))

    run = server.rest.ended(graph, rejected)
    assert (run["status"], run["outputs"]) == ("COMPLETED", {"rejected": ["draft"]})
    assert (still, [one["node_exec_id"] for one in left]) == (
        "REVIEW",
        [reviews[2]["node_exec_id"]],
    )
    assert sorted(server.rest.ended(each, items)["outputs"]["answer"]) == sorted(
        one["payload"] for one in (reviews[0], reviews[2])
    )
    assert_consistent(server)


def test_a_node_of_a_loop_asks_no_more_once_all_its_future_is_approved(server: Server) -> None:
    graph = server.rest.add(asking_until_three())
    run_id = server.rest.start(graph, run=0)
    [first] = pending(server)
    decide(server, yes(first))
    [second] = pending(server)

    decide(server, yes(second, auto_approve_future=True))
    run = server.rest.ended(graph, run_id)

    assert (run["status"], run["outputs"]) == ("COMPLETED", {"answer": [3]})
    assert len(server.rows("SELECT 1 FROM reviews")) == 2


def test_a_sensitive_block_runs_as_a_person_has_decided(server: Server) -> None:
    graph = server.rest.add(printing())
    free = server.rest.ended(graph, server.rest.start(graph, run="x"))
    set_for(server, graph, SENSITIVE)
    edited = server.rest.start(graph, run="x")
    [review] = pending(server)
    decide(server, yes(review, reviewed_data={"text": "y"}))
    rejected = server.rest.start(graph, run="x")

    [second] = pending(server)
    decide(server, no(second, "too loud"))

    assert free["outputs"] == {"answer": ["x"]}
    assert review["payload"] == {"text": "x"}
    assert server.rest.ended(graph, edited)["outputs"] == {"answer": ["y"]}
    run = server.rest.ended(graph, rejected)
    [node] = [n for n in run["node_executions"] if n["node_exec_id"] == second["node_exec_id"]]
    assert (run["status"], node["status"]) == ("COMPLETED", "FAILED")
    [reason] = node["output_data"]["error"]
    assert "Block execution rejected by reviewer: too loud" in reason


def test_nobody_is_asked_with_the_safe_mode_off(server: Server) -> None:
    graph = server.rest.add(asking())
    set_for(server, graph, {"human_in_the_loop_safe_mode": False})

    run = server.rest.ended(graph, server.rest.start(graph, run="x"))

    assert run["outputs"] == {"answer": ["x!"]}
    assert server.rest.get("/review/pending") == []


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed in between"])
def test_a_nested_agent_waits_and_its_parent_goes_on_with_it(server: Server, killed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    graph = server.rest.add(nesting(asking(name="inner")))
    run_id = server.rest.start(graph, run="x")
    [review] = pending(server)
    waiting = server.rest.run(graph, run_id)["status"]

    if killed:
        server.kill("ExecutionManager")
    decide(server, yes(review, reviewed_data="y"))
    run = server.rest.ended(graph, run_id)

    assert (waiting, review["graph_exec_id"] != run_id) == ("RUNNING", True)
    assert (run["status"], run["outputs"]) == ("COMPLETED", {"answer": ["y!"]})
    assert_consistent(server)


def test_a_stop_of_a_run_that_waits_closes_its_questions_and_tells_its_watcher(
    server: Server,
) -> None:
    graph = server.rest.add(asking())
    run_id = server.rest.start(graph, run="x")
    watcher = Socket(server)
    watcher.subscribe(run_id, after=0)
    [review] = pending(server)

    # What lies between two looks into storage may be skipped: the stop must not come too soon.
    events = watcher.until_run_is("REVIEW")
    before = server.rest.stop(graph, run_id)
    events += watcher.until_ended()

    told = [event["data"]["status"] for event in events if "graph" in event["method"]]
    nodes = [event["data"]["status"] for event in events if "node" in event["method"]]
    assert before["status"] == "REVIEW"
    assert "REVIEW" in told
    assert "REVIEW" in nodes
    assert (told[-1], nodes[-1]) == ("TERMINATED", "TERMINATED")
    assert server.rest.get("/review/pending") == []
    rows = server.rows("SELECT node_exec_id, status, message FROM reviews")
    assert rows == [(review["node_exec_id"], "REJECTED", "Execution was stopped by user")]
    late = server.rest.ask("POST", "/review/action", {"reviews": [yes(review)]})
    assert late.status_code == 409
    assert_consistent(server)
    watcher.close()


def test_a_watcher_is_told_that_a_run_waits_and_goes_on(start_server: StartServer) -> None:
    server = start_server()
    graph = server.rest.add(asking())
    run_id = server.rest.start(graph, run="x")
    watcher = Socket(server)
    watcher.subscribe(run_id, after=0)
    [review] = pending(server)

    events = watcher.until_run_is("REVIEW")
    decide(server, yes(review))
    events += watcher.until_ended()

    told = [event["data"]["status"] for event in events if "graph" in event["method"]]
    in_order = list(dict.fromkeys(told))
    assert in_order.index("REVIEW") < in_order.index("COMPLETED")
    sequences = [event["data"]["sequence"] for event in events]
    assert sequences == sorted(set(sequences))
    watcher.close()

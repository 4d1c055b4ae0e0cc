"""Policies of nodes: what can be said, what is wrong, and when there is another try."""

from typing import Any

import pytest
from core_samples import TEXT, block, graph, node, pins
from core_stage import Run

from backend.core.block import Effect
from backend.core.catalog import Catalog
from backend.core.graph import Node
from backend.core.graph_check import check_graph
from backend.core.ids import BlockId, NodeId
from backend.core.policy import (
    DEFAULT,
    Failure,
    NodePolicy,
    OnError,
    UnknownOutcome,
    policy_of,
    problems,
)
from backend.core.restore import restore
from backend.core.status import Status
from backend.core.step import NodeEnded, NodeRetried, NodeStarted

READS = block("Reads", pins(a=TEXT), effect=Effect.READ)
ONCE = block("Once", pins(a=TEXT), effect=Effect.AT_MOST_ONCE)
PATIENT = block("Patient", pins(a=TEXT), effect=Effect.READ, retries=2)

FULL: dict[str, Any] = {
    "time_limit_s": 30,
    "retries": 3,
    "retry_on": ["timeout", "unknown"],
    "retry_wait_s": 0.5,
    "retry_wait_factor": 3,
    "retry_wait_most_s": 10,
    "on_error": "fail",
    "concurrency": 2,
    "unknown_outcome": "ask",
}


def test_all_that_can_be_said_is_read() -> None:
    assert problems({"policy": FULL}, READS) == {}
    assert policy_of({"policy": FULL}) == NodePolicy(
        time_limit_s=30.0,
        retries=3,
        retry_on=frozenset({Failure.TIMEOUT, Failure.UNKNOWN}),
        retry_wait_s=0.5,
        retry_wait_factor=3.0,
        retry_wait_most_s=10.0,
        on_error=OnError.FAIL,
        concurrency=2,
        unknown_outcome=UnknownOutcome.ASK,
    )


@pytest.mark.parametrize("metadata", [{}, {"policy": None}, {"policy": {}}, {"position": {"x": 1}}])
def test_who_says_nothing_has_the_default(metadata: dict[str, Any]) -> None:
    assert problems(metadata, READS) == {}
    assert policy_of(metadata) == DEFAULT


@pytest.mark.parametrize(
    ("policy", "field", "says"),
    [
        ([], "policy", "must be an object"),
        ("fail", "policy", "must be an object"),
        ({"timeout": 3}, "policy.timeout", "is no part of a policy; those are time_limit_s"),
        ({"time_limit_s": -1}, "policy.time_limit_s", "must be a number of seconds, 0 to 2678400"),
        ({"time_limit_s": "5"}, "policy.time_limit_s", "must be a number of seconds"),
        ({"time_limit_s": True}, "policy.time_limit_s", "must be a number of seconds"),
        ({"time_limit_s": float("nan")}, "policy.time_limit_s", "must be a number of seconds"),
        ({"time_limit_s": 1e30}, "policy.time_limit_s", "must be a number of seconds"),
        ({"retries": 1.5}, "policy.retries", "must be a whole number, 0 to 100"),
        ({"retries": -1}, "policy.retries", "must be a whole number, 0 to 100"),
        ({"retries": 101}, "policy.retries", "must be a whole number, 0 to 100"),
        ({"retries": True}, "policy.retries", "must be a whole number, 0 to 100"),
        ({"retry_on": "timeout"}, "policy.retry_on", "must be a list of these: timeout"),
        ({"retry_on": ["never"]}, "policy.retry_on", "must be a list of these: timeout"),
        ({"retry_on": [[]]}, "policy.retry_on", "must be a list of these: timeout"),
        ({"retry_wait_s": None}, "policy.retry_wait_s", "must be a number of seconds"),
        ({"retry_wait_factor": 0.5}, "policy.retry_wait_factor", "must be a number, 1 to 100"),
        ({"retry_wait_most_s": {}}, "policy.retry_wait_most_s", "must be a number of seconds"),
        ({"on_error": "ignore"}, "policy.on_error", "must be one of these: error_pin, continue"),
        ({"on_error": ["fail"]}, "policy.on_error", "must be one of these"),
        ({"concurrency": 0}, "policy.concurrency", "must be a whole number, 1 to 10000"),
        ({"unknown_outcome": 1}, "policy.unknown_outcome", "must be one of these: fail, ask"),
    ],
)
def test_what_cannot_be_used_is_told_by_field_and_the_default_holds(
    policy: Any, field: str, says: str
) -> None:
    found = problems({"policy": policy}, READS)

    assert list(found) == [field]
    assert found[field].startswith(says)
    assert policy_of({"policy": policy}) == DEFAULT


def test_all_problems_of_policies_stand_in_one_report() -> None:
    catalog = Catalog((READS, ONCE))
    wrong = {"policy": {"retries": -1, "on_error": 5}}
    made = graph(
        Node(id=NodeId("r"), block_id=BlockId("Reads"), metadata=wrong),
        Node(id=NodeId("o"), block_id=BlockId("Once"), metadata={"policy": {"retries": 1}}),
    )

    found = check_graph(made, catalog, for_run=False).nodes

    assert sorted(found["r"]) == ["policy.on_error", "policy.retries"]
    assert found["o"]["policy.retries"].startswith("Once must not be run twice")


@pytest.mark.parametrize(
    ("policy", "spec", "effect", "failed", "kind", "waits"),
    [
        (DEFAULT, READS, Effect.READ, 1, Failure.UNAVAILABLE, None),
        (NodePolicy(retries=1), READS, Effect.READ, 1, Failure.UNAVAILABLE, 1.0),
        (NodePolicy(retries=1), READS, Effect.READ, 1, Failure.TIMEOUT, 1.0),
        (NodePolicy(retries=1), READS, Effect.READ, 1, Failure.EXECUTION, None),
        (NodePolicy(retries=1), READS, Effect.READ, 2, Failure.TIMEOUT, None),
        (NodePolicy(retries=9), READS, Effect.KEYED, 4, Failure.TIMEOUT, 8.0),
        (NodePolicy(retries=99), READS, Effect.READ, 90, Failure.TIMEOUT, 60.0),
        (NodePolicy(retries=9), READS, Effect.AT_MOST_ONCE, 1, Failure.TIMEOUT, None),
        (DEFAULT, PATIENT, Effect.READ, 2, Failure.TIMEOUT, 2.0),
        (NodePolicy(retries=0), PATIENT, Effect.READ, 1, Failure.TIMEOUT, None),
    ],
)
def test_another_try_comes_when_the_policy_says_so_and_the_effect_allows_it(
    policy: NodePolicy,
    spec: Any,
    effect: Effect,
    failed: int,
    kind: Failure,
    waits: float | None,
) -> None:
    assert policy.wait_before_retry_s(spec, effect, failed=failed, kind=kind) == waits


def with_policy(made: Node, **policy: Any) -> Node:
    return Node(
        id=made.id,
        block_id=made.block_id,
        input_default=made.input_default,
        metadata={"policy": policy},
    )


def failing(**policy: Any) -> Run:
    """A node that fails, with a follower of its error and a node beside it."""
    return Run(
        with_policy(node("bad", "StoreValue", {"input": 1}), **policy),
        node("beside", "StoreValue", {"input": 2}),
        node("after", "StoreValue"),
        "bad.error>after.input",
        fails={"bad": "broken"},
        yields={"bad": []},
    )


def test_a_failure_goes_to_the_error_pin_unless_the_policy_says_otherwise() -> None:
    run = failing().finish()

    assert run.ended is Status.COMPLETED
    assert run.inputs_of("after") == [{"input": "broken"}]


def test_a_run_goes_on_without_an_error_output_where_the_policy_says_so() -> None:
    run = failing(on_error="continue").finish()

    assert run.ended is Status.COMPLETED
    assert (run.of("bad")[0].status, run.of("bad")[0].outputs) == (Status.FAILED, [])
    assert run.of("after") == []
    assert run.state.stats.node_error_count == 1


def test_a_run_fails_with_its_node_where_the_policy_says_so() -> None:
    run = failing(on_error="fail")
    run.start()
    bad, beside = run.of("bad")[0], run.of("beside")[0]

    run.send(NodeStarted(ordinal=bad.ordinal, at_us=2))
    run.send(NodeEnded(ordinal=bad.ordinal, at_us=2, error="broken"))

    assert run.cancelled == [beside]
    assert run.state.stats.error == "node StoreValue (#bad) failed: broken"
    assert run.state.stop_as is Status.FAILED


def test_a_run_that_fails_with_its_node_still_does_after_a_crash() -> None:
    run = failing(on_error="fail")
    run.start()
    bad = run.of("bad")[0]
    bad.advance(Status.RUNNING)
    bad.advance(Status.FAILED)
    bad.error = "broken"
    fresh = failing(on_error="fail")
    fresh.state.status = Status.RUNNING

    restore(fresh.state, run.rows.values())
    fresh.start()

    assert fresh.ended is Status.FAILED
    assert fresh.state.stats.error == "node StoreValue (#bad) failed: broken"


def test_a_try_that_failed_is_counted_and_the_node_works_on() -> None:
    run = failing()
    run.start()
    bad = run.of("bad")[0]
    run.send(NodeStarted(ordinal=bad.ordinal, at_us=2))
    before = bad.revision

    run.send(NodeRetried(ordinal=bad.ordinal, error="away", at_us=2))

    assert (bad.tries, bad.error, bad.outputs) == (1, "away", [])
    assert run.state.stats.node_error_count == 0
    assert bad.revision > before  # it is saved
    run.send(NodeEnded(ordinal=bad.ordinal, at_us=3))
    assert (bad.status, bad.error) == (Status.COMPLETED, None)


def test_a_node_works_as_often_at_once_as_its_policy_says_and_others_beside_it() -> None:
    run = Run(
        node("items", "FindInDictionary", {"input": {}, "key": "k"}),
        with_policy(node("one", "StoreValue"), concurrency=2),
        node("free", "StoreValue"),
        "items.output>one.input",
        "items.output>free.input",
        yields={"items": [("output", number) for number in range(4)]},
    )
    at_work: list[int] = []
    run.start()
    while run.ended is None:
        at_work.append(sum(one.node.id == "one" for one in run.working))
        run.work(run.working[-1])

    assert max(at_work) == 2
    assert [one.status for one in run.of("one")] == [Status.COMPLETED] * 4
    assert run.most == 2 + 4 + 1  # with the one that gives the items

"""Runs with a name: what the contract promises about joins, latches, errors, loops and limits."""

import pytest
from core_samples import node
from core_stage import Run

from backend.core import step as core
from backend.core.errors import BadRequest
from backend.core.ids import IdSeries
from backend.core.restore import restore
from backend.core.status import Status
from backend.core.step import (
    NodeCancelled,
    NodeEnded,
    NodeStarted,
    NodeYielded,
    RunBroken,
    StopAsked,
)


def test_the_sample_graph_runs_as_the_contract_says() -> None:
    run = Run(
        node("n0", "AgentInput", {"name": "input_1"}),
        node("n1", "AgentInput", {"name": "input_2", "description": "d"}),
        node("n2", "FillTextTemplate", {"format": "{{a}}, {{b}}{{c}}", "values_#_c": "!!!"}),
        node("n3", "StoreValue"),
        "!n0.result>n2.values_#_a",
        "!n1.result>n2.values_#_b",
        "n2.output>n3.input",
        inputs={"input_1": "Hello", "input_2": "World"},
    ).finish()

    assert run.ended is Status.COMPLETED
    assert run.statuses() == ["COMPLETED"] * 4
    assert run.of("n0")[0].outputs == [("result", "Hello")]
    assert run.inputs_of("n2") == [
        {
            "format": "{{a}}, {{b}}{{c}}",
            "values": {"a": "Hello", "b": "World", "c": "!!!"},
            "values_#_a": "Hello",
            "values_#_b": "World",
            "values_#_c": "!!!",
        }
    ]
    assert run.of("n2")[0].outputs == [("output", "Hello, World!!!")]
    assert run.inputs_of("n3") == [{"input": "Hello, World!!!"}]
    assert run.of("n3")[0].outputs == [("output", "Hello, World!!!")]
    assert [row.id for _, row in sorted(run.rows.items())] == [
        IdSeries("run")[ordinal] for ordinal in range(4)
    ]


@pytest.mark.parametrize("order", ["s1 s2 s3 s4", "s4 s1 s2 s3", "s1 s4 s2 s3"])
def test_a_static_value_serves_all_that_need_it_whenever_it_comes(order: str) -> None:
    run = Run(
        *(node(f"s{number}", "StoreValue", {"input": 4}) for number in (1, 2, 3)),
        node("s4", "StoreValue", {"input": 5}),
        node("s5", "StoreValue"),
        node("c", "Calculator", {"operation": "Add"}),
        *(f"s{number}.output>c.a" for number in (1, 2, 3)),
        "s4.output>s5.input",
        "!s5.output>c.b",
    ).start()

    for name in order.split():
        run.work(next(each for each in run.working if each.node.id == name))
        if name == "s4":
            run.work(next(each for each in run.working if each.node.id == "s5"))
    run.finish()

    assert run.statuses() == ["COMPLETED"] * 8
    assert [row.outputs for row in run.of("c")] == [[("result", 9.0)]] * 3


@pytest.mark.parametrize(
    ("seconds", "pairs", "left"),
    [((4, 5, 6), [(1, 4), (2, 5), (3, 6)], 0), ((4, 5), [(1, 4), (2, 5)], 1)],
)
def test_a_join_pairs_the_nth_with_the_nth(
    seconds: tuple[int, ...], pairs: list[tuple[int, int]], left: int
) -> None:
    run = Run(
        node("p", "StoreValue", {"input": 0}),
        node("q", "StoreValue", {"input": 0}),
        node("c", "Calculator", {"operation": "Add"}),
        "p.output>c.a",
        "q.output>c.b",
        yields={
            "p": [("output", value) for value in (1, 2, 3)],
            "q": [("output", value) for value in seconds],
        },
    ).finish()

    assert [(row["a"], row["b"]) for row in run.inputs_of("c")] == pairs
    assert run.statuses().count("INCOMPLETE") == left
    assert run.ended is Status.COMPLETED


def test_a_static_value_that_comes_late_is_taken_from_the_one_that_came() -> None:
    """Those that are released have static values of their own: they are not passed on."""
    run = Run(
        node("p", "StoreValue", {"input": 0}),
        node("q", "StoreValue", {"input": 0}),
        node("r", "StoreValue", {"input": 0}),
        node("c", "FillTextTemplate"),
        "p.output>c.format",
        "!q.output>c.values_#_a",
        "!r.output>c.values_#_b",
        yields={
            "p": [("output", value) for value in ("1", "2", "3")],
            "q": [("output", "a1"), ("output", "a2")],
            "r": [("output", "b1")],
        },
    ).finish()

    assert [row["values"] for row in run.inputs_of("c")] == [
        {"a": "a1", "b": "b1"},
        {"a": "a2", "b": "b1"},
        {"a": "a1", "b": "b1"},
    ]


def test_an_error_goes_to_the_error_pin_and_the_run_completes() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 1}),
        node("t", "StoreValue"),
        node("u", "StoreValue"),
        "s.error>t.input",
        "s.output>u.input",
        yields={"s": [("output", "first")]},
        fails={"s": "broken"},
    ).finish()

    assert run.of("s")[0].status is Status.FAILED
    assert run.of("s")[0].outputs == [("output", "first"), ("error", "broken")]
    assert run.inputs_of("t") == [{"input": "broken"}]
    assert run.inputs_of("u") == [{"input": "first"}]
    assert run.ended is Status.COMPLETED
    assert run.state.stats.node_error_count == 1
    assert run.state.stats.node_count == 3


def test_a_linked_pin_ignores_its_default() -> None:
    run = Run(
        node("s1", "StoreValue", {"input": {"key1": "value1", "key2": "value2"}}),
        node("s2", "StoreValue", {"input": "key2"}),
        node("f", "FindInDictionary", {"key": "", "input": {}}),
        "s1.output>f.input",
        "s2.output>f.key",
    ).finish()

    assert run.inputs_of("f") == [{"key": "key2", "input": {"key1": "value1", "key2": "value2"}}]
    assert len(run.rows) == 3


def test_null_on_a_required_pin_waits_for_ever_and_the_run_completes() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 1}),
        node("t", "StoreValue"),
        "s.output>t.input",
        yields={"s": [("output", None)]},
    ).finish()

    assert run.of("t")[0].status is Status.INCOMPLETE
    assert run.of("t")[0].received == {"input": None}
    assert run.ended is Status.COMPLETED


def test_an_input_that_can_never_fit_fails_where_everybody_sees_it() -> None:
    run = Run(
        node("s", "StoreValue", {"input": "Conquer"}),
        node("c", "Calculator", {"a": 1, "b": 2}),
        node("t", "StoreValue"),
        "s.output>c.operation",
        "c.error>t.input",
    ).finish()

    [refused] = run.of("c")
    assert refused.status is Status.FAILED
    assert "'Conquer' is not one of" in (refused.error or "")
    assert refused.input == {"operation": "Conquer"}
    assert run.inputs_of("t") == [{"input": refused.error}]
    assert run.ended is Status.COMPLETED
    assert run.state.stats.node_error_count == 1


def test_an_endless_loop_ends_as_a_failure_that_names_its_limit() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 1}),
        node("t", "StoreValue"),
        "s.output>t.input",
        "t.output>t.input",
        max_executions=50,
    ).finish()

    assert run.ended is Status.FAILED
    assert "limit of 50" in (run.state.stats.error or "")
    assert "MAX_NODE_EXECUTIONS_PER_RUN" in (run.state.stats.error or "")
    assert {"QUEUED", "RUNNING"}.isdisjoint(run.statuses())


@pytest.mark.parametrize("limit", [50, 1_000_000])
def test_a_refusal_that_feeds_itself_ends_as_a_failure_too(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes round within one step: no other event would ever end it."""
    monkeypatch.setattr(core, "MAX_REFUSALS", 200)
    run = Run(
        node("s", "StoreValue", {"input": "no"}),
        node("c", "Calculator", {"a": 1, "b": 2}),
        "s.output>c.operation",
        "c.error>c.operation",
        max_executions=limit,
    ).finish()

    assert run.ended is Status.FAILED
    assert len(run.rows) <= 203


def test_no_more_nodes_run_at_once_than_the_limit_says() -> None:
    nodes = [node(f"s{number}", "StoreValue", {"input": number}) for number in range(10)]

    run = Run(*nodes, parallel=3).finish()

    assert run.most == 3
    assert run.statuses() == ["COMPLETED"] * 10


def test_outputs_of_one_node_go_out_in_the_order_of_its_executions() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 0}),
        node("t", "StoreValue"),
        node("u", "StoreValue"),
        "s.output>t.input",
        "t.output>u.input",
        yields={"s": [("output", 1), ("output", 2)]},
    ).start()
    run.work(run.working[0])
    first, second = run.working

    run.work(second)
    assert run.of("u") == []
    run.work(first)
    run.finish()

    assert run.inputs_of("u") == [{"input": 1}, {"input": 2}]


def test_outputs_of_the_run_are_what_its_output_blocks_were_given() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 0}),
        node("o", "AgentOutput", {"name": "out", "format": "{{out}}"}),
        "s.output>o.value",
        yields={"s": [("output", 1), ("output", None), ("output", 3)]},
    ).finish()

    assert run.state.outputs == {"out": [1, None, 3]}


def test_a_skipped_node_neither_starts_nor_collects() -> None:
    run = Run(
        node("s", "StoreValue", {"input": 1}),
        node("t", "StoreValue"),
        node("x", "StoreValue", {"input": 2}),
        "s.output>t.input",
        "x.output>t.data",
        skipped=frozenset({"t", "x"}),
    ).finish()

    assert [row.node.id for row in run.rows.values()] == ["s"]
    assert run.ended is Status.COMPLETED


def test_a_stop_cancels_what_runs_and_ends_what_waits() -> None:
    run = Run(
        *(node(f"s{number}", "StoreValue", {"input": 1}) for number in range(3)), parallel=2
    ).start()
    first, second = run.working
    run.send(NodeStarted(ordinal=first.ordinal, at_us=run.tick()))

    run.send(StopAsked(at_us=run.tick()))
    assert run.cancelled == [first, second]
    assert not run.ended
    run.send(NodeYielded(ordinal=first.ordinal, name="output", value=1, at_us=run.tick()))
    run.send(NodeCancelled(ordinal=first.ordinal, at_us=run.tick()))
    run.send(NodeCancelled(ordinal=second.ordinal, at_us=run.tick()))

    assert run.ended is Status.TERMINATED
    assert run.statuses() == ["TERMINATED"] * 3
    assert first.outputs == []


def test_a_stop_before_the_start_ends_the_run() -> None:
    run = Run(node("s", "StoreValue", {"input": 1})).send(StopAsked(at_us=1))

    assert run.ended is Status.TERMINATED
    assert run.rows == {}


def test_a_broken_run_fails_with_its_reason() -> None:
    run = Run(node("s", "StoreValue", {"input": 1})).start()

    run.send(RunBroken(error="disk full", at_us=run.tick()))
    run.send(NodeCancelled(ordinal=0, at_us=run.tick()))

    assert run.ended is Status.FAILED
    assert run.state.stats.error == "disk full"


def test_a_run_that_cannot_start_is_left_as_it_was() -> None:
    run = Run(node("c", "Calculator"))

    with pytest.raises(BadRequest):
        run.start()

    assert run.state.status is Status.QUEUED
    assert run.rows == {}


def test_events_about_what_is_over_change_nothing() -> None:
    run = Run(node("s", "StoreValue", {"input": 1})).finish()
    revision = run.rows[0].revision

    for event in (
        NodeYielded(ordinal=0, name="output", value=2, at_us=9),
        NodeEnded(ordinal=0, at_us=9),
        NodeCancelled(ordinal=7, at_us=9),
        StopAsked(at_us=9),
    ):
        run.send(event)

    assert run.rows[0].revision == revision
    assert run.ended is Status.COMPLETED


def test_after_a_crash_a_latch_still_holds_its_value() -> None:
    parts = (
        node("p", "StoreValue", {"input": 0}),
        node("q", "StoreValue", {"input": 0}),
        node("c", "Calculator", {"operation": "Add"}),
        "p.output>c.a",
        "!q.output>c.b",
    )
    before = Run(*parts, yields={"p": [("output", 1), ("output", 2)]}).start()
    streaming, latched = before.working
    before.work(latched)
    before.send(NodeStarted(ordinal=streaming.ordinal, at_us=before.tick()))
    before.send(NodeYielded(ordinal=streaming.ordinal, name="output", value=1, at_us=before.tick()))

    after = Run(*parts)
    after.state.status = Status.RUNNING
    interrupted = restore(after.state, before.rows.values())
    after.rows = dict(before.rows)
    after.start()
    after.send(NodeYielded(ordinal=streaming.ordinal, name="output", value=2, at_us=after.tick()))

    assert interrupted == [streaming]
    assert [(row["a"], row["b"]) for row in after.inputs_of("c")] == [(1.0, 0), (2.0, 0)]

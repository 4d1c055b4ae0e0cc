"""The checker believes a true history, and reports each lie in a false one."""

from dataclasses import replace

import pytest

from backend.selfcheck.checker import check
from backend.selfcheck.history import Answer, Call, History
from backend.selfcheck.plan import Kind
from backend.selfcheck.rules import Rule, may_become
from tests.unit.selfcheck.histories import (
    CHAIN,
    END,
    KILL,
    ONCE,
    PLANS,
    SECOND,
    STREAM,
    broken,
    id_of,
    node,
    plan,
    row,
    true_history,
    with_calls,
    with_node,
    with_run,
)

UNKNOWN = replace(node(ONCE), status="FAILED", error="UnknownOutcome: nobody knows")


def call(number: int, step: str, at_us: int, key: str | None = None) -> Call:
    name = PLANS[number].name
    return Call(run=name, step=step, key=key or f"{name} {step}", at_us=at_us)


def test_a_true_history_breaks_no_rule() -> None:
    assert check(true_history()) == []


def test_a_call_that_was_under_way_at_a_kill_may_come_again() -> None:
    [*calls] = [
        replace(one, at_us=39 * SECOND) if one.step == "3" else one for one in true_history().calls
    ]

    again = with_calls(replace(true_history(), calls=calls), call(0, "3", 42 * SECOND))

    assert check(again) == []


def test_a_call_that_must_happen_at_most_once_may_have_an_unknown_outcome() -> None:
    history = with_node(true_history(), UNKNOWN)
    answers = {**history.answers, ONCE: replace(history.answers[ONCE], outputs={})}

    assert check(replace(history, answers=answers)) == []


def test_a_run_that_was_told_to_stop_may_have_given_a_part() -> None:
    stopped = plan(2, Kind.STREAM, stop_after_s=0.1)
    history = with_run(true_history(), row(stopped, "TERMINATED"))
    part = {"answer": history.answers[STREAM].outputs["answer"][:3]}
    answer = Answer(http_status=200, status="TERMINATED", outputs=part)

    history = replace(
        history,
        plans={**history.plans, stopped.name: stopped},
        answers={**history.answers, STREAM: answer},
    )

    assert check(history) == []


def lost() -> History:
    history = true_history()
    runs = {key: one for key, one in history.runs.items() if key != STREAM}
    return replace(history, runs=runs, seen_runs={})


def lost_after_it_was_seen() -> History:
    history = true_history()
    runs = {key: one for key, one in history.runs.items() if key != STREAM}
    return replace(
        history,
        runs=runs,
        accepted=history.accepted[:2],
        answers={key: one for key, one in history.answers.items() if key != STREAM},
    )


def hidden_from_rest() -> History:
    history = true_history()
    gone = Answer(http_status=404, status="", outputs={})
    return replace(history, answers={**history.answers, STREAM: gone})


def resurrected() -> History:
    history = true_history()
    seen = [row(PLANS[2]), row(PLANS[2], "RUNNING"), row(PLANS[2])]
    return replace(history, seen_runs={**history.seen_runs, STREAM: seen})


def set_back() -> History:
    history = true_history()
    seen = [replace(row(PLANS[2], "RUNNING"), revision=99)]
    return replace(history, seen_runs={**history.seen_runs, STREAM: seen})


def ended_twice() -> History:
    history = true_history()
    seen = [replace(row(PLANS[2]), ended_us=END - 1)]
    return replace(history, seen_runs={**history.seen_runs, STREAM: seen})


def other_outputs() -> History:
    history = true_history()
    outputs = {"answer": history.answers[STREAM].outputs["answer"][1:]}
    changed = replace(history.answers[STREAM], outputs=outputs)
    return replace(history, answers={**history.answers, STREAM: changed})


def outputs_in_another_order() -> History:
    history = true_history()
    outputs = {"answer": history.answers[STREAM].outputs["answer"][::-1]}
    changed = replace(history.answers[STREAM], outputs=outputs)
    return replace(history, answers={**history.answers, STREAM: changed})


def done_again() -> History:
    history = true_history()
    seen = replace(node(STREAM), outputs='[["result",2]]', end_us=45 * SECOND)
    return replace(history, seen_nodes={**history.seen_nodes, seen.place: seen})


def done_in_another_execution() -> History:
    history = true_history()
    seen = replace(node(STREAM), id="another")
    return replace(history, seen_nodes={**history.seen_nodes, seen.place: seen})


def finished_step_called_again() -> History:
    """A kill explains the repeat, but the step after it had begun."""
    return with_calls(true_history(), call(0, "0", 42 * SECOND))


FALSE = {
    "a lost run": (lost, (Rule.LOST, STREAM)),
    "a run that was seen, and is lost": (lost_after_it_was_seen, (Rule.LOST, STREAM)),
    "a run that REST does not find": (hidden_from_rest, (Rule.LOST, STREAM)),
    "a run that has not ended": (
        lambda: with_run(true_history(), row(PLANS[2], "RUNNING")),
        (Rule.LOST, STREAM),
    ),
    "an end that was none": (resurrected, (Rule.STATUS, STREAM)),
    "a revision that falls": (set_back, (Rule.STATUS, STREAM)),
    "a run that ends twice": (ended_twice, (Rule.STATUS, STREAM)),
    "a status that does not exist": (
        lambda: with_run(true_history(), row(PLANS[2], "BROKEN")),
        (Rule.LOST, STREAM),
    ),
    "a run that fails": (
        lambda: with_run(true_history(), row(PLANS[2], "FAILED")),
        (Rule.OUTCOME, STREAM),
    ),
    "a run that is stopped by nobody": (
        lambda: with_run(true_history(), row(PLANS[2], "TERMINATED")),
        (Rule.OUTCOME, STREAM),
    ),
    "an output that is missing": (other_outputs, (Rule.OUTCOME, STREAM)),
    "outputs in another order": (outputs_in_another_order, (Rule.OUTCOME, STREAM)),
    "a node that fails": (
        lambda: with_node(true_history(), replace(node(STREAM), status="FAILED", error="no")),
        (Rule.OUTCOME, STREAM),
    ),
    "a node that was done again": (done_again, (Rule.REDONE, STREAM)),
    "a node execution of another id": (done_in_another_execution, (Rule.REDONE, STREAM)),
    "a finished step called again": (finished_step_called_again, (Rule.REDONE, CHAIN)),
    "a call repeated for no kill": (
        lambda: with_calls(true_history(), call(0, "3", 30 * SECOND)),
        (Rule.REPEATED, CHAIN),
    ),
    "a call repeated twice for one kill": (
        lambda: with_calls(true_history(), call(0, "3", 42 * SECOND), call(0, "3", 43 * SECOND)),
        (Rule.REPEATED, CHAIN),
    ),
    "a call repeated with another key": (
        lambda: with_calls(true_history(), call(0, "3", 42 * SECOND, key="another")),
        (Rule.KEYS, CHAIN),
    ),
    "two steps with one key": (
        lambda: replace(
            true_history(),
            calls=[replace(one, key="one") for one in true_history().calls],
        ),
        (Rule.KEYS, CHAIN),
    ),
    "at most once, twice": (
        lambda: with_calls(true_history(), call(1, "second", 42 * SECOND)),
        (Rule.ONCE, ONCE),
    ),
    "an unknown outcome for no kill": (
        lambda: with_node(replace(true_history(), interruptions=[]), UNKNOWN),
        (Rule.ONCE, ONCE),
    ),
    "a call that was not made": (
        lambda: replace(true_history(), calls=true_history().calls[1:]),
        (Rule.CALLS, CHAIN),
    ),
    "a call of no step": (
        lambda: with_calls(true_history(), call(2, "0", SECOND)),
        (Rule.CALLS, STREAM),
    ),
    "a call after the end": (
        lambda: with_calls(true_history(), call(0, "3", END + 2 * SECOND)),
        (Rule.CALLS, CHAIN),
    ),
    "a broken rule of the doctor": (
        lambda: replace(true_history(), broken=["a rule"]),
        (Rule.DOCTOR, ""),
    ),
    "an error that a service has noted": (
        lambda: replace(true_history(), defects=["run_stuck"]),
        (Rule.DEFECTS, ""),
    ),
    "a process that is left": (
        lambda: replace(true_history(), left=["process 7 still runs"]),
        (Rule.LEFT, ""),
    ),
    "a server that ends by itself": (
        lambda: replace(true_history(), surprises=["it ended"]),
        (Rule.SERVER, ""),
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_history_is_reported(name: str) -> None:
    make, wanted = FALSE[name]

    assert wanted in broken(make())


def test_only_what_is_false_is_reported() -> None:
    """Or a test could pass because the checker reports everything."""
    found = {name: {rule for rule, _ in broken(make())} for name, (make, _) in FALSE.items()}

    assert found["a node that was done again"] == {Rule.REDONE}
    assert found["at most once, twice"] == {Rule.ONCE}
    assert found["a process that is left"] == {Rule.LEFT}
    assert found["an output that is missing"] == {Rule.OUTCOME}
    assert found["a call repeated with another key"] == {Rule.KEYS}


def test_a_second_run_of_one_start_is_reported() -> None:
    history = true_history()
    second = replace(row(PLANS[2]), id="another")

    found = broken(
        replace(
            history,
            runs={**history.runs, second.id: second},
            answers={**history.answers, second.id: history.answers[STREAM]},
        )
    )

    assert found == {(Rule.OUTCOME, "")}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"committed": False}, "before it was committed"),
        ({"sequence": 2}, "came after"),
        ({"status": "RUNNING"}, "was told to be RUNNING"),
    ],
)
def test_a_false_event_is_reported(changes: dict[str, object], what: str) -> None:
    history = true_history()
    first, *others, last = history.told

    found = check(replace(history, told=[first, *others, replace(last, **changes)]))  # type: ignore[arg-type] # fields of it

    assert {one.rule for one in found} == {Rule.EVENTS}
    assert any(what in one.detail for one in found)


def test_a_change_that_nobody_was_told_is_reported() -> None:
    history = true_history()

    found = check(replace(history, told=history.told[1:]))

    assert [(one.rule, one.run) for one in found] == [(Rule.EVENTS, CHAIN)]
    assert "was told to be nothing" in found[0].detail


def test_two_rows_with_one_number_are_reported() -> None:
    history = with_node(true_history(), replace(node(CHAIN, 1), revision=2))

    assert broken(history) == {(Rule.EVENTS, CHAIN)}


@pytest.mark.parametrize(
    ("now", "later", "may"),
    [
        ("QUEUED", "COMPLETED", True),
        ("REVIEW", "QUEUED", True),
        ("RUNNING", "INCOMPLETE", False),
        ("COMPLETED", "RUNNING", False),
        ("TERMINATED", "QUEUED", False),
        ("NONSENSE", "RUNNING", False),
    ],
)
def test_what_may_be_seen_after_a_status(now: str, later: str, *, may: bool) -> None:
    assert may_become(now, later) is may


def test_the_kill_of_the_true_history_explains_something() -> None:
    """Were it not within the run, no repeat of these tests could be explained."""
    assert SECOND < KILL.begin_us < KILL.end_us < END
    assert {id_of(one) for one in PLANS} == {CHAIN, ONCE, STREAM}


def test_a_kill_of_another_executor_explains_no_repetition() -> None:
    history = replace(true_history(), interruptions=[replace(KILL, owners=frozenset({"a"}))])
    [*calls] = [
        replace(one, at_us=39 * SECOND) if one.step == "3" else one for one in history.calls
    ]
    again = with_calls(replace(history, calls=calls), call(0, "3", 42 * SECOND))

    def had_by(owner: str) -> History:
        return with_run(again, replace(row(PLANS[0]), owner=owner))

    assert broken(had_by("a")) == set()
    assert broken(had_by("b")) == {(Rule.REPEATED, CHAIN)}


def test_no_more_calls_than_attempts() -> None:
    [*calls] = [
        replace(one, at_us=39 * SECOND) if one.step == "3" else one for one in true_history().calls
    ]
    again = with_calls(replace(true_history(), calls=calls), call(0, "3", 42 * SECOND))

    assert broken(with_run(again, replace(row(PLANS[0]), attempt=1))) == {(Rule.REPEATED, CHAIN)}


def test_an_executor_that_wakes_may_make_the_call_it_was_about_to_make() -> None:
    frozen = replace(KILL, end_us=60 * SECOND, woke=True)
    [*calls] = [
        replace(one, at_us=(41 if one.step == "0" else 50 + int(one.step)) * SECOND)
        if one.run == "run-0" else one
        for one in true_history().calls
    ]  # fmt: skip
    late = with_calls(
        replace(true_history(), calls=calls, interruptions=[frozen]), call(0, "0", 61 * SECOND)
    )

    assert broken(late) == set()
    asleep = replace(frozen, woke=False)
    assert broken(replace(late, interruptions=[asleep])) == {(Rule.REDONE, CHAIN)}


def test_a_run_changes_hands_only_with_a_new_attempt() -> None:
    history = true_history()
    seen = [replace(row(PLANS[0], "RUNNING"), owner="a"), replace(row(PLANS[0]), owner="b")]
    runs = {**history.runs, CHAIN: seen[1]}
    changed = replace(history, runs=runs, seen_runs={CHAIN: seen})

    assert broken(changed) == {(Rule.STATUS, CHAIN)}
    first = replace(seen[0], attempt=1)
    assert broken(replace(changed, seen_runs={CHAIN: [first, seen[1]]})) == set()

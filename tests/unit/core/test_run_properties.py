"""Any graph, in any order, crashed anywhere: the core does what the plain rules say."""

import os
from random import Random
from typing import Any

import pytest
from core_cases import Behaviour, Case
from core_runs import Driver
from core_samples import graph, link
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.core.graph import Link, Node
from backend.core.ids import BlockId, NodeId
from backend.core.status import Status

FAST, ALL = 200, 2_000

TOOL = "tool"
SINKS = ("a", "b", "pick", "b_#_k")
SOURCES = ("x", "x", "x", "y", "error", "x_#_k")


def effort(examples: int, *, fresh: bool = False) -> settings:
    """
    Return how much is tried.

    Args:
        fresh: Others each time, and a failure prints how it is had again.
    """
    return settings(
        max_examples=examples,
        print_blob=fresh,
        deadline=None,  # a busy machine is no failure
        database=None,
        derandomize=not (fresh or os.environ.get("HYPOTHESIS_SEARCH")),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@st.composite
def cases(draw: st.DrawFn, *, orderly: bool = False) -> Case:
    """
    Draw a run.

    Args:
        orderly: Only graphs whose result cannot depend on the order: no circles, no static links,
            one link into each pin.
    """
    names = [f"n{number}" for number in range(draw(st.integers(2, 6)))]
    links: list[Link] = []
    # Where the order must not matter, only the first node calls, and nothing else calls its tool.
    tools = [TOOL] if orderly and draw(st.booleans()) else []
    # The first node starts the run: nothing leads into it.
    for sink in range(1, len(names)):
        for pin in draw(st.lists(st.sampled_from(SINKS), min_size=1, max_size=3, unique=True)):
            for _ in range(1 if orderly else draw(st.sampled_from((1, 1, 2)))):
                backwards = not orderly and draw(st.integers(0, 4)) == 0
                sources = [*names[: len(names) if backwards else sink], *tools]
                text = f"{draw(st.sampled_from(sources))}.{draw(st.sampled_from(SOURCES))}>{names[sink]}.{pin}"
                is_static = not orderly and draw(st.integers(0, 3)) == 0
                links.append(link(text, static=is_static))
    links += [link(f"{names[0]}.tools>{TOOL}.b") for _ in tools]
    links += [] if orderly else _tool_links(draw, names)
    names[1:1] = tools
    nodes = [
        Node(
            id=NodeId(name),
            block_id=BlockId(draw(st.sampled_from(("Work", "Work", "Work", "Out")))),
            input_default=draw(st.sampled_from(({"a": 1}, {"a": 1, "b": {"k": 2}, "name": "o"}))),
            metadata=_metadata(draw, orderly=orderly),
        )
        for name in names
    ]
    behaviours = {
        name: Behaviour(
            values=draw(st.sampled_from((0, 1, 2, 2, 3, 5))),
            kind=draw(st.sampled_from(("number", "number", "nothing", "object"))),
            fails=draw(st.booleans()),
            asks=0 if orderly else draw(st.sampled_from((0, 0, 0, 1, 2, 2))),
            calls=draw(st.sampled_from((0, 1, 1, 2, 3))),
        )
        for name in names
    }
    masked = draw(st.integers(0, 9))
    return Case(
        graph=graph(*nodes, *links),
        behaviours=behaviours,
        masks={names[-1]: {"b": 5}} if masked == 0 else {},
        skipped=frozenset({names[-1]} if masked == 1 else ()),
        parallel=draw(st.sampled_from((1, 2, 3, 100))),
        limit=10_000 if orderly else 40,
    )


def _tool_links(draw: st.DrawFn, names: list[str]) -> list[Link]:
    """Let nodes call others."""
    links: list[Link] = []
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        caller, tool = draw(st.permutations(names))[:2]
        found = draw(st.lists(st.sampled_from(SINKS), min_size=1, max_size=2, unique=True))
        if tool != names[0]:  # nothing leads into the first one
            links += [link(f"{caller}.tools>{tool}.{pin}") for pin in found]
    return links


def _metadata(draw: st.DrawFn, *, orderly: bool) -> dict[str, Any]:
    policy: dict[str, Any] = {}
    if concurrency := draw(st.sampled_from((0, 0, 1, 2))):
        policy["concurrency"] = concurrency
    if on_error := draw(st.sampled_from((None, None, None, "continue", "fail"))):
        # When a run ends with its first failure, what else it had done depends on the order.
        policy["on_error"] = "continue" if orderly else on_error
    return {"policy": policy} if policy else {}


seeds = st.integers(0, 2**32 - 1)


def chooser(seed: int) -> Random:
    return Random(seed)


def the_core_follows_the_model(case: Case, seed: int) -> None:
    """Commits and crashes fall anywhere; after each the core is where the model is."""
    random = chooser(seed)
    driver = Driver(case, random.randrange)
    crashes = random.choice((0.0, 0.05, 0.2))
    driver.start()

    while driver.ended is None:
        if random.random() < crashes:
            driver.crash()
            continue
        driver.advance()
        if random.random() < 0.3:
            driver.commit()
            driver.compare()
    driver.commit()

    driver.compare()
    assert driver.most_at_once <= case.parallel
    statuses = {row["status"] for row in driver.rows.values()}
    if driver.ended is Status.COMPLETED:
        assert statuses <= {"COMPLETED", "FAILED", "INCOMPLETE"}
        assert not driver.run.ready
        assert not driver.run.running
    else:
        assert driver.ended is Status.FAILED
        told = driver.run.stats.error or ""
        assert "MAX_NODE_EXECUTIONS_PER_RUN" in told or (driver.model.fails and "failed: " in told)


def the_order_does_not_matter(case: Case, first: int, second: int) -> None:
    results = []
    for seed in (first, second):
        driver = Driver(case, chooser(seed).randrange)
        driver.start()
        driver.finish()
        results.append(driver.by_node())

    assert results[0] == results[1]


def a_crash_changes_nothing(case: Case, first: int, second: int) -> None:
    plain = Driver(case, chooser(first).randrange)
    plain.start()
    plain.finish()
    random = chooser(second)
    crashed = Driver(case, random.randrange)
    crashed.start()
    for _ in range(200):
        if crashed.ended is None:
            crashed.advance()
            if random.random() < 0.5:
                crashed.commit()
        if crashed.ended is None and random.random() < 0.2:
            crashed.crash()
    crashed.finish()

    assert plain.by_node() == crashed.by_node()


def a_stop_ends_it(case: Case, seed: int, after: int) -> None:
    driver = Driver(case, chooser(seed).randrange)
    driver.start()
    for _ in range(after):
        if driver.ended is None:
            driver.advance()
    was_over = driver.ended
    if was_over is None and not driver.run.stop_as:
        driver.stop()
        expected = Status.TERMINATED
    else:
        expected = was_over or Status.FAILED
    driver.finish()

    driver.compare()
    assert driver.ended is expected
    assert {"QUEUED", "RUNNING"}.isdisjoint(row["status"] for row in driver.rows.values())


@pytest.mark.slow
@effort(FAST)
@given(case=cases(), seed=seeds)
def test_the_core_does_what_the_plain_rules_say(case: Case, seed: int) -> None:
    the_core_follows_the_model(case, seed)


@pytest.mark.slow
@effort(FAST)
@given(case=cases(orderly=True), first=seeds, second=seeds)
def test_the_order_in_which_nodes_work_does_not_matter(case: Case, first: int, second: int) -> None:
    the_order_does_not_matter(case, first, second)


@pytest.mark.slow
@effort(FAST)
@given(case=cases(orderly=True), first=seeds, second=seeds)
def test_a_run_that_crashed_ends_like_one_that_did_not(case: Case, first: int, second: int) -> None:
    a_crash_changes_nothing(case, first, second)


@pytest.mark.slow
@effort(FAST)
@given(case=cases(), seed=seeds, after=st.integers(0, 60))
def test_a_stop_ends_any_run_at_any_point(case: Case, seed: int, after: int) -> None:
    a_stop_ends_it(case, seed, after)


@pytest.mark.slow
@effort(ALL)
@given(case=cases(), seed=seeds)
def test_two_thousand_runs_follow_the_plain_rules(case: Case, seed: int) -> None:
    the_core_follows_the_model(case, seed)


@pytest.mark.slow
@effort(500)
@given(case=cases(orderly=True), first=seeds, second=seeds)
def test_five_hundred_runs_do_not_depend_on_order_or_crashes(
    case: Case, first: int, second: int
) -> None:
    the_order_does_not_matter(case, first, second)
    a_crash_changes_nothing(case, first, second)


@pytest.mark.slow
@effort(500)
@given(case=cases(), seed=seeds, after=st.integers(0, 100))
def test_five_hundred_runs_can_be_stopped(case: Case, seed: int, after: int) -> None:
    a_stop_ends_it(case, seed, after)


@pytest.mark.chaos
@effort(100_000, fresh=True)
@given(case=cases(), seed=seeds)
def test_a_hundred_thousand_runs_follow_the_plain_rules(case: Case, seed: int) -> None:
    the_core_follows_the_model(case, seed)


@pytest.mark.chaos
@effort(20_000, fresh=True)
@given(case=cases(orderly=True), first=seeds, second=seeds)
def test_twenty_thousand_runs_do_not_depend_on_order_or_crashes(
    case: Case, first: int, second: int
) -> None:
    the_order_does_not_matter(case, first, second)
    a_crash_changes_nothing(case, first, second)


@pytest.mark.chaos
@effort(20_000, fresh=True)
@given(case=cases(), seed=seeds, after=st.integers(0, 100))
def test_twenty_thousand_runs_can_be_stopped(case: Case, seed: int, after: int) -> None:
    a_stop_ends_it(case, seed, after)

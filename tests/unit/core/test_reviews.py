"""Nodes that wait for people: what a pause does to a run, and what an answer does."""

import pytest
from core_cases import Behaviour, Case
from core_runs import Driver
from core_samples import graph, link
from hypothesis import given
from hypothesis import strategies as st

from backend.core.graph import Node
from backend.core.ids import BlockId, NodeId
from backend.core.json import Json
from backend.core.reviews import same
from backend.core.status import Status


def case(asks: str, *links: str, **values: int) -> Case:
    """Return a run of nodes; those in *asks* ask, and *values* says how many each yields."""
    names = sorted({end.split(".")[0] for one in links for end in one.split(">")})
    nodes = [
        Node(id=NodeId(name), block_id=BlockId("Work"), input_default={"a": 1}) for name in names
    ]
    return Case(
        graph=graph(*nodes, *(link(one) for one in links)),
        behaviours={
            name: Behaviour(values=values.get(name, 1), asks=int(name in asks)) for name in names
        },
    )


def statuses(driver: Driver) -> dict[str, list[str]]:
    driver.commit()
    found: dict[str, list[str]] = {}
    for row in driver.rows.values():
        found.setdefault(row["node_id"], []).append(row["status"])
    return found


def until_paused(made: Case) -> Driver:
    driver = Driver(made, lambda _: 0)
    driver.start()
    while not driver.paused:
        driver.advance()
    return driver


def test_a_run_waits_when_nothing_else_is_left_to_do() -> None:
    driver = until_paused(case("b", "a.x>b.a", "a.x>c.a"))

    assert driver.run.status is Status.REVIEW
    assert statuses(driver) == {"a": ["COMPLETED"], "b": ["REVIEW"], "c": ["COMPLETED"]}
    assert driver.run.ended_us is None


def test_an_answered_run_goes_on_where_it_was_and_starts_nothing_again() -> None:
    driver = until_paused(case("b", "a.x>b.a", "b.x>c.a"))

    driver.finish()

    assert driver.ended is Status.COMPLETED
    assert statuses(driver) == {"a": ["COMPLETED"], "b": ["COMPLETED"], "c": ["COMPLETED"]}
    assert driver.run.stats.node_count == 3


def test_the_time_for_which_a_run_waits_is_not_its_duration() -> None:
    driver = until_paused(case("b", "a.x>b.a"))
    before = driver.run.stats.duration_s
    driver.now_us += 3_600_000_000

    driver.finish()

    assert 0 < before < driver.run.stats.duration_s < 1


def test_what_comes_after_a_paused_execution_does_not_wait_for_it() -> None:
    """The first of two executions of b asks; what the second yields goes on to c at once."""
    made = case("b", "a.x>b.a", "b.x>c.a", a=2)
    driver = Driver(made, lambda _: 0)
    driver.start()
    while [work.execution.node.id for work in driver.work] != ["b", "b"]:
        driver.advance()
    first, second = driver.work
    second.asks = False
    while not driver.paused:
        driver.advance()

    assert statuses(driver) == {
        "a": ["COMPLETED"],
        "b": ["REVIEW", "COMPLETED"],
        "c": ["COMPLETED"],
    }
    driver.finish()
    assert first.execution.id in driver.decided
    assert statuses(driver)["c"] == ["COMPLETED", "COMPLETED"]


def test_what_waited_in_line_behind_an_execution_goes_on_when_that_one_asks() -> None:
    made = case("b", "a.x>b.a", "b.x>c.a", a=2)
    driver = Driver(made, lambda _: 0)
    driver.start()
    while [work.execution.node.id for work in driver.work] != ["b", "b"]:
        driver.advance()
    driver.work[1].asks = False
    driver.advance()  # the first begins
    driver.choose = lambda count: count - 1
    while len(driver.work) > 1:
        driver.advance()
    assert "c" not in statuses(driver)

    driver.advance()  # the first asks

    assert statuses(driver)["c"] == ["QUEUED"]


@pytest.mark.parametrize("stopped_when", ["running", "paused"])
def test_a_stop_ends_what_waits(stopped_when: str) -> None:
    driver = until_paused(case("b", "a.x>b.a"))
    driver.choose = lambda count: count - 1  # what is cancelled gives in
    if stopped_when == "running":
        driver.decide()

    driver.stop()
    while driver.ended is None:
        driver.advance()

    assert driver.ended is Status.TERMINATED
    assert statuses(driver)["b"] == ["TERMINATED"]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        (1, True, False),
        (0, False, False),
        ([False], [0], False),
        (None, None, True),
        (None, "", False),
        ("1", 1, False),
        ({"a": 1}, {"a": 1, "b": None}, False),
    ],
)
def test_data_is_edited_when_its_values_differ(one: Json, other: Json, equal: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert same(one, other) is equal
    assert same(other, one) is equal


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_data_is_the_same_as_itself(value: Json) -> None:
    assert same(value, value)

"""What a load needs, by sums and by simulation: the two agree, and too little is seen to be too little."""

import re
from dataclasses import replace
from typing import Any

import pytest

from bench.scale import LOADS, Load, bends, needs, simulate, size_for, work_of
from bench.scale_figures import FIGURES, of
from tests.house.source import ROOT

USUAL = LOADS["usual"]
#: A tenth of it is as busy for its size, and simulated in a tenth of the time.
TENTH = replace(USUAL.times(0.1), outside_s=1.0)


def simulated(load: Load, **changes: int) -> dict[str, Any]:
    return simulate(load, replace(size_for(load), **changes), seconds=20)


def test_each_figure_says_where_it_comes_from_or_that_it_is_a_guess() -> None:
    for name, figure in FIGURES.items():
        assert figure.value > 0, name
        assert figure.source.startswith("a guess") is not figure.is_measured, name
        for path in re.findall(r"[\w/-]+\.(?:md|py)", figure.source):
            assert (ROOT / path).is_file(), name
    assert of("flush_ms") == FIGURES["flush_ms"].value / 1000
    assert of("socket_kb") == FIGURES["socket_kb"].value


def test_a_million_an_hour_is_so_many_a_second() -> None:
    assert USUAL.runs_per_s == pytest.approx(277.8, abs=0.1)
    assert USUAL.events == 23


def test_twice_the_load_is_twice_the_work() -> None:
    once, twice = work_of(USUAL), work_of(USUAL.times(2))

    assert twice == {name: pytest.approx(2 * cores) for name, cores in once.items()}
    assert needs(USUAL.times(2), size_for(USUAL))["kept_tb"] == pytest.approx(
        2 * needs(USUAL, size_for(USUAL))["kept_tb"]
    )


def test_there_is_never_one_of_what_may_not_be_missed() -> None:
    small = size_for(Load(runs_per_hour=1, sockets=1))

    assert (small.rest, small.executors, small.websockets) == (2, 2, 2)


def test_executors_are_counted_by_places_where_runs_wait() -> None:
    waiting = replace(USUAL, outside_s=40.0)

    assert size_for(waiting).executors == pytest.approx(10 * size_for(USUAL).executors, abs=9)
    assert size_for(USUAL, places=50).executors > size_for(USUAL, places=500).executors


@pytest.mark.slow
def test_what_is_enough_is_enough_and_as_busy_as_the_sums_say() -> None:
    size = size_for(TENTH)
    found = simulated(TENTH)

    assert found["grows"] == []
    assert found["accepted_ms"]["p99"] < 100
    assert found["busy"]["rest"] == pytest.approx(work_of(TENTH)["rest"] / size.rest, rel=0.15)
    held = TENTH.runs_per_s * TENTH.rounds * TENTH.outside_s / size.executors / size.places
    assert found["busy"]["places"] == pytest.approx(held, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "changes", "line"),
    [
        (TENTH, {"executors": 1, "places": 20}, "places of executors"),
        (replace(TENTH, reads=100.0), {"rest": 1}, "rest"),
        (replace(TENTH, watched=400.0), {"websockets": 1}, "websockets"),
    ],
)
def test_too_little_is_seen_where_it_is_too_little(
    load: Load, changes: dict[str, int], line: str
) -> None:
    assert line in simulated(load, **changes)["grows"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same() -> None:
    size = size_for(TENTH)

    first, again = (simulate(TENTH, size, seconds=5, seed=7) for _ in range(2))

    assert first == again
    assert simulate(TENTH, size, seconds=5, seed=8) != first


def test_what_cannot_be_more_than_one_bends_sooner_under_more() -> None:
    once, twice = bends(USUAL), bends(USUAL.times(2))

    for name in (
        "retention, row by row",
        "the broker's queue of hints",
        "the database, on 64 cores",
    ):
        assert twice[name] == pytest.approx(once[name] / 2)
    assert list(once.values()) == sorted(once.values())

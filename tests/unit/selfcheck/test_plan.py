"""What a check is going to do follows from its seed, and from nothing else."""

from collections import Counter
from itertools import groupby

import pytest

from backend.selfcheck.plan import (
    EXECUTOR,
    LIFE_KILLS,
    SERVICES,
    Kind,
    Strike,
    StrikePlan,
    Trigger,
    run_plan,
    slow_s,
    strike_plans,
)
from backend.util.handle import RESTARTS_LIMIT

ONLY_CLUSTERS = {Strike.MEMBER, Strike.FREEZE, Strike.SESSIONS, Strike.CUT, Strike.SILENCE}


def strikes(seed: int, kills: int = 300) -> list[StrikePlan]:
    return list(strike_plans(seed, kills, pause_s=0.5))


def test_the_same_seed_plans_the_same() -> None:
    assert strikes(1) == strikes(1)
    assert [run_plan(1, n) for n in range(200)] == [run_plan(1, n) for n in range(200)]
    assert slow_s(1, "run-1", "0") == slow_s(1, "run-1", "0")


def test_another_seed_plans_something_else() -> None:
    assert strikes(1) != strikes(2)
    assert [run_plan(1, n) for n in range(200)] != [run_plan(2, n) for n in range(200)]
    assert slow_s(1, "run-1", "0") != slow_s(2, "run-1", "0")


@pytest.mark.parametrize("kills", [1, 7, 300])
def test_as_many_strikes_kill_as_were_asked_for(kills: int) -> None:
    assert sum(one.kills for one in strikes(3, kills)) == kills


def test_there_is_something_of_everything() -> None:
    planned = strikes(4)

    assert {one.strike for one in planned} == {*Strike} - ONLY_CLUSTERS
    assert {one.trigger for one in planned} == {*Trigger}
    assert {name for one in planned for name in one.victims} == {*SERVICES}
    assert {run_plan(4, n).kind for n in range(len(Kind))} == {*Kind}
    assert any(run_plan(4, n).stop_after_s is not None for n in range(100))


def test_the_executor_is_hit_most() -> None:
    hit = Counter(name for one in strikes(5) if one.kills for name in one.victims)

    assert hit.most_common(1)[0][0] == EXECUTOR


@pytest.mark.parametrize("seed", range(20))
def test_no_life_of_a_supervisor_has_more_deaths_than_it_bears(seed: int) -> None:
    lives = groupby(strikes(seed), key=lambda one: one.ends_server)
    deaths = [sum(one.kills for one in life) for ends, life in lives if not ends]

    assert max(deaths) <= LIFE_KILLS[1] < RESTARTS_LIMIT


def test_a_pause_is_no_kill_and_hits_nobody_s_work() -> None:
    pauses = [one for one in strikes(6) if one.strike is Strike.PAUSE]

    assert pauses
    assert not any(one.kills or one.hits_executor for one in pauses)
    assert all(0.5 <= one.frozen_s <= 4.0 for one in pauses)


def test_strikes_that_end_the_executor_say_so() -> None:
    for one in strikes(7):
        assert one.hits_executor == (one.ends_server or (one.kills and EXECUTOR in one.victims))

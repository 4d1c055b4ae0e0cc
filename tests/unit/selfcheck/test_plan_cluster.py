"""What is done to a cluster is drawn from the seed, and no supervisor is asked for too much."""

from collections import Counter

import pytest

from backend.selfcheck.plan import AT, EXECUTOR, LIFE_KILLS, Strike, StrikePlan
from backend.selfcheck.plan_cluster import MEMBERS, cluster_plans


def strikes(seed: int, kills: int = 300) -> list[StrikePlan]:
    return list(cluster_plans(seed, kills, pause_s=1.0))


def test_the_same_seed_plans_the_same() -> None:
    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)


@pytest.mark.parametrize("kills", [1, 7, 300])
def test_as_many_strikes_kill_as_were_asked_for(kills: int) -> None:
    assert sum(one.kills for one in strikes(3, kills)) == kills


def test_there_is_something_of_everything() -> None:
    assert {one.strike for one in strikes(4)} == {*Strike}


@pytest.mark.parametrize("seed", range(10))
def test_a_short_check_freezes_an_executor(seed: int) -> None:
    [frozen] = [one for one in strikes(seed, 10) if one.strike is Strike.FREEZE][:1]

    [number] = frozen.members
    assert MEMBERS[number] == (EXECUTOR,)
    assert frozen.victims == (f"{EXECUTOR}{AT}{number}",)


@pytest.mark.parametrize("seed", range(10))
def test_no_service_dies_too_often_in_one_life_of_its_supervisor(seed: int) -> None:
    deaths: Counter[str] = Counter()
    for plan in strikes(seed):
        if plan.ends_server:
            for name in [*deaths]:
                if int(name.partition(AT)[2] or 0) in plan.members:
                    del deaths[name]
        elif plan.kills:
            deaths.update(plan.victims)
            assert max(deaths.values()) <= LIFE_KILLS[1]

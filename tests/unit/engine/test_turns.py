"""Users take turns: whoever has ten thousand runs delays nobody who has one."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.status import Status
from backend.engine import turns
from backend.engine.tools import Limits
from backend.engine.turns import Turns
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import ANN, House
from tests.unit.engine.engine_reviews import until

BOB = UserId("bob")
LINKS = "in.result -> does.value\ndoes.result -> out.value"
WAITING = graph("waiting", {"in": INPUT, "does": ("WaitsBlock", {}), "out": OUTPUT}, LINKS)
QUICK = graph("quick", {"in": INPUT, "does": ("ReadBlock", {}), "out": OUTPUT}, LINKS)


def nobody(_: UserId) -> bool:
    return False


@settings(database=None, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 30)), max_size=60),
    st.lists(st.integers(1, 7), min_size=1, max_size=40),
)
def test_each_is_taken_once_and_no_user_twice_before_another(
    added: list[tuple[str, int]], counts: list[int]
) -> None:
    line = Turns()
    for user, number in added:
        assert line.add(UserId(user), ExecutionId(f"{user}{number}"))
    assert len(line) == len(set(added))

    taken: list[ExecutionId] = []
    for count in counts:
        batch = line.take(count, is_full=nobody)
        assert len(batch) == min(count, len(set(added)) - len(taken))
        taken += batch

    assert len(taken) == len(set(taken))
    # While a user has some left, nobody else is two ahead.
    left = Counter(user for user, _ in set(added))
    seen: Counter[str] = Counter()
    for run_id in taken:
        user = run_id[0]
        seen[user] += 1
        left[user] -= 1
        assert all(seen[user] - seen[other] <= 1 for other in left if left[other] and other != user)
    for user in "abcd":
        mine = [run_id for run_id in taken if run_id[0] == user]
        order = list(dict.fromkeys(f"{name}{number}" for name, number in added if name == user))
        assert mine == order[: len(mine)]


def test_a_full_user_keeps_his_place() -> None:
    line = Turns()
    for number in range(3):
        line.add(ANN, ExecutionId(f"a{number}"))
    line.add(BOB, ExecutionId("b0"))

    first = line.take(10, is_full=lambda user: user == ANN)
    then = line.take(10, is_full=nobody)

    assert first == ["b0"]
    assert then == ["a0", "a1", "a2"]
    assert not line


def test_what_does_not_fit_is_left_to_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MOST_OF_ONE", 2)
    monkeypatch.setattr(turns, "MOST", 3)
    line = Turns()

    kept = [line.add(ANN, ExecutionId(f"a{number}")) for number in range(3)]

    assert kept == [True, True, False]
    assert line.add(ANN, ExecutionId("a0"))  # it waits already
    assert line.add(BOB, ExecutionId("b0"))
    assert not line.add(UserId("eve"), ExecutionId("e0"))
    assert ExecutionId("b0") in line
    assert len(line) == 3


def statuses(house: House, run_id: ExecutionId) -> list[str]:
    return [row[0] for row in house.rows("SELECT status FROM executions WHERE id = ?", run_id)]


@pytest.fixture
async def bob(house: House) -> GraphId:
    """Bob's own graph of one quick step."""
    theirs = replace(QUICK, id=GraphId("bobs"), user_id=BOB)
    await house.storage.of(BOB).save_user(email="bob@example.com", name="Bob", now_us=1)
    await house.storage.of(BOB).add_graphs([theirs], now_us=1)
    return theirs.id


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
async def test_one_with_few_runs_does_not_wait_for_one_with_many(
    house: House, bob: GraphId, *, told: bool
) -> None:
    await house.add(QUICK)
    many = [await house.submit("quick", run="a") for _ in range(300)]
    few = [await house.submit(bob, user_id=BOB, run="b") for _ in range(3)]
    if told:
        for run_id in many:
            house.signals.signal(SignalKind.RUN, run_id, ANN)
        for run_id in few:
            house.signals.signal(SignalKind.RUN, run_id, BOB)
    async with house.engine(slots=4, limits=Limits(runs_per_graph=1_000)):
        for run_id in many:
            await house.ended(run_id)
        await until(lambda: not house.rows("SELECT 1 FROM executions WHERE ended_us IS NULL"))

    ended = house.rows("SELECT id FROM executions ORDER BY ended_us, rowid")
    places = [place for place, (run_id,) in enumerate(ended) if run_id in few]
    assert max(places) < 60


async def test_runs_that_take_long_leave_slots_for_others(house: House, bob: GraphId) -> None:
    await house.add(WAITING)
    house.notes.hold = asyncio.Event()
    async with house.engine(slots=4, limits=Limits(runs_per_graph=1_000)):
        many = [await house.submit("waiting", run="a") for _ in range(10)]
        for run_id in many:
            house.signals.signal(SignalKind.RUN, run_id, ANN)
        await until(lambda: len(house.notes.runs) == 3)

        mine = await house.submit(bob, user_id=BOB, run="b")
        house.signals.signal(SignalKind.RUN, mine, BOB)
        await until(lambda: statuses(house, mine) == ["COMPLETED"])

        assert len(house.notes.runs) == 3 + 1
        house.notes.hold.set()
        assert {(await house.ended(run_id)).status for run_id in many} == {Status.COMPLETED}

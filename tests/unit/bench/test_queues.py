"""The stations of the simulation do what is known of queues, to the last minute of waiting."""

import math
import random
from statistics import fmean

import pytest
import simpy

from bench.queues import Pool, Steps, Writer, exponential, share_below


def waits(workers: int, busy: float, *, seconds: float = 20_000.0, seed: int = 1) -> list[float]:
    """Return how long those wait who come by chance to so many workers, a second of work each."""
    world, chance = simpy.Environment(), random.Random(seed)
    pool = Pool(world, workers)

    def arrivals() -> Steps:
        while True:
            yield world.timeout(exponential(chance, 1 / (busy * workers)))
            world.process(pool.work(exponential(chance, 1.0)))

    world.process(arrivals())
    world.run(until=seconds)
    assert pool.busy_s / workers / seconds == pytest.approx(busy, rel=0.1)
    return pool.waits_s


def erlang_c(workers: int, busy: float) -> float:
    """Return the mean wait, by Erlang's formula, in units of a mean work."""
    load = workers * busy
    full = load**workers / math.factorial(workers) / (1 - busy)
    chance = full / (sum(load**k / math.factorial(k) for k in range(workers)) + full)
    return chance / (workers * (1 - busy))


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "busy"), [(1, 0.5), (1, 0.8), (4, 0.8)])
def test_who_comes_by_chance_waits_as_long_as_erlang_says(workers: int, busy: float) -> None:
    assert fmean(waits(workers, busy)) == pytest.approx(erlang_c(workers, busy), rel=0.15)


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    first = waits(1, 0.5, seconds=2_000)

    assert waits(1, 0.5, seconds=2_000) == first
    assert waits(1, 0.5, seconds=2_000, seed=2) != first


def test_first_come_is_first_served() -> None:
    world = simpy.Environment()
    pool, served = Pool(world, 1), []

    def one(name: int) -> Steps:
        yield from pool.work(1.0)
        served.append((name, world.now))

    for name in range(3):
        world.process(one(name))
    world.run()

    assert served == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert pool.waits_s == [0.0, 1.0, 2.0]
    assert pool.busy_s == 3.0


def test_what_waits_together_is_committed_together() -> None:
    """One flush for the first, one for all the others, however many they are."""
    world = simpy.Environment()
    writer = Writer(world, Pool(world, 4), flush_s=1.0)

    for _ in range(100):
        world.process(writer.commit(0.001))
    world.run(until=60)

    assert writer.commits <= 2
    assert len(writer.waits_s) == 100
    assert 1.0 < max(writer.waits_s) < 2.2


def test_a_writer_rests_while_nothing_comes() -> None:
    world = simpy.Environment()
    writer = Writer(world, Pool(world, 1), flush_s=1.0)

    def late() -> Steps:
        yield world.timeout(10)
        yield from writer.commit(0.5)

    world.process(late())
    world.run(until=60)

    assert (writer.commits, writer.waits_s) == (1, [1.5])


def test_shares() -> None:
    assert share_below([], 0.5) == 0.0
    assert share_below([3.0, 1.0, 2.0], 0.5) == 2.0
    assert share_below([3.0, 1.0, 2.0], 1.0) == 3.0

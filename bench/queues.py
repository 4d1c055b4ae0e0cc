"""Stations of a queueing simulation: pools of workers, and writers that commit together. See scale.py."""

import random
from collections.abc import Generator
from typing import Any, TypeAlias

import simpy

#: What a process of simpy is: it yields what it waits for.
Steps: TypeAlias = Generator[simpy.Event, Any, Any]


class Pool:
    """
    Some workers behind one line, first come, first served. Times are seconds.

    Attributes:
        busy_s: How long workers have worked, all together.
        waits_s: How long each who came has waited for one.
    """

    def __init__(self, world: simpy.Environment, workers: int) -> None:
        self.workers = workers
        self.busy_s = 0.0
        self.waits_s: list[float] = []
        self._world = world
        self._line = simpy.Resource(world, workers)

    @property
    def waiting(self) -> int:
        """How many stand in the line now."""
        return len(self._line.queue)

    def work(self, service_s: float) -> Steps:
        """Wait for a worker, and keep it for so long."""
        came = self._world.now
        with self._line.request() as turn:
            yield turn
            self.waits_s.append(self._world.now - came)
            yield self._world.timeout(service_s)
            self.busy_s += service_s

    def hold(self, inside: Steps) -> Steps:
        """Wait for a place, and keep it as long as *inside* takes."""
        came = self._world.now
        with self._line.request() as turn:
            yield turn
            self.waits_s.append(self._world.now - came)
            began = self._world.now
            yield from inside
            self.busy_s += self._world.now - began


class Writer:
    """
    One writer of one process: what waits when it begins goes into one commit.

    Attributes:
        commits: How many there were.
        waits_s: How long each who came has waited until it was committed.
    """

    def __init__(self, world: simpy.Environment, database: Pool, flush_s: float) -> None:
        """
        Write into *database*.

        Args:
            flush_s: What a commit waits for the disk, however much is in it.
        """
        self.commits = 0
        self.waits_s: list[float] = []
        self._world = world
        self._database = database
        self._flush_s = flush_s
        self._waiting: list[tuple[float, simpy.Event]] = []
        self._came = world.event()
        world.process(self._serve())

    def commit(self, database_s: float) -> Steps:
        """Wait until what costs the database so much is committed."""
        came, done = self._world.now, self._world.event()
        self._waiting.append((database_s, done))
        if not self._came.triggered:
            self._came.succeed()
        yield done
        self.waits_s.append(self._world.now - came)

    def _serve(self) -> Steps:
        while True:
            if not self._waiting:
                yield self._came
            self._came = self._world.event()
            batch, self._waiting = self._waiting, []
            yield from self._database.work(sum(cost for cost, _ in batch))
            yield self._world.timeout(self._flush_s)
            self.commits += 1
            for _, done in batch:
                done.succeed()


def exponential(chance: random.Random, mean: float) -> float:
    """Return a time of that mean, as long as none is more likely than another to end now."""
    return chance.expovariate(1.0 / mean) if mean > 0 else 0.0


def share_below(values: list[float], part: float) -> float:
    """Return below what *part* (0 to 1) of *values* are; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0

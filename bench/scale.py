"""
What a load needs, and what gives way first: a simulation of the cluster as queues. Same seed, same answer.

Nothing is started: the figures are those of `scale_figures.py`. A run is accepted by a REST
service, told of by the broker, waits for a place at an executor, works in rounds (some nodes, a
commit, a call of a model that is waited for), and ends; what it commits is shown to sockets.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import simpy

from bench.queues import Pool, Steps, Writer, exponential, share_below
from bench.scale_figures import of

HOUR_S: Final = 3600.0
#: Beyond this, lines grow faster than work: what is sized is sized for it.
_BUSY: Final = 0.6
_LEAST: Final = 2
#: Rows of a step of retention; of five minutes it works 200 s, and of these a quarter.
_TIMES: Final = (0.5, 1.0, 1.5, 2.0)
_RETENTION_ROWS: Final = 150
_RETENTION_SHARE: Final = 200 / 300 / 4
#: Rows of a node in a commit, and events of it: it begins, and it ends.
_EVENTS_A_NODE: Final = 2
_EVENTS_A_RUN: Final = 3
#: How many times a run's own time a cluster takes to be as full as it will be.
_RUNS_TO_FILL: Final = 2.5
#: A line that is longer at the end than a second of arrivals only grows.
_SECONDS_OF_ARRIVALS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """
    What is asked of the cluster.

    Attributes:
        nodes: Of a run.
        rounds: Of a run; each waits once for the outside.
        outside_s: How long, in the mean.
        reads: Of the REST API, for each run.
        watched: For each run, how many sockets see its events, in the mean.
        stay_s: How long a socket stays.
    """

    runs_per_hour: float = 1_000_000
    sockets: int = 100_000
    nodes: int = 10
    rounds: int = 3
    outside_s: float = 4.0
    reads: float = 3.0
    watched: float = 0.5
    stay_s: float = 600.0

    @property
    def runs_per_s(self) -> float:
        """How many runs come in a second."""
        return self.runs_per_hour / HOUR_S

    @property
    def events(self) -> int:
        """How many events a run has."""
        return _EVENTS_A_RUN + _EVENTS_A_NODE * self.nodes

    def times(self, factor: float) -> "Load":
        """Return so many times the load."""
        sockets = round(self.sockets * factor)
        return replace(self, runs_per_hour=self.runs_per_hour * factor, sockets=sockets)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is of each: processes, and cores of the database."""

    rest: int
    executors: int
    websockets: int
    database_cores: int
    places: int  #: of an executor, NUM_GRAPH_WORKERS


def work_of(load: Load) -> dict[str, float]:
    """Return how many cores a load keeps busy, by who works."""
    rate, nodes, shown = load.runs_per_s, load.nodes, load.events * load.watched
    return {
        "rest": rate * (of("rest_run_ms") + load.reads * of("rest_read_ms")),
        "executors": rate
        * (
            of("executor_run_ms")
            + nodes * of("executor_node_ms")
            + shown * of("event_publisher_ms")
        ),
        "websockets": rate * shown * of("event_socket_ms")
        + load.sockets / load.stay_s * of("connect_ms"),
        "database": rate * (of("database_run_ms") + nodes * of("database_node_ms")),
        "broker": rate * (of("hint_ms") + shown * of("event_broker_ms")),
        "notification": rate * of("notification_run_ms"),
    }


def size_for(load: Load, *, places: int = 500, sockets_each: int = 10_000) -> Size:
    """
    Return what is enough for *load*, with nobody busy for more than three fifths of the time.

    Args:
        places: Of an executor, NUM_GRAPH_WORKERS.
        sockets_each: Of a WebSocket service: half of the files that a process may open here.
    """
    work = work_of(load)

    def enough(cores: float) -> int:
        return max(_LEAST, math.ceil(cores / _BUSY))

    held = load.runs_per_s * load.rounds * load.outside_s
    return Size(
        rest=enough(work["rest"]),
        executors=max(enough(work["executors"]), math.ceil(held / places / _BUSY)),
        websockets=max(enough(work["websockets"]), math.ceil(load.sockets / sockets_each)),
        database_cores=enough(work["database"]),
        places=places,
    )


def needs(load: Load, size: Size, *, days: int = 90) -> dict[str, float]:
    """Return what else that is: connections, disk, memory of sockets, rows."""
    log_kb = of("log_run_kb") + load.nodes * of("log_node_kb")
    kept_kb = of("kept_run_kb") + load.nodes * of("kept_node_kb")
    processes = size.rest + size.executors + size.websockets + 4
    return {
        "connections": processes * of("connections"),
        "log_mb_per_s": load.runs_per_s * log_kb / 1000,
        "rows_per_s": load.runs_per_s * (load.nodes + 8),
        "kept_gb_per_day": load.runs_per_s * 86_400 * kept_kb / 1e6,
        "kept_tb": load.runs_per_s * 86_400 * kept_kb / 1e9 * days,
        "socket_gb": load.sockets * of("socket_kb") / 1e6,
        "runs_under_way": load.runs_per_s * load.rounds * load.outside_s,
    }


#: Kinds of a million runs an hour.
LOADS: Final = {
    "small": Load(nodes=2, rounds=1, outside_s=0.1, reads=1.0, watched=0.1),
    "usual": Load(),
    "large": Load(nodes=100, rounds=20, outside_s=6.0),
}


class Cluster:
    """The queues of one simulated cluster."""

    def __init__(self, world: simpy.Environment, load: Load, size: Size, seed: int) -> None:
        self.world, self.load, self.size = world, load, size
        self.chance = random.Random(seed)
        self.database = Pool(world, size.database_cores)
        self.broker = Pool(world, 1)  # one queue of hints is one process of RabbitMQ
        self.notification = Pool(world, 1)
        self.rest = [Pool(world, 1) for _ in range(size.rest)]
        self.executors = [Pool(world, 1) for _ in range(size.executors)]
        self.places = Pool(world, size.executors * size.places)
        self.websockets = [Pool(world, 1) for _ in range(size.websockets)]
        flush_s = of("flush_ms") + of("network_ms")
        self.rest_writers = [Writer(world, self.database, flush_s) for _ in self.rest]
        self.run_writers = [Writer(world, self.database, flush_s) for _ in self.executors]
        self.accepted_s: list[float] = []
        self.begun_s: list[float] = []
        self.shown_s: list[float] = []
        self.ended = 0

    def arrivals(self) -> Steps:
        """Let runs come, as people do who know nothing of each other."""
        while True:
            yield self.world.timeout(exponential(self.chance, 1 / self.load.runs_per_s))
            self.world.process(self._run())

    def connects(self) -> Steps:
        """Let sockets come, as many as go."""
        while True:
            yield self.world.timeout(exponential(self.chance, self.load.stay_s / self.load.sockets))
            self.world.process(self.chance.choice(self.websockets).work(of("connect_ms")))

    def _run(self) -> Steps:
        came = self.world.now
        place = self.chance.randrange(len(self.rest))
        yield from self.rest[place].work(of("rest_run_ms"))
        yield from self.rest_writers[place].commit(of("database_run_ms") / 2)
        self.accepted_s.append(self.world.now - came)
        accepted = self.world.now
        for _ in range(round(self.load.reads)):
            reader = self.chance.choice(self.rest)
            self.world.process(reader.work(exponential(self.chance, of("rest_read_ms"))))
        yield from self.broker.work(of("hint_ms"))
        yield from self.places.hold(self._work(accepted))
        self.world.process(self.notification.work(of("notification_run_ms")))
        self.ended += 1

    def _work(self, accepted: float) -> Steps:
        self.begun_s.append(self.world.now - accepted)
        load, place = self.load, self.chance.randrange(len(self.executors))
        nodes = load.nodes / load.rounds
        run_s, row_s = of("executor_run_ms") / load.rounds, of("database_run_ms") / 2 / load.rounds
        for _ in range(load.rounds):
            cpu_s = run_s + nodes * of("executor_node_ms")
            yield from self.executors[place].work(cpu_s)
            cost_s = row_s + nodes * of("database_node_ms")
            yield from self.run_writers[place].commit(cost_s)
            self.world.process(self._show(place, load.events / load.rounds * load.watched))
            yield self.world.timeout(exponential(self.chance, load.outside_s))

    def _show(self, place: int, events: float) -> Steps:
        committed = self.world.now
        yield from self.executors[place].work(events * of("event_publisher_ms"))
        yield from self.broker.work(events * of("event_broker_ms"))
        socket = self.chance.choice(self.websockets)
        yield from socket.work(events * of("event_socket_ms"))
        self.shown_s.append(self.world.now - committed)

    def forget(self) -> None:
        """Begin to measure."""
        for times in (self.accepted_s, self.begun_s, self.shown_s):
            times.clear()
        for pool in self.pools():
            pool.busy_s = 0.0
        for writer in (*self.rest_writers, *self.run_writers):
            writer.commits = 0
        self.ended = 0

    def pools(self) -> list[Pool]:
        """Return all of them."""
        single = [self.database, self.broker, self.notification, self.places]
        return [*single, *self.rest, *self.executors, *self.websockets]

    def lines(self) -> dict[str, int]:
        """Return how many wait now, by where."""
        return {
            "rest": sum(one.waiting for one in self.rest),
            "executors": sum(one.waiting for one in self.executors),
            "places of executors": self.places.waiting,
            "websockets": sum(one.waiting for one in self.websockets),
            "database": self.database.waiting,
            "broker": self.broker.waiting,
            "notification": self.notification.waiting,
        }


def simulate(load: Load, size: Size, *, seconds: float = 30.0, seed: int = 1) -> dict[str, Any]:
    """
    Return how long people would wait, how busy everybody would be, and which lines only grow.

    The cluster begins empty; what is measured begins when as many runs end as come.
    """
    world = simpy.Environment()
    cluster = Cluster(world, load, size, seed)
    world.process(cluster.arrivals())
    world.process(cluster.connects())
    world.run(until=_RUNS_TO_FILL * load.rounds * load.outside_s)
    cluster.forget()
    world.run(until=world.now + seconds)

    def busy(pools: list[Pool]) -> float:
        workers = sum(one.workers for one in pools)
        return round(sum(one.busy_s for one in pools) / workers / seconds, 3)

    writers = cluster.rest_writers + cluster.run_writers
    return {
        "accepted_ms": _spread(cluster.accepted_s),
        "begun_ms": _spread(cluster.begun_s),
        "shown_ms": _spread(cluster.shown_s),
        "commits_per_s": round(sum(one.commits for one in writers) / seconds),
        "busy": {
            "rest": busy(cluster.rest),
            "executors": busy(cluster.executors),
            "places": busy([cluster.places]),
            "websockets": busy(cluster.websockets),
            "database": busy([cluster.database]),
            "broker": busy([cluster.broker]),
            "notification": busy([cluster.notification]),
        },
        "grows": sorted(
            name
            for name, line in cluster.lines().items()
            if line > load.runs_per_s * _SECONDS_OF_ARRIVALS
        ),
    }


def _spread(times_s: list[float]) -> dict[str, float]:
    return {
        "p50": round(share_below(times_s, 0.5) * 1000, 1),
        "p99": round(share_below(times_s, 0.99) * 1000, 1),
    }


def bends(load: Load) -> dict[str, float]:
    """
    Return up to how many times *load* each part goes that cannot be more than one.

    What can be more is made more. The figures are where a part is busy all the time.
    """
    work = work_of(load)
    single: dict[str, Callable[[], float]] = {
        "the broker's queue of hints": lambda: load.runs_per_s * of("hint_ms"),
        "notification": lambda: work["notification"],
        "the database, on 64 cores": lambda: work["database"] / 64,
        "its log, at 200 MB/s": lambda: needs(load, size_for(load))["log_mb_per_s"] / 200,
        "its connections, at 500 without a pool": lambda: (
            needs(load, size_for(load))["connections"] / 500
        ),
        "its disk, at 4 TB for 90 days": lambda: needs(load, size_for(load))["kept_tb"] / 4,
        "retention, row by row": lambda: (
            needs(load, size_for(load))["rows_per_s"] / retention_rows_per_s()
        ),
    }
    found = {name: 1 / share() for name, share in single.items()}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def retention_rows_per_s() -> float:
    """Return how many rows the retention can delete: its share of the time, in small steps."""
    return _RETENTION_ROWS / of("retention_step_ms") * _RETENTION_SHARE


def scale(*, seconds: float = 30.0, seed: int = 1) -> dict[str, Any]:
    """Return what a million runs an hour and 100,000 sockets need, and what more of it would do."""
    load = LOADS["usual"]
    size = size_for(load)
    return {
        "loads": {
            name: {
                "load": vars(one),
                "cores_busy": {who: round(cores, 3) for who, cores in work_of(one).items()},
                "size": vars(size_for(one)),
                "executors_with_100_places": size_for(one, places=100).executors,
                "needs": {
                    what: round(value, 1) for what, value in needs(one, size_for(one)).items()
                },
            }
            for name, one in LOADS.items()
        },
        "times": {
            str(factor): simulate(load.times(factor), size, seconds=seconds, seed=seed)
            for factor in _TIMES
        },
        "bends_at_times": {
            name: {part: round(factor, 2) for part, factor in bends(one).items()}
            for name, one in LOADS.items()
        },
    }

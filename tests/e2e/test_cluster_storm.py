"""Everything is done to a cluster at once, for a while; then its history must be one that can be."""

import os
import random
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.followers import Follower
from tests.e2e.graphs import web_chain
from tests.e2e.harness import FINAL, Server, until
from tests.e2e.machines import add_far
from tests.e2e.members import START_S, Cluster, Member
from tests.e2e.relay import Relay
from tests.e2e.test_postgres import cut
from tests.network import Machine
from tests.services import require_service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]

STEPS = 6
#: Clients that start runs. They, who follows and who looks are at work all at once: by itself a
#: pool has as many threads as there are cores, and four.
WORKERS = 3
#: After the last strike everything comes to its end in this time.
DRAIN_S = 300.0
#: A storm of the suite has one of each service that clients ask.
SHORT_S = 30.0
_ORDER = {"QUEUED": 0, "RUNNING": 1, "REVIEW": 1, "COMPLETED": 2, "FAILED": 2, "TERMINATED": 2}


@dataclass
class Witness:
    """What the rows of all runs were, each time they were looked at."""

    url: str
    problems: list[str] = field(default_factory=list)
    last: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, over: threading.Event) -> None:
        while not over.wait(0.05):
            with suppress(psycopg.OperationalError):  # sessions are cut: this one too
                self.look()

    def look(self) -> None:
        # One after the other: what an older look has read must not be taken for a step back.
        with self.lock, psycopg.connect(self.url) as connection:
            rows = connection.execute("SELECT id, status, revision, attempt FROM executions")
            for run_id, *now in rows.fetchall():
                self._note(run_id, (now[0], now[1], now[2]))

    def _note(self, run_id: str, now: tuple[str, int, int]) -> None:
        before = self.last.get(run_id, ("QUEUED", 0, 0))
        self.last[run_id] = now
        if before[0] in FINAL and now != before:
            self.problems.append(f"{run_id} changed after its end: {before} -> {now}")
        if _ORDER[now[0]] < _ORDER[before[0]] or now[1] < before[1] or now[2] < before[2]:
            self.problems.append(f"{run_id} went back: {before} -> {now}")


class Storm:
    """Strikes a cluster whose members reach their servers by relays."""

    def __init__(
        self, cluster: Cluster, relays: list[Relay], machines: list[Machine], seed: int
    ) -> None:
        self.machines = machines
        self._away: list[threading.Timer] = []
        self.cluster = cluster
        self.relays = relays
        self.random = random.Random(seed)
        self.struck: Counter[str] = Counter()

    def strike(self) -> None:
        """Do one thing, and undo it."""
        kinds: list[Callable[[], None]] = [
            self.kill_executor,
            self.kill_executor,
            self.lose_machine,
            self.freeze,
            self.cut_sessions,
            self.kill_other,
            *([self.cut_way, self.block_way] if self.relays else [self.vanish] * 3),
        ]
        chosen = self.random.choice(kinds)
        chosen()
        self.struck[chosen.__name__] += 1

    def _executor(self) -> Server:
        return self.random.choice(self.cluster.executors)

    def kill_executor(self) -> None:
        self._executor().kill("ExecutionManager")

    def kill_other(self) -> None:
        service = self.random.choice(["AgentServer", "Scheduler", "WebsocketServer"])
        having = [one for one in self.cluster.members if one.service == service]
        self.random.choice([self.cluster.server, *having]).kill(service)

    def vanish(self) -> None:
        """Drop what a machine sends and is sent, for a while; others are struck meanwhile."""
        if not self.machines:
            return  # none is there now
        machine = self.machines.pop(self.random.randrange(len(self.machines)))
        machine.vanish()
        # Some so long that others have its runs.
        lasts_s = self.random.choice([self.random.uniform(0.5, 8.0), 45.0])
        timer = threading.Timer(lasts_s, self._come_back, [machine])
        timer.start()
        self._away.append(timer)

    def _come_back(self, machine: Machine) -> None:
        machine.come_back()
        self.machines.append(machine)

    def end(self) -> None:
        """Wait until all machines are there again."""
        for timer in self._away:
            timer.join()

    def lose_machine(self) -> None:
        # Not one that nothing can reach: it would not start.
        near = [one for one in self.cluster.members if _is_executor(one) and not one.inside]
        if not near:
            return
        member = self.random.choice(near)
        member.kill_everything()
        time.sleep(self.random.uniform(0.0, 2.0))
        member.start(limit_s=START_S)

    def freeze(self) -> None:
        pid = self._executor().pid("ExecutionManager")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.random.uniform(0.5, 3.0))
            os.kill(pid, signal.SIGCONT)

    def cut_sessions(self) -> None:
        cut(self.cluster.url)

    def cut_way(self) -> None:
        self.random.choice(self.relays).cut()

    def block_way(self) -> None:
        relay = self.random.choice(self.relays)
        relay.block()
        time.sleep(self.random.uniform(0.5, 4.0))
        relay.open()


def _is_executor(member: Member) -> bool:
    return member.service == "ExecutionManager"


class Load:
    """Starts runs one after the other; asks again, with the same key, where no answer came."""

    def __init__(self, cluster: Cluster, graph: str) -> None:
        self._cluster = cluster
        self._graph = graph
        self.accepted: dict[str, str] = {}  #: the ids of runs, by their names
        self.fresh: deque[str] = deque()  #: those that nobody follows yet
        self.asked = 0

    def followable(self) -> str | None:
        """Return a run that nobody follows yet: the newest, for the others have gone on."""
        with suppress(IndexError):
            newest = self.fresh.pop()
            self.fresh.clear()
            return newest
        return None

    def work(self, name: str, over: threading.Event) -> None:
        count = 0
        while not over.wait(0.15):
            self.start(f"{name}-{count}", over)
            count += 1

    def start(self, run: str, over: threading.Event) -> None:
        services = [one.rest for one in self._cluster.members if one.service == "AgentServer"]
        services.append(self._cluster.server.rest)
        while not over.is_set():
            self.asked += 1
            rest = services[self.asked % len(services)]
            with suppress(httpx2.TransportError):
                got = rest.ask(
                    "POST",
                    f"/graphs/{self._graph}/execute",
                    {"inputs": {"run": run}},
                    headers={"Idempotency-Key": run},
                )
                if got.status_code == 200:
                    self.accepted[run] = str(got.json()["id"])
                    self.fresh.append(self.accepted[run])
                    return
                assert got.status_code >= 500, got.text
            time.sleep(0.05)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def weather(
    folder: Path,
    outside: EffectCounter,
    stack: ExitStack,
    *,
    seed: int,
    lasts_s: float,
    far: bool = False,
) -> Counter[str]:
    """
    Put a cluster of three executors through a storm, and prove its history; return the strikes.

    Args:
        far: Two executors are on machines of their own, whose packets are dropped, too; else the
            ways of these lead through relays that are cut.
    """
    cluster = Cluster(folder, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    stack.callback(cluster.finish)
    cluster.start()
    storm = Storm(cluster, *_two_more(cluster, outside, stack, far=far), seed)
    sockets: list[Server] = [cluster.server]
    if lasts_s > SHORT_S:
        cluster.add("AgentServer")
        sockets.append(cluster.add("WebsocketServer"))
    graph = cluster.server.rest.add(web_chain(outside.origin, STEPS))
    witness, load = Witness(cluster.url), Load(cluster, graph)
    followers = [Follower(sockets, number) for number in range(3)]
    enough, over = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1 + WORKERS + len(followers)) as pool:
        watching = pool.submit(witness.watch, over)
        working = [pool.submit(load.work, f"w{number}", enough) for number in range(WORKERS)]
        following = [pool.submit(one.work, load.followable, over) for one in followers]
        try:
            end = time.monotonic() + lasts_s
            # A busy machine needs its time to start one anew; there are so many strikes all the same.
            while time.monotonic() < end or storm.struck.total() < lasts_s / 4:
                storm.strike()
                time.sleep(storm.random.uniform(0.2, 1.5))
        finally:
            enough.set()
            storm.end()
            for one in working:
                one.result()
        try:
            until(lambda: _all_ended(witness, load), limit_s=DRAIN_S, what="the end of all runs")
        finally:
            load.fresh.clear()
            over.set()
            for task in (watching, *following):
                task.result()
    witness.look()
    assert witness.problems == []
    assert [problem for one in followers for problem in one.problems] == []
    assert [one.number for one in followers if not one.followed] == []
    assert len(load.accepted) > lasts_s / 2
    _assert_done_once(outside, witness, load)
    cluster.assert_nothing_broken()
    followed, resumed = (sum(found) for found in zip(*_counts(followers), strict=True))
    print(f"{len(load.accepted)} runs; {followed} followed, {resumed} times resumed")  # noqa: T201
    return storm.struck


def _two_more(
    cluster: Cluster, outside: EffectCounter, stack: ExitStack, *, far: bool
) -> tuple[list[Relay], list[Machine]]:
    """Start two more executors; return the ways that can be cut, or the machines that can vanish."""
    if far:
        return [], [add_far(cluster, outside.origin, stack).machine for _ in range(2)]
    relays: list[Relay] = []
    for _ in range(2):
        ways = Relay(cluster.url), Relay(require_service("rabbitmq"))
        relays += ways
        for way in ways:
            stack.callback(way.close)
        cluster.add("ExecutionManager", DATABASE_URL=ways[0].url, RABBITMQ_URL=ways[1].url)
    return relays, []


def _counts(followers: list[Follower]) -> list[tuple[int, int]]:
    return [(one.followed, one.resumed) for one in followers]


def _assert_done_once(outside: EffectCounter, witness: Witness, load: Load) -> None:
    for run, run_id in load.accepted.items():
        status, _, attempt = witness.last[run_id]
        assert status == "COMPLETED", (run, run_id)
        done = outside.of(run)
        assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
        # Each attempt after the first may repeat the one call that was under way.
        assert sum(len(effects) - 1 for effects in done.values()) <= attempt - 1
        keys = {step: {effect.key for effect in effects} for step, effects in done.items()}
        assert {step: found for step, found in keys.items() if len(found) != 1} == {}, run_id


def _all_ended(witness: Witness, load: Load) -> bool:
    with suppress(psycopg.OperationalError):
        witness.look()
    return all(witness.last[run_id][0] in FINAL for run_id in load.accepted.values())


def test_a_short_storm(tmp_path: Path, outside: EffectCounter, stack: ExitStack) -> None:
    struck = weather(tmp_path, outside, stack, seed=8, lasts_s=20)

    assert struck.total() >= 3


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [81, 82, 83])
def test_a_long_storm(tmp_path: Path, outside: EffectCounter, stack: ExitStack, seed: int) -> None:
    struck = weather(tmp_path, outside, stack, seed=seed, lasts_s=60)

    print(struck)  # noqa: T201 - who runs it wants to know
    assert len(struck) >= 4


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [84, 85, 86])
def test_a_long_storm_in_which_machines_vanish(
    tmp_path: Path, outside: EffectCounter, stack: ExitStack, seed: int
) -> None:
    """Nobody is told: what they send is dropped, for a moment or until others have their runs."""
    struck = weather(tmp_path, outside, stack, seed=seed, lasts_s=60, far=True)

    print(struck)  # noqa: T201 - who runs it wants to know
    assert struck["vanish"] > 0

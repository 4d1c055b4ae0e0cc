"""Everything is done to a cluster at once, for a while; then its history must be one that can be."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import FINAL, Server, until
from tests.e2e.members import Cluster, Member
from tests.e2e.relay import Relay
from tests.e2e.test_postgres import cut
from tests.services import require_service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]

STEPS = 6
#: After the last strike everything comes to its end in this time.
DRAIN_S = 120.0
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

    def __init__(self, cluster: Cluster, relays: list[Relay], seed: int) -> None:
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
            self.cut_way,
            self.block_way,
            self.kill_other,
        ]
        chosen = self.random.choice(kinds)
        chosen()
        self.struck[chosen.__name__] += 1

    def _executor(self) -> Server:
        return self.random.choice(self.cluster.executors)

    def kill_executor(self) -> None:
        self._executor().kill("ExecutionManager")

    def kill_other(self) -> None:
        self.cluster.server.kill(
            self.random.choice(["AgentServer", "Scheduler", "WebsocketServer"])
        )

    def lose_machine(self) -> None:
        member = self.random.choice([one for one in self.cluster.members if _is_executor(one)])
        member.kill_everything()
        time.sleep(self.random.uniform(0.0, 2.0))
        member.start(limit_s=90)

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
        self.asked = 0

    def work(self, name: str, over: threading.Event) -> None:
        count = 0
        while not over.wait(0.15):
            self.start(f"{name}-{count}", over)
            count += 1

    def start(self, run: str, over: threading.Event) -> None:
        rest = self._cluster.server.rest
        while not over.is_set():
            self.asked += 1
            with suppress(httpx2.TransportError):
                got = rest.ask(
                    "POST",
                    f"/graphs/{self._graph}/execute",
                    {"inputs": {"run": run}},
                    headers={"Idempotency-Key": run},
                )
                if got.status_code == 200:
                    self.accepted[run] = str(got.json()["id"])
                    return
                assert got.status_code >= 500, got.text
            time.sleep(0.05)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def weather(
    folder: Path, outside: EffectCounter, stack: ExitStack, *, seed: int, lasts_s: float
) -> Counter[str]:
    """Put a cluster of three executors through a storm, and prove its history; return the strikes."""
    cluster = Cluster(folder, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    stack.callback(cluster.finish)
    cluster.start()
    relays: list[Relay] = []
    for _ in range(2):
        ways = Relay(cluster.url), Relay(require_service("rabbitmq"))
        relays += ways
        for way in ways:
            stack.callback(way.close)
        cluster.add("ExecutionManager", DATABASE_URL=ways[0].url, RABBITMQ_URL=ways[1].url)
    graph = cluster.server.rest.add(web_chain(outside.origin, STEPS))
    storm, witness, load = Storm(cluster, relays, seed), Witness(cluster.url), Load(cluster, graph)
    enough, over = threading.Event(), threading.Event()
    with ThreadPoolExecutor() as pool:
        watching = pool.submit(witness.watch, over)
        working = [pool.submit(load.work, f"w{number}", enough) for number in range(3)]
        try:
            end = time.monotonic() + lasts_s
            # A busy machine needs its time to start one anew; there are so many strikes all the same.
            while time.monotonic() < end or storm.struck.total() < lasts_s / 4:
                storm.strike()
                time.sleep(storm.random.uniform(0.2, 1.5))
        finally:
            enough.set()
            for one in working:
                one.result()
        try:
            until(lambda: _all_ended(witness, load), limit_s=DRAIN_S, what="the end of all runs")
        finally:
            over.set()
            watching.result()
    witness.look()
    assert witness.problems == []
    assert len(load.accepted) > lasts_s / 2
    for run, run_id in load.accepted.items():
        status, _, attempt = witness.last[run_id]
        assert status == "COMPLETED", (run, run_id)
        done = outside.of(run)
        assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
        # Each attempt after the first may repeat the one call that was under way.
        assert sum(len(effects) - 1 for effects in done.values()) <= attempt - 1
        assert all(len({effect.key for effect in effects}) == 1 for effects in done.values())
    cluster.assert_nothing_broken()
    return storm.struck


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

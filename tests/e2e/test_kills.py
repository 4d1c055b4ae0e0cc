"""``kill -9`` of whatever there is, in the middle of runs that do things outside."""

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2
import pytest

from tests.e2e.effects import Effect, EffectCounter
from tests.e2e.graphs import each_item, nesting, templates, timer, web_chain
from tests.e2e.harness import SERVICES, Json, Server, assert_consistent, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = 20


def assert_done_once(run: str, done: dict[str, list[Effect]], *, kills: int = 1) -> None:
    """
    Every step was done; only one that was under way at a kill twice, and then with the same key.

    A step begins when the one before is on disk: with one kill at most one was under way.
    """
    assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
    assert sum(len(effects) - 1 for effects in done.values()) <= kills
    for effects in done.values():
        assert {effect.run for effect in effects} == {run}
        assert len({effect.key for effect in effects}) == 1
    assert len({effects[0].key for effects in done.values()}) == STEPS


def assert_completed(run: Json) -> None:
    assert (run["status"], run["stats"]["error"]) == ("COMPLETED", None)
    assert run["stats"]["node_exec_count"] == STEPS + 2


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_run_ends_by_itself_when_a_service_is_killed(
    server: Server, outside: EffectCounter, service: str
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    old = server.kill(service)
    run = server.rest.ended(graph, run_id)

    assert_completed(run)
    assert run["outputs"] == {"answer": [{"run": "r"}]}
    assert_done_once("r", outside.of("r"), kills=int(service == "ExecutionManager"))
    server.wait_ready(service)
    assert server.pid(service) != old
    assert_consistent(server)
    server.stop()
    server.assert_nothing_left()


@pytest.mark.parametrize("victim", ["supervisor", "everything"])
def test_a_run_goes_on_in_a_new_server_when_the_old_one_is_killed(
    server: Server, outside: EffectCounter, victim: str
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    if victim == "supervisor":
        server.kill_supervisor()
        server.assert_nothing_left()
    else:
        server.kill_everything()
    server.start()
    run = server.rest.ended(graph, run_id)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))
    assert_consistent(server)
    server.stop()
    server.assert_nothing_left()


def test_a_stop_in_the_middle_of_a_run_loses_nothing(
    server: Server, outside: EffectCounter
) -> None:
    """Steps that run may end; the next start goes on behind them."""
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    server.stop()
    server.assert_nothing_left()
    server.start()

    assert_completed(server.rest.ended(graph, run_id))
    assert_done_once("r", outside.of("r"), kills=0)


def test_a_stop_in_the_middle_of_a_nested_run_loses_nothing_and_does_not_wait(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(nesting(web_chain(outside.origin, STEPS)))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    server.stop()
    server.start()

    assert "service_killed" not in server.log("Supervisor")
    run = server.rest.ended(graph, run_id)
    assert (run["status"], run["outputs"]) == ("COMPLETED", {"answer": [{"run": "r"}]})
    assert_done_once("r", outside.of("r"), kills=0)
    assert_consistent(server)


def test_the_time_of_a_timer_goes_on_while_its_server_is_dead(server: Server) -> None:
    graph = server.rest.add(timer())
    run_id = server.rest.start(graph, run="x", seconds=1, times=2)
    query = "SELECT n.start_us FROM node_outputs o JOIN node_executions n USING (run_id, ordinal)"
    [(start_us,)] = until(lambda: server.rows(query) or None, what="its first message on disk")

    server.store.wait_settled()
    server.kill_everything()
    until(lambda: time.time() * 1e6 > start_us + 2e6, what="the time of its second message")
    server.start()
    later = server.rest.start(graph, run="y", seconds=0.5, times=1)
    run, other = server.rest.ended(graph, run_id), server.rest.ended(graph, later)

    assert run["outputs"] == {"answer": ["x", "x"]}
    assert other["outputs"] == {"answer": ["y"]}
    # It had nothing left to wait for. One that waits again is overtaken.
    ends = dict(server.rows("SELECT id, ended_us FROM executions"))
    assert ends[run_id] < ends[later]
    assert_consistent(server)


class Storm:
    """Starts runs of all kinds, and afterwards says whether each did what it should."""

    def __init__(self, server: Server, outside: EffectCounter) -> None:
        self._server = server
        self._outside = outside
        rest = server.rest
        self._graphs = {
            "text": rest.add(templates()),
            "list": rest.add(each_item()),
            "web": rest.add(web_chain(outside.origin, 3, name="web")),
            "nested text": rest.add(nesting(templates(name="inner text"), name="outer text")),
            "nested web": rest.add(
                nesting(web_chain(outside.origin, 2, name="inner web"), name="outer web")
            ),
        }
        self.accepted: dict[str, tuple[str, str]] = {}
        self.refused = 0

    def start(self, number: int) -> None:
        """Start one run. Only an answer of 200 makes it one that must end."""
        kind = [*self._graphs][number % len(self._graphs)]
        graph = self._graphs[kind]
        name = f"run {number}"
        inputs = {"items": list(range(5))} if kind == "list" else {"run": name}
        try:
            got = self._server.rest.ask("POST", f"/graphs/{graph}/execute", {"inputs": inputs})
        except httpx2.TransportError:
            self.refused += 1
            return
        if got.status_code == 200:
            self.accepted[got.json()["id"]] = (kind, name)
        else:
            assert got.status_code == 503, got.text
            self.refused += 1

    def check(self, *, executor_kills: int, limit_s: float) -> None:
        """Wait for the end of all accepted runs, then look at what each gave and did."""
        end = time.monotonic() + limit_s
        for run_id, (kind, name) in self.accepted.items():
            left = max(1.0, end - time.monotonic())
            run = self._server.rest.ended(self._graphs[kind], run_id, limit_s=left)
            assert run["status"] == "COMPLETED", run
            assert run["outputs"] == {"answer": _expected(kind, name)}
        until(self._nothing_unfinished, what="runs whose answer was lost", limit_s=limit_s)
        assert_consistent(self._server)
        repeated = self._outside.repeated()
        keys = {(e.run, e.step): e.key for e in self._outside.effects}
        assert all(keys[e.run, e.step] == e.key for e in self._outside.effects)
        # Of one run at most one step is under way at a time.
        assert all(count <= executor_kills for count in repeated.values())
        self._assert_finished_steps_were_not_repeated()

    def _nothing_unfinished(self) -> bool:
        return not self._server.rows("SELECT 1 FROM executions WHERE ended_us IS NULL")

    def _assert_finished_steps_were_not_repeated(self) -> None:
        """A step was finished, for sure, when the step after it in its run began."""
        for run in {effect.run for effect in self._outside.effects}:
            steps = [int(effect.step) for effect in self._outside.effects if effect.run == run]
            assert steps == sorted(steps), f"{run}: {steps}"


def _expected(kind: str, name: str) -> list[object]:
    if kind == "list":
        return [f"item {number}" for number in range(5)]
    return [{"run": name}] if "web" in kind else [f"{name}!!!"]


@contextmanager
def started_meanwhile(storm: Storm, *, runs: int, at_once: int = 4) -> Iterator[None]:
    """Start *runs* runs while the block goes on."""
    over = threading.Event()
    with ThreadPoolExecutor(at_once) as pool:

        def start(number: int) -> None:
            if not over.is_set():
                storm.start(number)

        started = [pool.submit(start, number) for number in range(runs)]
        try:
            yield
            for one in started:
                one.result()
        finally:
            over.set()


def kill_at_random(server: Server, choice: random.Random, *, kills: int, every_s: float) -> int:
    """Kill random services; return how often it was the executor."""
    executor_kills = 0
    names = sorted(SERVICES)
    pause = threading.Event()
    for _ in range(kills):
        pause.wait(choice.uniform(0.2, 1.8) * every_s)
        victim = choice.choice(names)
        server.kill(victim)
        executor_kills += victim == "ExecutionManager"
    return executor_kills


@pytest.mark.parametrize("seed", [1])
def test_all_accepted_runs_end_well_in_a_storm_of_kills(
    server: Server, outside: EffectCounter, seed: int
) -> None:
    """Twelve kills: the supervisor gives up at eleven of one service within a minute."""
    outside.slow_s = 0.02
    storm = Storm(server, outside)

    with started_meanwhile(storm, runs=200):
        killed = kill_at_random(server, random.Random(seed), kills=12, every_s=0.7)

    assert len(storm.accepted) > 100
    storm.check(executor_kills=killed, limit_s=60)
    server.stop()
    server.assert_nothing_left()


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
def test_all_accepted_runs_end_well_in_a_long_storm(
    server: Server, outside: EffectCounter, seed: int
) -> None:
    """Kills of services, of the supervisor and of everything, for many minutes."""
    outside.slow_s = 0.02
    storm = Storm(server, outside)
    choice = random.Random(seed)
    executor_kills = 0

    for minute in range(10):
        with started_meanwhile(storm, runs=500):
            # Ten services a minute is what the supervisor bears, whichever they are.
            executor_kills += kill_at_random(server, choice, kills=10, every_s=6)
        if minute % 2:
            server.kill_everything()
        else:
            server.kill_supervisor()
        executor_kills += 1
        server.start()

    assert len(storm.accepted) > 2_500
    storm.check(executor_kills=executor_kills, limit_s=300)
    server.stop()
    server.assert_nothing_left()

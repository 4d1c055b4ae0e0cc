"""Executors on several machines, with PostgreSQL and RabbitMQ: shared work, and every way to lose one."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import templates, web_chain
from tests.e2e.harness import Server, Socket, until
from tests.e2e.members import Cluster
from tests.e2e.test_kills import STEPS, assert_completed, assert_done_once

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]

#: A frozen executor is taken over when the broker has cut it off.
FROZEN_S = 45.0


@pytest.fixture
def start_cluster(tmp_path: Path, outside: EffectCounter) -> Iterator[Callable[..., Cluster]]:
    """Start a cluster with so many executors."""
    with ExitStack() as stack:

        def start(executors: int = 2, **settings: str) -> Cluster:
            made = Cluster(tmp_path, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin, **settings)
            stack.callback(made.finish)
            made.start()
            for _ in range(executors - 1):
                made.add("ExecutionManager")
            return made

        yield start


def owner_of(cluster: Cluster, run_id: str) -> Server:
    """Return the member whose executor has a run, by who has logged its beginning."""
    owner = until(lambda: cluster.owners(run_id)[run_id], what="an owner")
    return until(
        lambda: next(
            (one for one in cluster.executors if owner in one.log("ExecutionManager")), None
        ),
        what=f"the member that is {owner}",
    )


def test_executors_share_the_runs_of_one_user(
    start_cluster: Callable[..., Cluster], outside: EffectCounter
) -> None:
    cluster = start_cluster(executors=3)
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))

    runs = [rest.start(graph, run=f"r{number}") for number in range(12)]
    ended = [rest.ended(graph, run_id) for run_id in runs]

    for number, run in enumerate(ended):
        assert_completed(run)
        assert_done_once(f"r{number}", outside.of(f"r{number}"), kills=0)
    assert len(set(cluster.owners(*runs).values())) > 1
    cluster.assert_nothing_broken()
    cluster.stop()


def test_a_run_goes_on_elsewhere_when_its_executor_is_killed(
    start_cluster: Callable[..., Cluster], outside: EffectCounter
) -> None:
    cluster = start_cluster()
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    run_id = rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)
    owner = owner_of(cluster, run_id)

    owner.kill_everything() if owner is not cluster.server else owner.kill("ExecutionManager")
    run = rest.ended(graph, run_id)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))
    cluster.assert_nothing_broken()


def test_a_frozen_executor_is_replaced_and_changes_nothing_when_it_wakes(
    start_cluster: Callable[..., Cluster], outside: EffectCounter
) -> None:
    cluster = start_cluster()
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    run_id = rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)
    owner = owner_of(cluster, run_id)
    before = cluster.owners(run_id)

    # With its supervisor, which would start it anew.
    for pid in (owner.running.pid, owner.pid("ExecutionManager")):
        signal_to(pid, signal.SIGSTOP)
    begun = time.monotonic()
    until(lambda: cluster.owners(run_id) != before, limit_s=FROZEN_S, what="a takeover")
    taken_s = time.monotonic() - begun
    run = rest.ended(graph, run_id) if owner is not cluster.server else None
    for pid in (owner.pid("ExecutionManager"), owner.running.pid):
        signal_to(pid, signal.SIGCONT)
    run = run or rest.ended(graph, run_id)

    assert taken_s < FROZEN_S
    assert_completed(run)
    assert_done_once("r", outside.of("r"))
    assert cluster.owners(run_id) != before
    cluster.assert_nothing_broken()


def signal_to(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


def test_a_stop_and_events_reach_whoever_it_concerns(
    start_cluster: Callable[..., Cluster], outside: EffectCounter
) -> None:
    cluster = start_cluster()
    outside.slow_s = 0.2
    second = cluster.add("WebsocketServer")
    other_rest = cluster.add("AgentServer")
    graph = cluster.server.rest.add(web_chain(outside.origin, STEPS))
    for number in range(4):
        run_id = other_rest.rest.start(graph, run=f"r{number}")
        watchers = [Socket(cluster.server), Socket(second)]
        for watcher in watchers:
            watcher.subscribe(run_id, after=0)
        outside.wait_for(len(outside.effects) + 2)

        asked = time.monotonic()
        cluster.server.rest.stop(graph, run_id)
        seen = [watcher.until_ended() for watcher in watchers]

        assert time.monotonic() - asked < 5
        for events in seen:
            numbers = [event["data"]["sequence"] for event in events]
            assert numbers == sorted(set(numbers))
            assert events[-1]["data"]["status"] == "TERMINATED"
        for watcher in watchers:
            watcher.close()
    cluster.stop()


def test_a_limit_holds_over_all_executors(
    start_cluster: Callable[..., Cluster], outside: EffectCounter
) -> None:
    cluster = start_cluster(executors=3, MAX_CONCURRENT_GRAPH_EXECUTIONS_PER_USER="2")
    outside.slow_s = 0.1
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, 3))

    runs = [rest.start(graph, run=f"r{number}") for number in range(12)]
    ended = [rest.ended(graph, run_id) for run_id in runs]

    assert {run["status"] for run in ended} == {"COMPLETED"}
    spans = sorted((run["started_at"], run["ended_at"]) for run in ended)
    at_once = max(sum(begun <= other < end for begun, end in spans) for other, _ in spans)
    assert at_once <= 2


def test_short_runs_reach_their_end_on_whatever_executor(
    start_cluster: Callable[..., Cluster],
) -> None:
    cluster = start_cluster(executors=3)
    rest = cluster.server.rest
    graph = rest.add(templates())

    runs = [rest.start(graph, run=f"r{number}") for number in range(100)]

    assert {rest.ended(graph, run_id)["status"] for run_id in runs} == {"COMPLETED"}
    cluster.assert_nothing_broken()

"""Executors on several machines, with PostgreSQL and RabbitMQ: shared work, and every way to lose one."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from backend.adapters.storage.postgres import APPLICATION, application_of
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import templates, web_chain
from tests.e2e.harness import Json, Server, Socket, until
from tests.e2e.members import Cluster
from tests.e2e.test_kills import STEPS, assert_completed, assert_done_once
from tests.frozen import frozen_session

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]

#: Runs of one agent at once, in the whole cluster.
AT_ONCE = 6
#: A frozen executor is taken over when the broker has cut it off.
FROZEN_S = 90.0
_CONNECTED = "broker_connected_again"


@pytest.fixture(scope="module")
def counter() -> Iterator[EffectCounter]:
    made = EffectCounter()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(counter: EffectCounter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three executors, two REST and two WebSocket services. A test leaves all of them at work."""
    made = Cluster(
        tmp_path_factory.mktemp("cluster"),
        TRUST_ENDPOINTS_FOR_REQUESTS=counter.origin,
        MAX_CONCURRENT_GRAPH_EXECUTIONS_PER_USER=str(AT_ONCE),
    )
    try:
        made.start()
        for service in ("ExecutionManager", "ExecutionManager", "AgentServer", "WebsocketServer"):
            made.add(service)
        yield made
        made.assert_nothing_broken()
        made.stop()
    finally:
        made.finish()


@pytest.fixture
def outside(counter: EffectCounter) -> EffectCounter:
    counter.effects.clear()
    counter.slow_s = 0.05
    return counter


def owner_of(cluster: Cluster, run_id: str) -> Server:
    """Return the member whose executor has a run: the one that has said its name."""
    owner = until(lambda: cluster.owners(run_id)[run_id], what="an owner")
    return until(
        lambda: next(
            (one for one in cluster.executors if owner in one.log("ExecutionManager")), None
        ),
        what=f"the member that is {owner}",
    )


def most_at_once(runs: list[Json]) -> int:
    spans = [(run["started_at"], run["ended_at"]) for run in runs]
    return max(len([1 for begun, end in spans if begun <= at < end]) for at, _ in spans)


def test_executors_share_runs_and_a_limit_holds_over_all_of_them(
    cluster: Cluster, outside: EffectCounter
) -> None:
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))

    runs = [rest.start(graph, run=f"r{number}") for number in range(3 * AT_ONCE)]
    ended = [rest.ended(graph, run_id) for run_id in runs]

    for number, run in enumerate(ended):
        assert_completed(run)
        assert_done_once(f"r{number}", outside.of(f"r{number}"), kills=0)
    assert len(set(cluster.owners(*runs).values())) > 1
    assert most_at_once(ended) <= AT_ONCE


def test_a_stop_and_events_reach_whom_they_concern(
    cluster: Cluster, outside: EffectCounter
) -> None:
    outside.slow_s = 0.2
    other_rest, other_ws = cluster.member("AgentServer"), cluster.member("WebsocketServer")
    graph = cluster.server.rest.add(web_chain(outside.origin, STEPS))
    for number in range(4):
        run_id = other_rest.rest.start(graph, run=f"r{number}")
        watchers = [Socket(cluster.server), Socket(other_ws)]
        for watcher in watchers:
            watcher.subscribe(run_id, after=0)
        outside.wait_for(len(outside.effects) + 2)

        cluster.server.rest.stop(graph, run_id)
        seen = [watcher.until_ended() for watcher in watchers]

        for events in seen:
            numbers = [event["data"]["sequence"] for event in events]
            assert numbers == sorted(set(numbers))
            assert events[-1]["data"]["status"] == "TERMINATED"
        for watcher in watchers:
            watcher.close()


def test_many_short_runs_reach_their_end(cluster: Cluster) -> None:
    rest = cluster.server.rest
    graph = rest.add(templates())

    runs = [rest.start(graph, run=f"r{number}") for number in range(60)]

    assert {rest.ended(graph, run_id)["status"] for run_id in runs} == {"COMPLETED"}


def test_a_run_goes_on_elsewhere_when_its_executor_is_killed(
    cluster: Cluster, outside: EffectCounter
) -> None:
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    run_id = rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    owner_of(cluster, run_id).kill("ExecutionManager")
    run = rest.ended(graph, run_id)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))


def test_runs_end_though_a_whole_machine_is_gone(cluster: Cluster, outside: EffectCounter) -> None:
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    runs = [rest.start(graph, run=f"r{number}") for number in range(4)]
    outside.wait_for(STEPS)

    lost = cluster.member("ExecutionManager")
    lost.kill_everything()
    ended = [rest.ended(graph, run_id) for run_id in runs]
    lost.start()

    for number, run in enumerate(ended):
        assert_completed(run)
        assert_done_once(f"r{number}", outside.of(f"r{number}"))


def test_a_frozen_executor_is_replaced_and_changes_nothing_when_it_wakes(
    cluster: Cluster, outside: EffectCounter
) -> None:
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    run_id = rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)
    owner, before = owner_of(cluster, run_id), cluster.owners(run_id)
    connected = owner.log("ExecutionManager").count(_CONNECTED)
    mine = application_of(before[run_id] or "")
    locks = f"SELECT id FROM executions WHERE id = '{run_id}' FOR UPDATE"
    # With its supervisor, which would start it anew. Of the whole server REST is frozen by nobody.
    pids = (owner.running.pid, owner.pid("ExecutionManager"))

    with ExitStack() as frozen:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            frozen.callback(os.kill, pid, signal.SIGCONT)
        # What it was in the middle of has the run locked, and no limit of PostgreSQL ends it.
        frozen.enter_context(
            frozen_session(cluster.url, mine, state="idle in transaction", statement=locks)
        )
        until(lambda: cluster.owners(run_id) != before, limit_s=FROZEN_S, what="a takeover")
        run = rest.ended(graph, run_id)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))
    after = cluster.owners(run_id)
    # What it wakes up with reaches the database before that, if anything does.
    until(
        lambda: owner.log("ExecutionManager").count(_CONNECTED) > connected,
        what="the executor that woke",
    )
    assert (cluster.owners(run_id), rest.run(graph, run_id)) == (after, run)


def test_who_is_frozen_in_the_middle_of_a_commit_keeps_nobody_from_its_rows(
    cluster: Cluster, outside: EffectCounter
) -> None:
    """No limit of PostgreSQL ends such a session: the members do."""
    rest = cluster.server.rest
    graph = rest.add(web_chain(outside.origin, STEPS))
    run_id = rest.start(graph, run="r")
    outside.wait_for(1)
    locks = f"SELECT id FROM executions WHERE id = '{run_id}' FOR UPDATE"

    with frozen_session(cluster.url, APPLICATION, statement=locks):
        assert rest.run(graph, run_id)["status"] == "RUNNING"
        run = rest.ended(graph, run_id, limit_s=FROZEN_S)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))


def test_an_executor_that_is_stopped_gives_its_runs_back(
    cluster: Cluster, outside: EffectCounter
) -> None:
    rest = cluster.server.rest
    outside.slow_s = 0.3
    graph = rest.add(web_chain(outside.origin, STEPS))
    runs = [rest.start(graph, run=f"r{number}") for number in range(AT_ONCE)]
    outside.wait_for(STEPS)

    leaving = cluster.member("ExecutionManager")
    leaving.stop()
    ended = [rest.ended(graph, run_id) for run_id in runs]
    leaving.start()

    for number, run in enumerate(ended):
        assert_completed(run)
        assert_done_once(f"r{number}", outside.of(f"r{number}"), kills=0)

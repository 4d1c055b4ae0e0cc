"""The servers that a cluster stands on are restarted in the middle of its runs."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import until
from tests.e2e.members import Cluster
from tests.e2e.test_cluster_storm import Load
from tests.private_broker import PrivateBroker
from tests.private_postgres import PrivatePostgres

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = 12


@pytest.fixture
def cluster(
    tmp_path: Path,
    outside: EffectCounter,
    private_postgres: PrivatePostgres,
    private_broker: PrivateBroker,
) -> Iterator[Cluster]:
    """Two executors on servers that nobody else uses."""
    made = Cluster(
        tmp_path,
        database=private_postgres.url,
        broker=private_broker.url,
        TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin,
    )
    try:
        made.start()
        made.add("ExecutionManager")
        yield made
    finally:
        made.finish()


def assert_history(cluster: Cluster, outside: EffectCounter, runs: dict[str, str]) -> None:
    """All runs, by their names, came to a good end; an attempt more may repeat one call."""
    with psycopg.connect(cluster.url) as connection:
        rows = connection.execute("SELECT id, status, attempt FROM executions").fetchall()
    found = {run_id: (status, attempt) for run_id, status, attempt in rows}
    for name, run_id in runs.items():
        status, attempt = found[run_id]
        done = outside.of(name)
        assert status == "COMPLETED"
        assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
        assert sum(len(effects) - 1 for effects in done.values()) <= attempt - 1
        assert all(len({effect.key for effect in effects}) == 1 for effects in done.values())
    cluster.assert_nothing_broken()


def ended(cluster: Cluster, graph: str, runs: dict[str, str]) -> None:
    for run_id in runs.values():
        cluster.server.rest.ended(graph, run_id, limit_s=120)


def test_runs_live_through_a_crash_of_the_database_and_a_restart_of_the_broker(
    cluster: Cluster,
    outside: EffectCounter,
    private_postgres: PrivatePostgres,
    private_broker: PrivateBroker,
) -> None:
    rest = cluster.server.rest
    outside.slow_s = 0.2
    graph = rest.add(web_chain(outside.origin, STEPS))
    runs = {f"r{number}": rest.start(graph, run=f"r{number}") for number in range(8)}

    outside.wait_for(2 * len(runs))
    private_postgres.crash()
    time.sleep(1.0)
    private_postgres.start()
    outside.wait_for(6 * len(runs), limit_s=90)
    private_broker.stop_application()
    late = rest.start(graph, run="late")  # the broker tells nobody of it
    private_broker.start_application()
    ended(cluster, graph, {**runs, "late": late})

    assert_history(cluster, outside, {**runs, "late": late})


@pytest.mark.chaos
def test_runs_live_through_five_minutes_of_crashes_of_the_database(
    cluster: Cluster, outside: EffectCounter, private_postgres: PrivatePostgres
) -> None:
    graph = cluster.server.rest.add(web_chain(outside.origin, STEPS))
    load, enough, chance = Load(cluster, graph), threading.Event(), random.Random(5)
    workers = [
        threading.Thread(target=load.work, args=(f"w{number}", enough)) for number in range(3)
    ]
    for worker in workers:
        worker.start()
    crashes, end = 0, time.monotonic() + 300
    try:
        while time.monotonic() < end:
            time.sleep(chance.uniform(5, 40))
            private_postgres.crash()
            time.sleep(chance.uniform(0, 3))
            private_postgres.start()
            crashes += 1
    finally:
        enough.set()
        for worker in workers:
            worker.join()
    until(lambda: load.accepted, what="a run")
    ended(cluster, graph, load.accepted)

    assert crashes > 5
    assert_history(cluster, outside, load.accepted)

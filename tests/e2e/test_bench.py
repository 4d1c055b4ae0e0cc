"""Each workload of the bench, small: that it measures what it says. No times are judged here."""

import json
import subprocess
import sys

import pytest

from bench.__main__ import _read
from bench.api import api, routes
from bench.clients import clients
from bench.events import events
from bench.fair import fair, stop
from bench.figures import slope, spread
from bench.growth import growth
from bench.kill import w5
from bench.move import move
from bench.schedules import fired
from bench.seed import Sizes
from bench.soak import soak
from tests.house.source import ROOT
from tests.services import require_service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SMALL = Sizes(
    runs=400, nodes=3, graphs=20, versions=3, schedules=5, reviews=20, notices=10, strangers_runs=20
)


async def test_w5_finds_that_nothing_finished_is_redone_and_nothing_lost() -> None:
    found = await w5(steps=6, slow_s=0.05)

    assert found["finished_before_the_kill"] >= 1
    assert (found["finished_steps_redone"], found["lost"]) == (0, 0)
    assert found["steps_asked_twice"] <= 1
    assert found["status"] == "COMPLETED"


async def test_api_measures_every_route_over_the_history_it_was_given() -> None:
    found = await api(sizes=SMALL, times=2)

    assert (found["runs"], found["node_executions"]) == (400, 1200)
    assert set(found["routes"]) == {*routes(SMALL), "WebSocket: all changes of a run"}
    assert all(set(one) == {"p50_ms", "p99_ms", "worst_ms"} for one in found["routes"].values())


async def test_events_arrive_all_of_them() -> None:
    found = await events(busy=2, idle=6, rate=200, seconds=0.5)

    for kind, sockets in (("few sockets", 2), ("many sockets", 8)):
        assert found[kind]["sockets"] == sockets
        assert found[kind]["received"] == found[kind]["published"] >= 50


async def test_a_move_under_load_loses_no_run_on_the_way_there_and_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", require_service("postgres"))
    monkeypatch.setenv("RABBITMQ_URL", require_service("rabbitmq"))

    found = await move(sizes=SMALL, per_s=20)

    for way in (found["to_postgresql"], found["back_to_sqlite"]):
        assert (way["runs_lost"], way["said"]["started"]) == (0, True)
        assert way["runs"] > 20
        assert way["requests_made_again"] > 0
        assert 0 < way["said"]["stop_s"] < way["all_s"]
        assert way["said"]["changed_at_last"] < way["said"]["changed_meanwhile"]


async def test_growth_compares_a_size_with_ten_times_as_much() -> None:
    found = await growth(kinds=["history"], runs=10, history=20, times=1)

    assert set(found) == {"history"}
    one = found["history"]
    assert one["size"] == 20
    assert one["ratio"] == pytest.approx(one["cost_of_ten_times_s"] / one["cost_s"], rel=0.05)


async def test_fair_measures_waits_beside_a_long_queue() -> None:
    found = await fair(runs=300, few=5)

    assert found["still_waiting_at_the_end"] >= 0
    assert (
        found["alone"].keys()
        == found["beside"].keys()
        == {"p50_ms", "p95_ms", "p99_ms", "worst_ms"}
    )


async def test_stop_measures_runs_that_end_as_terminated() -> None:
    assert (await stop(runs=3))["runs"] == 3


async def test_schedules_all_fire() -> None:
    found = await fired(20, 0.5, 1)

    assert found["fired"] == 20
    assert found["p99_ms"] >= found["p50_ms"]


async def test_soak_watches_memory_handles_and_threads() -> None:
    found = await soak(runs=60, each=20)

    assert found["runs"] == 60
    kinds = ("memory_mb", "file_handles", "threads", "runs_per_s")
    assert [len(found[kind]) for kind in kinds] == [3, 3, 3, 3]
    assert min(found["threads"]) >= 6


async def test_clients_of_all_kinds_are_served_at_once() -> None:
    found = await clients(connections=60, reads_per_s=100, runs_per_s=40, seconds=0.5)

    assert (found["connections"], found["sockets"]) == (60, 12)
    assert (found["errors"], found["runs that did not end"]) == ({}, 0)
    assert found["frames"] > 0
    assert found["open files"]["AgentServer"] > 48


def test_an_unknown_workload_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench", "w17"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "'w17' is none of w1, " in ended.stderr


def test_without_a_name_the_quick_ones_are_measured() -> None:
    assert _read([]).workloads == []
    assert _read(["w1", "soak"]).workloads == ["w1", "soak"]


def test_sums_are_right() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"p50_ms": 2.0, "p99_ms": 3.0, "worst_ms": 3.0}
    assert slope([5.0, 7.0, 9.0]) == 2.0
    assert json.dumps(slope([1.0])) == "0.0"

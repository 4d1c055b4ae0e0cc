"""A schedule of a whole server fires when its minute comes. The rules: unit tests of the ticker."""

from functools import partial
from itertools import pairwise

import pytest

from tests.e2e.graphs import templates
from tests.e2e.harness import Json, Server, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def assert_each_once(server: Server, *, seconds: int, kills_every: int) -> None:
    """Kill the scheduler again and again; every second's fire must be there, once."""
    graph = server.rest.add(templates())
    made = [
        server.rest.post(
            f"/graphs/{graph}/schedules",
            {
                "name": f"often {number}",
                "cron": "@every 1s",
                "inputs": {"run": "tick"},
                "graph_version": 1,
                "missed": "all",
            },
        )["id"]
        for number in range(5)
    ]

    def fired(wanted: int) -> bool | None:
        return server.rows("SELECT count(*) FROM schedule_fires") >= [(wanted,)] or None

    for kill in range(1, seconds // kills_every + 1):
        server.kill("Scheduler")
        until(partial(fired, len(made) * kills_every * kill), limit_s=120)
    for one in made:
        assert server.rest.ask("PATCH", f"/schedules/{one}", {"is_paused": True}).status_code == 200

    rows = server.rows("SELECT schedule_id, fire_us, run_id FROM schedule_fires ORDER BY 1, 2")
    assert len({run for _, _, run in rows}) == len(rows)
    for one in made:
        times = [fire_us for schedule, fire_us, _ in rows if schedule == one]
        assert {after - before for before, after in pairwise(times)} == {1_000_000}


@pytest.mark.both_stores
def test_a_scheduler_that_is_killed_again_and_again_fires_each_once(server: Server) -> None:
    assert_each_once(server, seconds=6, kills_every=2)


@pytest.mark.chaos
def test_a_storm_of_kills_loses_and_doubles_no_fire(server: Server) -> None:
    assert_each_once(server, seconds=180, kills_every=3)


def test_a_schedule_that_is_due_every_minute_fires_once_in_the_next(server: Server) -> None:
    """Though the scheduler is killed while it waits."""
    graph = server.rest.add(templates())
    made = server.rest.post(
        f"/graphs/{graph}/schedules",
        {"name": "often", "cron": "* * * * *", "inputs": {"run": "tick"}, "graph_version": 1},
    )
    server.kill("Scheduler")

    def ended() -> Json | None:
        found = server.rest.get(f"/graphs/{graph}/executions")["executions"]
        return next((run for run in found if run["ended_at"]), None)

    run = until(ended, limit_s=75)

    assert run["status"] == "COMPLETED"
    assert server.rest.run(graph, run["id"])["outputs"] == {"answer": ["tick!!!"]}
    fires = server.rows("SELECT schedule_id, run_id FROM schedule_fires")
    assert fires == [(made["id"], run["id"])]

"""A schedule of a whole server fires when its minute comes. The rules: unit tests of the ticker."""

import pytest

from tests.e2e.graphs import templates
from tests.e2e.harness import Json, Server, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


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

"""What owners change of their schedules, and what stays as it was."""

from typing import Any

import pytest

from backend.services import schedules
from tests.contract.rest_server import RestServer

BERLIN: dict[str, Any] = {
    "name": "Nine",
    "cron": "0 9 * * *",
    "inputs": {"text": "hello"},
    "timezone": "Europe/Berlin",
}


async def made(server: RestServer, **more: Any) -> dict[str, Any]:
    graph = await server.new_graph()
    response = await server.ask("POST", f"/api/graphs/{graph['id']}/schedules", BERLIN | more)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def changed(server: RestServer, schedule: dict[str, Any], **change: Any) -> dict[str, Any]:
    response = await server.ask("PATCH", f"/api/schedules/{schedule['id']}", change)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert (await server.ask("GET", f"/api/schedules/{schedule['id']}")).json() == found
    return found


async def test_what_is_not_named_stays(server: RestServer) -> None:
    schedule = await made(server, overlap="queue", missed="all", jitter_s=60)

    after = await changed(server, schedule, name="Ten")

    assert after == schedule | {"name": "Ten"}


async def test_a_fire_that_is_due_is_not_lost_when_something_else_is_changed(
    server: RestServer,
) -> None:
    """The scheduler may be late: what is due now must not become what is due tomorrow."""
    schedule = await made(server)
    server.clock.pass_time(days=3)

    renamed = await changed(server, schedule, name="Ten")
    moved = await changed(server, schedule, cron="0 10 * * *")

    assert renamed["next_run_time"] == schedule["next_run_time"] == "2026-01-01T09:00:00+01:00"
    assert moved["next_run_time"] == "2026-01-04T10:00:00+01:00"


async def test_what_a_pause_leaves_out_is_not_made_up_for(server: RestServer) -> None:
    schedule = await made(server)

    paused = await changed(server, schedule, is_paused=True)
    server.clock.pass_time(days=3)
    edited = await changed(server, schedule, cron="0 8 * * *")
    resumed = await changed(server, schedule, is_paused=False)

    assert (paused["paused_because"], paused["next_run_times"]) == ("paused by its owner", [])
    assert (edited["is_paused"], edited["next_run_time"]) == (True, "")
    assert resumed["next_run_time"] == "2026-01-04T08:00:00+01:00"
    assert not resumed["is_paused"]


async def test_only_who_asks_is_shown_what_is_paused(server: RestServer) -> None:
    schedule = await made(server)
    await changed(server, schedule, is_paused=True)

    for path in ("/api/schedules", f"/api/graphs/{schedule['graph_id']}/schedules"):
        assert (await server.ask("GET", path)).json() == []
        [found] = (await server.ask("GET", f"{path}?include_paused=true")).json()
        assert (found["id"], found["is_paused"]) == (schedule["id"], True)


async def test_rules_are_changed_one_by_one_and_taken_back_by_null(server: RestServer) -> None:
    schedule = await made(server, starts_at="2026-02-01T00:00", skipped_times="skip")

    ended = await changed(server, schedule, ends_at="2026-02-02T23:00:00+01:00")
    freed = await changed(server, schedule, starts_at=None, ends_at=None)

    assert schedule["starts_at"] == ended["starts_at"] == "2026-02-01T00:00:00+01:00"
    assert ended["next_run_times"] == ["2026-02-01T09:00:00+01:00", "2026-02-02T09:00:00+01:00"]
    assert (freed["starts_at"], freed["ends_at"]) == (None, None)
    assert freed["next_run_time"] == "2026-01-01T09:00:00+01:00"
    assert freed["skipped_times"] == "skip"


async def test_another_zone_is_another_time(server: RestServer) -> None:
    schedule = await made(server)

    after = await changed(server, schedule, timezone="Asia/Tokyo")

    assert after["next_run_time"] == "2026-01-02T09:00:00+09:00"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"cron": "0 9 * *"}, 400, "it needs 5"),
        ({"cron": "@at 2025-01-01T00:00"}, 400, "never fires from now on"),
        ({"ends_at": "2025-01-01T00:00"}, 400, "never fires from now on"),
        ({"timezone": "Moon"}, 400, "unknown timezone"),
        ({"graph_version": 7}, 404, "not found"),
        ({"is_paused": True, "cron": "often"}, 400, "it needs 5"),
        ({"is_paused": True, "graph_version": 7}, 404, "v7 not found"),
        ({"name": ""}, 422, "name"),
    ],
)
async def test_what_could_not_be_made_is_not_kept(
    server: RestServer, change: dict[str, Any], status: int, said: str
) -> None:
    schedule = await made(server)
    path = f"/api/schedules/{schedule['id']}"

    response = await server.ask("PATCH", path, change)

    assert (response.status_code, said in response.text) == (status, True), response.text
    assert (await server.ask("GET", path)).json() == schedule


async def test_a_run_at_once_is_a_schedules_run_and_moves_nothing(server: RestServer) -> None:
    schedule = await made(server)

    started = await server.ask("POST", f"/api/schedules/{schedule['id']}/run")

    run = started.json()
    assert (run["graph_id"], run["inputs"]) == (schedule["graph_id"], {"text": "hello"})
    assert (await server.ask("GET", f"/api/schedules/{schedule['id']}")).json() == schedule
    stored = await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT trigger FROM executions").scalar()
    )
    assert stored == "schedule"


async def test_schedules_that_have_ended_do_not_count_and_the_oldest_of_them_go(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "MAX_SCHEDULES", 1)
    monkeypatch.setattr(schedules, "MAX_ENDED", 2)
    ended = [await made(server) for _ in range(1)]
    end = "UPDATE schedules SET next_us = NULL"
    for _ in range(3):
        await server.storage.database.write(lambda c: c.exec_driver_sql(end))
        ended.append(await made(server))

    found = (await server.ask("GET", "/api/schedules?include_paused=true")).json()
    assert [one["id"] for one in found] == [one["id"] for one in ended[-3:]]

    graph = ended[0]["graph_id"]
    refused = await server.ask("POST", f"/api/graphs/{graph}/schedules", BERLIN)
    assert refused.status_code == 400
    assert "there are 1 schedules already" in refused.text

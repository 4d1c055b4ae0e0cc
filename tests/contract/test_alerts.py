"""Alerts on agents over REST: set, shown, changed and taken away."""

from typing import Any, Final

import pytest

from backend.services import alerts
from tests.contract.rest_server import Json, RestServer
from tests.contract.test_wrong_requests import UNKNOWN

ALERTS: Final = "/api/graphs/{graph}/alerts"


async def agent(server: RestServer) -> str:
    """Return where the alerts of a new agent are."""
    return ALERTS.format(graph=(await server.new_graph())["id"])


async def added(server: RestServer, path: str, **body: Any) -> Json:
    response = await server.ask("POST", path, body)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def test_an_alert_is_set_shown_changed_and_taken_away(server: RestServer) -> None:
    path = await agent(server)
    made = await added(server, path, kind="failed_in_row", threshold=3, names_block=True)

    assert (made["fired_count"], made["last_fired_at"], made["is_active"]) == (0, None, True)
    assert made["description"] == "3 runs in a row failed"
    assert (await server.ask("GET", path)).json() == [made]

    one = f"{path}/{made['id']}"
    changed = await server.ask("PATCH", one, {"threshold": 5, "is_active": False})
    assert changed.json() == made | {
        "threshold": 5,
        "is_active": False,
        "description": "5 runs in a row failed",
    }
    assert (await server.ask("GET", one)).json() == changed.json()

    assert (await server.ask("DELETE", one)).status_code == 204
    assert (await server.ask("GET", path)).json() == []


async def test_alerts_of_an_agent_are_bounded_and_go_with_it(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "MAX_ALERTS", 1)
    path = await agent(server)
    await added(server, path, kind="failed")

    refused = await server.ask("POST", path, {"kind": "failed"})
    assert refused.status_code == 400
    assert "has 1 alerts already" in refused.text

    assert (await server.ask("DELETE", path.removesuffix("/alerts"))).status_code == 200
    assert (await server.ask("GET", path)).json() == []


REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("no kind", "POST", ALERTS, {}, 422, "kind"),
    ("an unknown kind", "POST", ALERTS, {"kind": "sad"}, 422, "failed_in_row"),
    ("a threshold of none", "POST", ALERTS, {"kind": "slower_than", "threshold": 0}, 422, "greater"),
    ("a huge threshold", "POST", ALERTS, {"kind": "slower_than", "threshold": 2**60}, 422, "less"),
    ("a part", "POST", ALERTS, {"kind": "slower_than", "threshold": 0.5}, 422, "integer"),
    ("a misspelt name", "POST", ALERTS, {"kind": "failed", "treshold": 2}, 422, "Extra inputs"),
    ("two failures", "POST", ALERTS, {"kind": "failed", "threshold": 2}, 400, "failed_in_row counts"),
    ("no block", "POST", ALERTS, {"kind": "no_run_for", "threshold": 9, "names_block": True}, 400, "name the block"),
    ("no number of runs", "POST", ALERTS, {"kind": "failed_in_row"}, 400, "a threshold, in runs"),
    ("no time", "POST", ALERTS, {"kind": "no_run_for"}, 400, "needs a threshold, in seconds"),
    ("no agent", "POST", ALERTS.format(graph=UNKNOWN), {"kind": "failed"}, 404, "not found"),
    ("reading none", "GET", f"{ALERTS}/{UNKNOWN}", None, 404, "not found"),
    ("changing none", "PATCH", f"{ALERTS}/{UNKNOWN}", {"threshold": 2}, 404, "not found"),
    ("a wrong change", "PATCH", f"{ALERTS}/{{alert}}", {"threshold": 2}, 400, "failed_in_row"),
    ("deleting none", "DELETE", f"{ALERTS}/{UNKNOWN}", None, 404, "not found"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_changes(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    graph = (await server.new_graph())["id"]
    mine = ALERTS.format(graph=graph)
    made = await added(server, mine, kind="failed")

    response = await server.ask(
        method, path.replace("{graph}", graph).replace("{alert}", made["id"]), body
    )

    assert (response.status_code, says in response.text) == (status, True), response.text
    assert (await server.ask("GET", mine)).json() == [made]

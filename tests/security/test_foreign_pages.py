"""What a page of somebody else can make a browser do with this server: nothing."""

import json
from collections.abc import AsyncIterator

import pytest

from backend.api.routing import PublicRoute
from tests.contract.ownership import all_rows, route_names
from tests.contract.rest_server import RestServer, rest_server, sample_graph
from tests.contract.test_wrong_requests import UNKNOWN

EVIL = "https://evil.example"
ORIGINS = [EVIL, "null", "http://localhost:3000.evil.example", "http://localhost:3001", ""]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_no_route_lets_a_foreign_page_read_its_answers(
    server: RestServer, origin: str
) -> None:
    asked = 0
    for name, route in route_names(server):
        path = route.path.format(**dict.fromkeys(route.param_convertors, UNKNOWN))
        for method in (name.split()[0], "OPTIONS"):
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization",
            }
            response = await server.client.request(method, path, headers=headers)
            allowed = response.headers.get("Access-Control-Allow-Origin")
            assert allowed is None, (name, allowed)
            asked += 1

    assert asked > 80


async def test_no_answer_is_for_everybody_with_credentials(server: RestServer) -> None:
    for name, route in route_names(server):
        path = route.path.format(**dict.fromkeys(route.param_convertors, UNKNOWN))
        response = await server.ask(
            name.split()[0], path, headers={"Origin": "http://localhost:3000"}
        )
        assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000", name
        assert "Origin" in response.headers["Vary"], name


async def test_nothing_a_browser_adds_by_itself_lets_anybody_in(server: RestServer) -> None:
    """Cookies and basic credentials go with every request that a page causes; tokens do not."""
    headers = {"Cookie": "access_token=x; session=y; token=z", "Origin": EVIL}

    for name, route in route_names(server):
        if isinstance(route, PublicRoute):
            continue
        path = route.path.format(**dict.fromkeys(route.param_convertors, UNKNOWN))
        response = await server.client.request(name.split()[0], path, headers=headers)
        assert response.status_code >= 400, name


@pytest.fixture
async def everybodys() -> AsyncIterator[RestServer]:
    """A server on loopback that asks nobody to sign in."""
    async with rest_server(auth_enabled=False, everybody_is_owner=True) as made:
        made.client.base_url = "http://127.0.0.1:8006"
        yield made


@pytest.mark.parametrize("origin", ORIGINS)
async def test_without_sign_in_a_foreign_page_changes_nothing(
    everybodys: RestServer, origin: str
) -> None:
    """A form's or a script's request of a simple kind is sent without asking first."""
    body = json.dumps({"graph": sample_graph()})
    before = all_rows(everybodys)

    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        response = await everybodys.client.post(
            "/api/graphs", content=body, headers={"Origin": origin, "Content-Type": kind}
        )
        assert response.status_code == 403

    assert all_rows(everybodys) == before


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8006", "localhost.evil.example", "10.0.0.1", "", "[::2]"]
)
async def test_without_sign_in_a_name_that_was_pointed_here_is_not_ours(
    everybodys: RestServer, host: str
) -> None:
    """The browser takes it for the page's own server, and sends no foreign origin."""
    headers = {"Host": host, "Origin": f"http://{host}"}

    response = await everybodys.client.get("/api/graphs", headers=headers)

    assert response.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Host": "localhost:8006", "Origin": "http://localhost:8006"},
        {"Host": "[::1]:8006", "Origin": "http://[::1]:8006"},
        {"Host": "LOCALHOST"},
    ],
)
async def test_without_sign_in_programs_and_own_pages_are_served(
    everybodys: RestServer, headers: dict[str, str]
) -> None:
    graph = {"graph": sample_graph()}

    response = await everybodys.client.post("/api/graphs", json=graph, headers=headers)

    assert response.status_code == 200


async def test_without_sign_in_senders_of_webhooks_still_reach_theirs(
    everybodys: RestServer,
) -> None:
    """They come from outside, through whatever the operator has put before the server."""
    path = f"/api/integrations/generic_webhook/webhooks/{UNKNOWN}/ingress"

    response = await everybodys.client.post(path, json={}, headers={"Host": "hooks.example"})

    assert response.status_code == 404

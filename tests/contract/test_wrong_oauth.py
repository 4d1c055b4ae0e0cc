"""Requests about apps that nobody can answer: the right 4xx, nothing written."""

from typing import Any

import pytest

from tests.contract.oauth import OAUTH, VERIFIER, challenge_of, make_app, png
from tests.contract.rest_server import RestServer
from tests.contract.test_wrong_requests import UNKNOWN

#: Bodies with all that they must have, for a client that there is not.
LEAVE: dict[str, Any] = {
    "client_id": "agpt_client_nobody",
    "redirect_uri": "https://app.example/",
    "scopes": ["IDENTITY"],
    "state": "s",
    "code_challenge": challenge_of(VERIFIER),
}
CLIENT: dict[str, Any] = {"client_id": "agpt_client_nobody", "client_secret": "agpt_x"}
BY_CODE: dict[str, Any] = {
    **CLIENT,
    "grant_type": "authorization_code",
    "code": "c",
    "redirect_uri": "https://app.example/",
    "code_verifier": VERIFIER,
}
BY_REFRESH: dict[str, Any] = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "r"}
TOKEN: dict[str, Any] = {**CLIENT, "token": "t"}
_APP = f"{OAUTH}/apps/{{app}}"

#: What is wrong, method, path, body ({app} is there), status, what it says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("leave without a body", "POST", f"{OAUTH}/authorize", None, 422, "Field required"),
    ("leave without a challenge", "POST", f"{OAUTH}/authorize", {**LEAVE, "code_challenge": None}, 422, "code_challenge"),
    ("leave of another method", "POST", f"{OAUTH}/authorize", {**LEAVE, "code_challenge_method": "S1"}, 422, "S256"),
    ("leave for nobody", "POST", f"{OAUTH}/authorize", LEAVE, 400, "no such app"),
    ("an unknown client", "GET", f"{OAUTH}/app/agpt_client_nobody", None, 404, "not found"),
    ("tokens without a body", "POST", f"{OAUTH}/token", None, 422, "Field required"),
    ("tokens for a magic word", "POST", f"{OAUTH}/token", {**BY_CODE, "grant_type": "password"}, 422, "authorization_code"),
    ("tokens for nobody", "POST", f"{OAUTH}/token", BY_CODE, 401, "no such client"),
    ("new tokens for nobody", "POST", f"{OAUTH}/token", BY_REFRESH, 401, "no such client"),
    ("a question of nobody", "POST", f"{OAUTH}/introspect", TOKEN, 401, "no such client"),
    ("a question about nothing", "POST", f"{OAUTH}/introspect", CLIENT, 422, "token"),
    ("revoking by nobody", "POST", f"{OAUTH}/revoke", TOKEN, 401, "no such client"),
    ("revoking with a strange hint", "POST", f"{OAUTH}/revoke", {**TOKEN, "token_type_hint": "x"}, 422, "access_token"),
    ("a state in words", "PATCH", f"{_APP}/status", {"is_active": "yes"}, 422, "boolean"),
    ("no state", "PATCH", f"{_APP}/status", {}, 422, "Field required"),
    ("the state of no app", "PATCH", f"{OAUTH}/apps/{UNKNOWN}/status", {"is_active": True}, 404, "not found"),
    ("a logo elsewhere", "PATCH", f"{_APP}/logo", {"logo_url": "https://x.example/"}, 400, "uploaded"),
    ("the logo of no app", "PATCH", f"{OAUTH}/apps/{UNKNOWN}/logo", {"logo_url": ""}, 404, "not found"),
    ("a logo that is not there", "GET", f"{_APP}/logo", None, 404, "no logo"),
    ("a logo in JSON", "POST", f"{_APP}/logo/upload", {"file": "x"}, 422, "Field required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    await server.ask("POST", "/api/auth/user")
    shown = await make_app(server)
    before = await server.row_counts()

    response = await server.ask(method, path.format(app=shown.app.id), body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert await server.row_counts() == before


async def test_a_logo_for_no_app_is_not_kept(server: RestServer) -> None:
    before = await server.row_counts()

    refused = await server.ask(
        "POST", f"{OAUTH}/apps/{UNKNOWN}/logo/upload", files={"file": ("a.png", png())}
    )

    assert refused.status_code == 404
    assert await server.row_counts() == before

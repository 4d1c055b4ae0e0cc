"""Requests about credentials that nobody can answer: the right 4xx, nothing written, no secret repeated."""

from typing import Any

import pytest

from tests.contract.rest_server import RestServer
from tests.contract.stored import API_KEY, CANARY, EVERY_KIND, INTEGRATIONS, OAUTH2

UNKNOWN = "00000000-0000-4000-8000-000000000000"
X = f"{INTEGRATIONS}/x/credentials"

#: What is wrong, method, path, body, status, what it says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("no type", "POST", X, {"provider": "x", "api_key": CANARY}, 422, "type"),
    ("an unknown type", "POST", X, {**API_KEY, "type": "magic"}, 422, "magic"),
    ("no secret", "POST", X, {"type": "api_key", "provider": "x", "title": CANARY}, 422, "api_key"),
    ("an empty key", "POST", X, {**API_KEY, "api_key": ""}, 422, "empty"),
    ("a key in a list", "POST", X, {**API_KEY, "api_key": [CANARY]}, 422, "string"),
    ("a key with a line break", "POST", X, {**API_KEY, "api_key": f"{CANARY}\r\nX: y"}, 400, "line break"),
    ("a key with U+0000", "POST", X, {**API_KEY, "api_key": f"{CANARY}\x00"}, 422, "U+0000"),
    ("a key of 1 MB", "POST", X, {**API_KEY, "api_key": CANARY * 60_000}, 422, "at most"),
    ("an expiry in words", "POST", X, {**API_KEY, "expires_at": "soon"}, 422, "integer"),
    ("no host", "POST", X, {"type": "host_scoped", "provider": "x", "headers": {"X": CANARY}}, 422, "host"),
    ("a host that is none", "POST", X, {**EVERY_KIND["http"], "host": "///"}, 400, "host"),
    ("a header that is none", "POST", X, {**EVERY_KIND["http"], "headers": {"a b": CANARY}}, 400, "header"),
    ("the header Host", "POST", X, {**EVERY_KIND["http"], "headers": {"Host": CANARY}}, 400, "Host"),
    ("a header with a line break", "POST", X, {**EVERY_KIND["http"], "headers": {"X": f"{CANARY}\n"}}, 400, "character"),
    ("no scopes", "POST", X, {**OAUTH2, "scopes": None}, 422, "list"),
    ("a list", "POST", X, [API_KEY], 422, "dictionary"),
    ("no body", "POST", X, None, 422, "required"),
    ("reading what is not there", "GET", f"{X}/{UNKNOWN}", None, 404, "not found"),
    ("reading an id with U+0000", "GET", f"{X}/a%00b", None, 404, "not found"),
    ("deleting what is not there", "DELETE", f"{X}/{UNKNOWN}", None, 404, "not found"),
    ("force in words", "DELETE", f"{X}/{UNKNOWN}?force=perhaps", None, 422, "boolean"),
    ("a sign-in where there is none", "GET", f"{INTEGRATIONS}/openai/login", None, 404, "cannot be connected"),
    ("a sign-in where we are no client", "GET", f"{INTEGRATIONS}/github/login", None, 501, "GITHUB_CLIENT_ID"),
    ("the end of one where there is none", "POST", f"{INTEGRATIONS}/openai/callback", {"code": CANARY, "state_token": CANARY}, 404, "cannot be connected"),
    ("an end without a code", "POST", f"{INTEGRATIONS}/github/callback", {"state_token": CANARY}, 422, "code"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_without_a_secret_in_the_answer(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    before = await server.row_counts()

    response = await server.ask(method, path, body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert CANARY not in response.text
    after = await server.row_counts()
    assert {**after, "users": 0} == {**before, "users": 0}

"""Requests about API keys that nobody can answer: the right 4xx, nothing written."""

from typing import Any

import pytest

from tests.contract.api_keys import KEYS, make_key, new_key
from tests.contract.rest_server import RestServer
from tests.contract.test_wrong_requests import UNKNOWN

#: What is wrong, method, path, body ({key} and {revoked} are there), status, what it says.
REQUESTS: list[tuple[str, str, str, Any, int, str]] = [
    ("no body", "POST", KEYS, None, 422, "Field required"),
    ("a body that is a list", "POST", KEYS, [], 422, "dictionary"),
    ("no permissions", "POST", KEYS, {"name": "n"}, 422, "permissions"),
    ("no name", "POST", KEYS, new_key(name=""), 422, "at least 1 character"),
    ("a name with U+0000", "POST", KEYS, new_key(name="a\x00"), 422, "U+0000"),
    ("a permission that there is not", "POST", KEYS, new_key(permissions=["ALL"]), 422, "IDENTITY"),
    ("permissions in a text", "POST", KEYS, new_key(permissions="IDENTITY"), 422, "list"),
    ("a thousand permissions", "POST", KEYS, new_key(permissions=["IDENTITY"] * 1000), 422, "at most"),
    ("an end in the past", "POST", KEYS, new_key(expires_at="2025-01-01T00:00:00Z"), 400, "future"),
    ("an end at this moment", "POST", KEYS, new_key(expires_at="2026-01-01T00:00:00Z"), 400, "future"),
    ("an end in no zone", "POST", KEYS, new_key(expires_at="2027-01-01T00:00:00"), 422, "timezone"),
    ("an end in words", "POST", KEYS, new_key(expires_at="tomorrow"), 422, "datetime"),
    ("an unknown key", "GET", f"{KEYS}/{UNKNOWN}", None, 404, "not found"),
    ("revoking an unknown key", "DELETE", f"{KEYS}/{UNKNOWN}", None, 404, "not found"),
    ("suspending an unknown key", "POST", f"{KEYS}/{UNKNOWN}/suspend", None, 404, "not found"),
    ("resuming an unknown key", "POST", f"{KEYS}/{UNKNOWN}/resume", None, 404, "not found"),
    ("rotating an unknown key", "POST", f"{KEYS}/{UNKNOWN}/rotate", None, 404, "not found"),
    ("permissions of an unknown key", "PUT", f"{KEYS}/{UNKNOWN}/permissions", {"permissions": []}, 404, "not found"),
    ("permissions without any", "PUT", f"{KEYS}/{{key}}/permissions", {}, 422, "Field required"),
    ("suspending a revoked key", "POST", f"{KEYS}/{{revoked}}/suspend", None, 409, "REVOKED"),
    ("resuming a revoked key", "POST", f"{KEYS}/{{revoked}}/resume", None, 409, "REVOKED"),
    ("rotating a revoked key", "POST", f"{KEYS}/{{revoked}}/rotate", None, 409, "REVOKED"),
    ("a grace of 31 days", "POST", f"{KEYS}/{{key}}/rotate", {"grace_period_s": 31 * 86_400}, 422, "less than or equal"),
    ("a grace that is over", "POST", f"{KEYS}/{{key}}/rotate", {"grace_period_s": -1}, 422, "greater than or equal"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_is_written(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    key, revoked = (await make_key(server))["api_key"], (await make_key(server))["api_key"]
    await server.ask("DELETE", f"{KEYS}/{revoked['id']}")
    before = (await server.ask("GET", KEYS)).json()

    response = await server.ask(method, path.format(key=key["id"], revoked=revoked["id"]), body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert (await server.ask("GET", KEYS)).json() == before

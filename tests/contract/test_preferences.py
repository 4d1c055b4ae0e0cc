"""What people want to be told: answers tell the truth, and a letter's link ends letters."""

from typing import Any, Final

import pytest

from backend.adapters.storage.preferences import SqlPreferences
from backend.core.preferences import KINDS, MAX_BOUNCES, UNSUBSCRIBED, unsubscribe_token
from tests.contract.rest_server import ANN, BOB, UNSUBSCRIBE_KEY, Json, RestServer

PREFERENCES: Final = "/api/auth/user/preferences"
EMAIL: Final = "/api/auth/user/email"
UNSUBSCRIBE: Final = "/api/email/unsubscribe"


def wanted(**changes: Any) -> Json:
    """Return preferences as a client sends them."""
    return {"email": "ann@example.com", "preferences": {}, "daily_limit": 3, **changes}


async def read(server: RestServer, user: str = ANN) -> Json:
    """Return what somebody wants."""
    response = await server.ask("GET", PREFERENCES, user=user)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def test_the_answer_to_a_change_says_what_is_so_now(server: RestServer) -> None:
    """The Platform's says that all is on, whatever was switched off."""
    body = wanted(preferences={"AGENT_RUN": False, "WEEKLY_SUMMARY": True}, daily_limit=0)

    changed = (await server.ask("POST", PREFERENCES, body)).json()

    assert changed["preferences"] == {kind: kind != "AGENT_RUN" for kind in KINDS}
    assert changed["daily_limit"] == 0
    assert await read(server) == changed
    again = (await server.ask("POST", PREFERENCES, wanted(email=""))).json()
    assert not again["preferences"]["AGENT_RUN"]
    assert (again["email"], again["daily_limit"]) == ("ann@example.com", 3)


async def test_the_account_shows_them_too(server: RestServer) -> None:
    await server.ask("POST", PREFERENCES, wanted(preferences={"LOW_BALANCE": False}))

    user = (await server.ask("POST", "/api/auth/user")).json()

    assert (user["notify_on_low_balance"], user["notify_on_agent_run"]) == (False, True)


async def test_an_address_that_refuses_letters_is_told_to_its_owner(server: RestServer) -> None:
    before = (await server.ask("POST", "/api/auth/user")).json()
    people = SqlPreferences(server.storage.database)
    for _ in range(MAX_BOUNCES):
        await people.note_bounce("ann@example.com", error="550 nobody", now_us=1)

    after = (await server.ask("POST", "/api/auth/user")).json()

    assert (before["email_verified"], before["email_bounce"]) == (True, None)
    assert (after["email_verified"], after["email_bounce"]) == (False, "550 nobody")
    told = (await server.ask("GET", "/api/notifications")).json()["notifications"]
    assert [one["kind"] for one in told] == ["ADDRESS_REFUSED"]


async def test_one_click_ends_all_notices_but_those_about_what_one_offers(
    server: RestServer,
) -> None:
    await server.ask("POST", "/api/auth/user")
    token = unsubscribe_token(ANN, UNSUBSCRIBE_KEY)

    # As mail programs send it (RFC 8058): a form, and no account.
    for _ in range(2):
        done = await server.client.post(
            f"{UNSUBSCRIBE}?token={token}", data={"List-Unsubscribe": "One-Click"}
        )
        assert (done.status_code, done.json()) == (200, {"status": "ok"})

    found = (await read(server))["preferences"]
    assert {kind for kind, on in found.items() if not on} == set(UNSUBSCRIBED)
    assert all((await read(server, BOB))["preferences"].values())


async def test_who_follows_the_link_is_asked_and_nothing_ends_by_looking(
    server: RestServer,
) -> None:
    await server.ask("POST", "/api/auth/user")
    token = unsubscribe_token(ANN, UNSUBSCRIBE_KEY)

    page = await server.client.get(f"{UNSUBSCRIBE}?token={token}")
    other = await server.client.get(f'{UNSUBSCRIBE}?token="><script>')

    assert page.headers["content-type"].startswith("text/html")
    assert f'action="?token={token}"' in page.text
    assert (other.status_code, "script" in other.text) == (400, False)
    assert all((await read(server))["preferences"].values())


async def test_the_link_of_an_account_that_is_gone_ends_nothing(server: RestServer) -> None:
    before = await server.row_counts()
    token = unsubscribe_token("nobody", UNSUBSCRIBE_KEY)  # type: ignore[arg-type] # any text

    response = await server.client.post(f"{UNSUBSCRIBE}?token={token}")

    assert response.status_code == 200
    counts = await server.row_counts()
    assert counts | {"audit_log": 0} == before | {"audit_log": 0}


#: What is wrong, method, path, body, status, what it says.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("no body", "POST", PREFERENCES, None, 422, "Field required"),
    ("a list", "POST", PREFERENCES, [], 422, "dictionary"),
    ("no limit", "POST", PREFERENCES, {"email": "", "preferences": {}}, 422, "daily_limit"),
    ("a limit below zero", "POST", PREFERENCES, wanted(daily_limit=-1), 422, "greater than or equal"),
    ("a huge limit", "POST", PREFERENCES, wanted(daily_limit=1_001), 422, "less than or equal"),
    ("an unknown kind", "POST", PREFERENCES, wanted(preferences={"ALL": False}), 422, "AGENT_RUN"),
    ("a kind in words", "POST", PREFERENCES, wanted(preferences={"AGENT_RUN": "no way"}), 422, "boolean"),
    ("no address", "POST", PREFERENCES, wanted(email="ann"), 422, "mail address"),
    ("two headers for an address", "POST", EMAIL, "a@example.com\nBcc: b@example.com", 422, "mail address"),
    ("an address in an object", "POST", EMAIL, {"email": "a@example.com"}, 422, "valid string"),
    ("no token", "POST", UNSUBSCRIBE, None, 422, "Field required"),
    ("a token of another key", "POST", f"{UNSUBSCRIBE}?token={unsubscribe_token(ANN, 'x')}", None, 400, "not valid"),
    ("no address to confirm", "POST", f"{EMAIL}/confirm", None, 422, "Field required"),
    ("a token for no address", "POST", f"{EMAIL}/confirm?token=agpt_ea_x", None, 400, "not good"),
    ("no address to look at", "GET", f"{EMAIL}/confirm", None, 422, "Field required"),
    ("no token to look at", "GET", UNSUBSCRIBE, None, 422, "Field required"),
    ("half a token", "GET", f"{UNSUBSCRIBE}?token=YW5u", None, 400, "not valid"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_changes(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    before = await read(server)

    response = await server.ask(method, path, body)

    assert response.status_code == status, response.text
    assert says in response.text
    assert await read(server) == before


@pytest.mark.parametrize(("method", "path"), [("GET", PREFERENCES), ("POST", PREFERENCES), ("POST", EMAIL)])  # fmt: skip
async def test_without_a_token_nothing_is_said(server: RestServer, method: str, path: str) -> None:
    assert (await server.client.request(method, path, content=b"{")).status_code == 401

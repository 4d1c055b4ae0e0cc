"""Another mail address: it counts when the letter that went there has been answered, not before."""

import re

import pytest

from backend.ports.mail import Letter
from tests.contract.rest_server import BOB, RestServer

OLD = "cora@example.com"
NEW = "Cora@example.org"
PASSWORD = "correct horse battery"
EMAIL = "/api/auth/user/email"
PREFERENCES = "/api/auth/user/preferences"


@pytest.fixture(autouse=True)
async def cora(server: RestServer) -> str:
    return (await server.context.accounts.add(OLD, PASSWORD)).id


def letters(server: RestServer) -> list[Letter]:
    sent: list[Letter] = server.context.addresses._mailer.sent  # type: ignore[attr-defined] # the test's
    return sent


async def can_sign_in(server: RestServer, email: str) -> bool:
    body = {"email": email, "password": PASSWORD}
    return (await server.client.post("/api/auth/login", json=body)).status_code == 200


async def address(server: RestServer, user: str) -> str:
    return str((await server.ask("GET", PREFERENCES, user=user)).json()["email"])


async def link(server: RestServer, user: str) -> str:
    """Ask for the new address and return the path that its letter names."""
    response = await server.ask("POST", EMAIL, NEW, user=user)
    assert response.status_code == 200, response.text
    found = re.search(r"http://server(/\S+\?token=agpt_ea_[\w-]{43})", letters(server)[-1].text)
    assert found is not None
    return found[1]


async def test_a_wish_changes_neither_notices_nor_the_sign_in(
    server: RestServer, cora: str
) -> None:
    asked = await server.ask("POST", EMAIL, NEW, user=cora)

    assert asked.json() == {"email": NEW.lower(), "status": "unconfirmed"}
    assert await address(server, cora) == OLD
    assert (await can_sign_in(server, OLD), await can_sign_in(server, NEW)) == (True, False)


async def test_the_old_address_is_told_and_gets_no_token(server: RestServer, cora: str) -> None:
    await server.ask("POST", EMAIL, NEW, user=cora)

    told, asked = letters(server)
    assert (told.to, asked.to) == (OLD, NEW.lower())
    assert "agpt_ea_" not in told.text + told.html
    assert told.key != asked.key


async def test_who_follows_the_link_is_asked_and_then_it_counts_for_both(
    server: RestServer, cora: str
) -> None:
    path = await link(server, cora)

    page = await server.client.get(path)
    assert page.headers["content-type"].startswith("text/html")
    assert path.rpartition("?")[2] in page.text
    assert await address(server, cora) == OLD

    done = await server.client.post(path)
    assert (done.status_code, done.json()["email"]) == (200, NEW.lower())
    assert await address(server, cora) == NEW.lower()
    assert (await can_sign_in(server, OLD), await can_sign_in(server, NEW)) == (False, True)
    assert (await server.client.post(path)).status_code == 400


async def test_a_token_is_over_after_a_day_and_when_the_password_changes(
    server: RestServer, cora: str
) -> None:
    late = await link(server, cora)
    server.clock.pass_time(days=1)
    assert (await server.client.post(late)).status_code == 400

    void = await link(server, cora)
    await server.context.accounts.set_password(cora, "another one, as long")
    assert (await server.client.post(void)).status_code == 400

    assert await address(server, cora) == OLD


async def test_preferences_with_another_address_ask_for_it_too(
    server: RestServer, cora: str
) -> None:
    wanted = {"email": NEW, "preferences": {"AGENT_RUN": False}, "daily_limit": 5}

    changed = (await server.ask("POST", PREFERENCES, wanted, user=cora)).json()
    again = await server.ask("POST", PREFERENCES, wanted | {"email": OLD}, user=cora)

    assert (changed["email"], changed["daily_limit"]) == (OLD, 5)
    assert again.status_code == 200
    assert [letter.to for letter in letters(server)] == [OLD, NEW.lower()]


async def test_what_is_no_address_is_refused_and_nothing_is_sent(
    server: RestServer, cora: str
) -> None:
    assert (await server.ask("POST", EMAIL, "", user=cora)).status_code == 400
    assert letters(server) == []


async def test_nobody_learns_whose_address_is_an_account_but_who_has_it(
    server: RestServer, cora: str
) -> None:
    await server.ask("POST", "/api/auth/user", user=BOB)
    taken, free = "bob@example.com", "bobby@example.com"

    answers = [await server.ask("POST", EMAIL, email, user=cora) for email in (taken, free)]
    said = [one.text.replace(taken, "").replace(free, "") for one in answers]
    assert [one.status_code for one in answers] == [200, 200]
    assert said[0] == said[1]

    told, to_bob, again, to_bobby = letters(server)
    assert [told.to, to_bob.to, again.to, to_bobby.to] == [OLD, taken, OLD, free]
    assert told.text == again.text
    assert "agpt_ea_" not in to_bob.text + to_bob.html
    assert "already" in to_bob.text
    assert "agpt_ea_" in to_bobby.text
    assert await address(server, BOB) == taken


async def test_letters_to_strangers_are_throttled(server: RestServer, cora: str) -> None:
    for count in range(5):
        response = await server.ask("POST", EMAIL, f"a{count}@example.org", user=cora)
        assert response.status_code == 200

    refused = await server.ask("POST", EMAIL, "b@example.org", user=cora)

    assert refused.status_code == 429
    assert len(letters(server)) == 10


async def test_a_token_that_is_none_is_refused_and_shown_as_text(server: RestServer) -> None:
    page = await server.client.get(f'{EMAIL}/confirm?token="><script>')
    wrong = await server.client.post(f"{EMAIL}/confirm?token=agpt_ea_x")

    assert "<script>" not in page.text
    assert wrong.status_code == 400

"""Forgotten passwords: what is answered tells nothing, and a token is good once."""

import re
from typing import Any

import pytest

from backend.ports.mail import Letter
from tests.contract.rest_server import RestServer

EMAIL = "cora@example.com"
PASSWORD = "correct horse battery"
NEW = "another one, as long"


@pytest.fixture(autouse=True)
async def cora(server: RestServer) -> str:
    return (await server.context.accounts.add(EMAIL, PASSWORD)).id


def letters(server: RestServer) -> list[Letter]:
    sent: list[Letter] = server.context.resets._mailer.sent  # type: ignore[attr-defined] # the test's
    return sent


def on_disk(server: RestServer) -> bytes:
    return server.store.text().encode("latin-1", "replace")


async def forget(server: RestServer, email: str = EMAIL) -> Any:
    return await server.client.post("/api/auth/password/forgot", json={"email": email})


async def reset(server: RestServer, token: str, password: str = NEW) -> Any:
    body = {"token": token, "new_password": password}
    return await server.client.post("/api/auth/password/reset", json=body)


async def log_in(server: RestServer, password: str) -> Any:
    body = {"email": EMAIL, "password": password}
    return await server.client.post("/api/auth/login", json=body)


async def token_of_letter(server: RestServer) -> str:
    assert (await forget(server)).status_code == 204
    found = re.search(r"agpt_pr_[\w-]{43}", letters(server)[-1].text)
    assert found is not None
    return found[0]


async def test_a_letter_brings_a_token_that_sets_a_new_password_and_ends_all_sessions(
    server: RestServer,
) -> None:
    tokens = (await log_in(server, PASSWORD)).json()
    token = await token_of_letter(server)
    assert letters(server)[-1].to == EMAIL

    response = await reset(server, token)

    assert response.status_code == 204
    assert (await log_in(server, PASSWORD)).status_code == 401
    assert (await log_in(server, NEW)).status_code == 200
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await server.client.get("/api/graphs", headers=headers)).status_code == 401
    assert (await reset(server, token)).status_code == 400


async def test_unknown_known_and_disabled_are_answered_alike(server: RestServer) -> None:
    known, unknown = await forget(server), await forget(server, "nobody@example.com")
    await server.context.accounts.set_disabled(EMAIL, disabled=True)
    disabled = await forget(server)

    assert {one.status_code for one in (known, unknown, disabled)} == {204}
    assert known.content == unknown.content == disabled.content == b""
    assert len(letters(server)) == 1


async def test_a_token_is_over_after_half_an_hour(server: RestServer) -> None:
    token = await token_of_letter(server)
    server.clock.pass_time(minutes=30)

    response = await reset(server, token)

    assert response.status_code == 400
    assert (await log_in(server, PASSWORD)).status_code == 200


async def test_a_password_that_cannot_be_used_leaves_the_token_good(server: RestServer) -> None:
    token = await token_of_letter(server)

    assert (await reset(server, token, "short")).status_code == 400
    assert (await reset(server, token)).status_code == 204


async def test_letters_are_throttled_whether_the_account_is_there_or_not(
    server: RestServer,
) -> None:
    for email in (EMAIL, "nobody@example.com"):
        answers = [(await forget(server, email)).status_code for _ in range(4)]

        assert answers == [204, 204, 204, 429]


async def test_only_the_hash_of_a_token_is_kept(server: RestServer) -> None:
    token = await token_of_letter(server)

    kept = on_disk(server)

    assert EMAIL.encode() in kept
    assert token.encode() not in kept

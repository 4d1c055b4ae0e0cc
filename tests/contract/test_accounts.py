"""Accounts without a cloud: signing in, staying in, being thrown out, from the outside."""

from pathlib import Path
from typing import Any

import jwt
import pytest

from backend.adapters.revision import FileRevision
from backend.adapters.storage.account_storage import SqlAccounts
from backend.api.auth import Authenticator, NotAuthenticated
from backend.core.accounts import Role
from backend.core.audit import By, Outcome
from backend.core.ids import DEFAULT_USER_ID, UserId
from backend.services.audit import AuditQuery
from backend.services.standings import Standings
from tests.contract.rest_server import KEY, Json, RestServer
from tests.contract.triggered import deliver, new_trigger

EMAIL = "cora@example.com"
PASSWORD = "correct horse battery"


async def log_in(server: RestServer, password: str = PASSWORD, email: str = EMAIL) -> Any:
    body = {"email": email, "password": password}
    return await server.client.post("/api/auth/login", json=body)


async def signed_in(server: RestServer) -> Json:
    response = await log_in(server)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


def bearer(tokens: Json) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def graphs(server: RestServer, tokens: Json) -> int:
    return (await server.client.get("/api/graphs", headers=bearer(tokens))).status_code


@pytest.fixture(autouse=True)
async def cora(server: RestServer) -> str:
    made = await server.context.accounts.add("Cora@Example.com", PASSWORD, name="Cora")
    return made.id


async def test_a_password_becomes_a_token_in_the_contracts_form(
    server: RestServer, cora: str
) -> None:
    tokens = await signed_in(server)

    now_s = server.clock.now_us() // 1_000_000
    claims = jwt.decode(
        tokens["access_token"],
        KEY,
        algorithms=["HS256"],
        audience="authenticated",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims == {
        "sub": cora,
        "email": EMAIL,
        "role": "authenticated",
        "aud": "authenticated",
        "iss": "agpt",
        "iat": now_s,
        "exp": now_s + 900,
        "sid": tokens["session_id"],
        "user_metadata": {"name": "Cora"},
    }
    assert tokens["user"] == {"id": cora, "email": EMAIL, "name": "Cora", "role": "member"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    assert await graphs(server, tokens) == 200


async def test_the_case_of_an_address_does_not_matter(server: RestServer) -> None:
    assert (await log_in(server, email=" CORA@example.COM")).status_code == 200


async def test_unknown_wrong_and_disabled_are_answered_alike(server: RestServer) -> None:
    wrong = await log_in(server, "not it at all")
    unknown = await log_in(server, email="nobody@example.com")
    await server.context.accounts.set_disabled(EMAIL, disabled=True)
    disabled = await log_in(server)
    without = await log_in(server, email="default@example.com")

    assert {one.status_code for one in (wrong, unknown, disabled, without)} == {401}
    assert wrong.json() == unknown.json() == disabled.json() == without.json()
    assert PASSWORD not in wrong.text


async def test_tries_are_throttled_by_account_whether_it_is_there_or_not(
    server: RestServer,
) -> None:
    for email in (EMAIL, "nobody@example.com"):
        answers = [await log_in(server, "not it at all", email) for _ in range(11)]

        assert [one.status_code for one in answers] == [401] * 10 + [429]
        assert answers[-1].headers["Retry-After"] == "10"

    server.clock.pass_time(seconds=10)
    assert (await log_in(server)).status_code == 200


async def test_tries_are_throttled_by_address(server: RestServer) -> None:
    for number in range(30):
        await log_in(server, "x", f"user{number}@example.com")

    response = await log_in(server)

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "3"
    assert response.json().keys() == {"message", "detail", "hint"}


async def test_a_refresh_token_is_good_once_and_the_session_goes_on(server: RestServer) -> None:
    first = await signed_in(server)
    server.clock.pass_time(minutes=20)
    assert await graphs(server, first) == 401

    second = await server.client.post("/api/auth/refresh", json=refresh_of(first))

    assert second.status_code == 200
    assert second.json()["session_id"] == first["session_id"]
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert await graphs(server, second.json()) == 200


async def test_a_refresh_token_that_comes_again_ends_the_session(server: RestServer) -> None:
    first = await signed_in(server)
    second = (await server.client.post("/api/auth/refresh", json=refresh_of(first))).json()

    again = await server.client.post("/api/auth/refresh", json=refresh_of(first))

    assert again.status_code == 401
    assert await graphs(server, second) == 401
    third = await server.client.post("/api/auth/refresh", json=refresh_of(second))
    assert third.status_code == 401


async def test_a_session_that_is_not_used_ends(server: RestServer) -> None:
    tokens = await signed_in(server)
    server.clock.pass_time(days=31)

    response = await server.client.post("/api/auth/refresh", json=refresh_of(tokens))

    assert response.status_code == 401


async def test_logging_out_ends_the_session_at_once(server: RestServer) -> None:
    tokens, other = await signed_in(server), await signed_in(server)
    assert await graphs(server, tokens) == 200

    response = await server.client.post("/api/auth/logout", headers=bearer(tokens))

    assert response.status_code == 204
    assert await graphs(server, tokens) == 401
    refreshed = await server.client.post("/api/auth/refresh", json=refresh_of(tokens))
    assert refreshed.status_code == 401
    assert await graphs(server, other) == 200


async def test_sessions_are_listed_and_one_is_ended_from_another(server: RestServer) -> None:
    old = await signed_in(server)
    server.clock.pass_time(seconds=1)
    headers = {**bearer(await signed_in(server)), "User-Agent": "a browser"}

    listed = (await server.client.get("/api/auth/sessions", headers=headers)).json()
    path = f"/api/auth/sessions/{old['session_id']}"
    response = await server.client.delete(path, headers=headers)

    assert [(one["id"] == old["session_id"], one["is_current"]) for one in listed] == [
        (False, True),
        (True, False),
    ]
    assert listed[0]["address"] == "127.0.0.1"
    assert response.status_code == 204
    assert await graphs(server, old) == 401
    assert (await server.client.delete(path, headers=headers)).status_code == 404


async def test_somebody_elses_session_is_not_there(server: RestServer) -> None:
    tokens = await signed_in(server)

    response = await server.ask("DELETE", f"/api/auth/sessions/{tokens['session_id']}")

    assert response.status_code == 404
    assert await graphs(server, tokens) == 200


async def test_a_changed_password_ends_the_other_sessions(server: RestServer) -> None:
    here, there = await signed_in(server), await signed_in(server)
    body = {"current_password": PASSWORD, "new_password": "another one, as long"}

    response = await server.client.post("/api/auth/password", json=body, headers=bearer(here))

    assert response.status_code == 204
    assert [await graphs(server, here), await graphs(server, there)] == [200, 401]
    assert (await log_in(server)).status_code == 401
    assert (await log_in(server, body["new_password"])).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "status", "says"),
    [
        ("not it at all", "another one, as long", 401, "current password is wrong"),
        (PASSWORD, "short", 400, "12 to 1,000 characters"),
        (PASSWORD, "aaaaaaaaaaaaaaa", 400, "different characters"),
        (PASSWORD, EMAIL.upper(), 400, "is not the e-mail address"),
    ],
)
async def test_a_password_that_cannot_be_used_changes_nothing(
    server: RestServer, current: str, new: str, status: int, says: str
) -> None:
    headers = bearer(await signed_in(server))
    body = {"current_password": current, "new_password": new}

    response = await server.client.post("/api/auth/password", json=body, headers=headers)

    assert response.status_code == status
    assert says in response.text
    assert (await log_in(server)).status_code == 200


async def test_a_disabled_user_is_refused_at_once_whatever_the_token(
    server: RestServer, cora: str
) -> None:
    tokens, outside = await signed_in(server), server.as_user(cora)
    assert await graphs(server, tokens) == 200
    assert (await server.client.get("/api/graphs", headers=outside)).status_code == 200

    await server.context.accounts.set_disabled(EMAIL, disabled=True)

    assert await graphs(server, tokens) == 401
    assert (await server.client.get("/api/graphs", headers=outside)).status_code == 401
    refreshed = await server.client.post("/api/auth/refresh", json=refresh_of(tokens))
    assert refreshed.status_code == 401
    await server.context.accounts.set_disabled(EMAIL, disabled=False)
    assert (await server.client.get("/api/graphs", headers=outside)).status_code == 200
    assert await graphs(server, tokens) == 401  # its session stays ended
    assert (await log_in(server)).status_code == 200


async def test_a_disabled_users_api_keys_open_nothing(server: RestServer, cora: str) -> None:
    body = {"name": "k", "permissions": ["READ_GRAPH"]}
    made = await server.client.post("/api/api-keys", json=body, headers=server.as_user(cora))
    key = {"X-API-Key": made.json()["plain_text_key"]}
    before = await server.client.get("/external-api/v1/graphs/x/executions/y/results", headers=key)

    await server.context.accounts.set_disabled(EMAIL, disabled=True)

    after = await server.client.get("/external-api/v1/graphs/x/executions/y/results", headers=key)
    assert [before.status_code, after.status_code] == [404, 401]


async def test_a_disabled_users_runs_are_asked_to_stop_and_nobody_elses(
    server: RestServer, cora: str
) -> None:
    mine, theirs = await server.new_graph(user=cora), await server.new_graph()
    runs = [(await server.new_run(mine, user=cora))["id"], await server.paused_run(mine, user=cora)]
    other = (await server.new_run(theirs))["id"]

    await server.context.accounts.set_disabled(EMAIL, disabled=True)

    assert [await server.stop_asked(run) for run in runs] == [True, True]
    assert not await server.stop_asked(other)


async def test_deliveries_for_a_disabled_user_are_refused_like_those_to_nobody(
    server: RestServer, cora: str
) -> None:
    preset = await new_trigger(server, user=cora)
    url = preset["webhook"]["url"]
    answers = [(await deliver(server, url, json={})).status_code]

    await server.context.accounts.set_disabled(EMAIL, disabled=True)
    answers.append((await deliver(server, url, json={})).status_code)
    await server.context.accounts.set_disabled(EMAIL, disabled=False)
    answers.append((await deliver(server, url, json={})).status_code)

    assert answers == [200, 404, 200]


async def test_a_role_counts_from_the_next_request_on(server: RestServer) -> None:
    tokens = await signed_in(server)
    headers = {**bearer(tokens), "X-Act-As-User-Id": "ann"}
    member = await server.client.get("/api/graphs", headers=headers)

    await server.context.accounts.set_role(EMAIL, Role.ADMIN)
    admin = await server.client.get("/api/graphs", headers=headers)
    token_of_an_admin = await signed_in(server)
    await server.context.accounts.set_role(EMAIL, Role.MEMBER)
    headers["Authorization"] = bearer(token_of_an_admin)["Authorization"]
    again = await server.client.get("/api/graphs", headers=headers)

    assert [member.status_code, admin.status_code, again.status_code] == [403, 200, 403]


async def test_the_owners_token_is_an_administrators(server: RestServer) -> None:
    await server.ask("POST", "/api/auth/user", user=DEFAULT_USER_ID)
    headers = {"X-Act-As-User-Id": "ann"}
    before = await server.ask("GET", "/api/graphs", user=DEFAULT_USER_ID, headers=headers)

    await make_owner(server)
    after = await server.ask("GET", "/api/graphs", user=DEFAULT_USER_ID, headers=headers)

    assert [before.status_code, after.status_code] == [403, 200]


async def test_requests_do_not_ask_the_database_who_may_come_in(server: RestServer) -> None:
    standings = server.context.authenticator._standings
    tokens = await signed_in(server)
    await graphs(server, tokens)
    before = standings.readings

    for _ in range(20):
        await graphs(server, tokens)
    same = standings.readings
    server.clock.pass_time(seconds=5)
    await graphs(server, tokens)

    assert (same, standings.readings) == (before, before + 1)


async def test_who_signs_in_and_out_is_in_the_audit_log(server: RestServer, cora: str) -> None:
    tokens = await signed_in(server)
    await log_in(server, "not it at all")
    await server.client.post("/api/auth/logout", headers=bearer(tokens))

    found = await server.context.audit.listed(AuditQuery(kind="session"))

    entries = [one for one in found if one.entry.outcome is Outcome.DONE]
    done = [(one.entry.verb, one.entry.actor.who, one.entry.actor.by) for one in entries]
    assert done == [("log_out", cora, By.SESSION), ("log_in", cora, By.SESSION)]
    assert {one.entry.object_id for one in entries} == {tokens["session_id"]}


async def test_another_process_hears_of_a_ban_and_of_an_ended_session_at_once(
    server: RestServer, cora: str, tmp_path: Path
) -> None:
    """Such as the WebSocket service, which looks at tokens at each handshake."""
    stored = SqlAccounts(server.storage.database)
    here, there = (
        Standings(
            accounts=stored,
            revision=FileRevision(tmp_path / "accounts.revision"),
            clock=server.clock,
            access_token_s=900,
        )
        for _ in range(2)
    )
    authenticator = Authenticator(
        key=KEY,
        algorithm="HS256",
        now_s=lambda: server.clock.now_us() / 1_000_000,
        standings=there,
    )
    tokens, other = await signed_in(server), await signed_in(server)
    assert (await authenticator.admit_token(tokens["access_token"])).user_id == cora

    await stored.of(UserId(cora)).end_session(tokens["session_id"], now_us=server.clock.now_us())
    here.changed()
    with pytest.raises(NotAuthenticated, match="session has ended"):
        await authenticator.admit_token(tokens["access_token"])
    await authenticator.admit_token(other["access_token"])

    await stored.of(UserId(cora)).set_disabled(disabled=True, now_us=server.clock.now_us())
    here.changed()
    with pytest.raises(NotAuthenticated, match="disabled"):
        await authenticator.admit_token(other["access_token"])


async def make_owner(server: RestServer) -> None:
    accounts = server.context.accounts._accounts
    await accounts.ensure_owner(DEFAULT_USER_ID, now_us=server.clock.now_us())
    server.context.authenticator._standings.changed()


def refresh_of(tokens: Json) -> Json:
    return {"refresh_token": tokens["refresh_token"]}


async def test_refused_logins_are_in_the_audit_log_and_what_was_typed_is_not(
    server: RestServer, cora: str
) -> None:
    """Once a minute for each account and address: whoever guesses must not fill the disk."""
    for _ in range(3):
        assert (await log_in(server, "wrong")).status_code == 401
    assert (await log_in(server, "wrong", "my-password@example.com")).status_code == 401
    await signed_in(server)

    done, unknown, refused = await server.context.audit.listed(AuditQuery(verb="log_in"))
    assert (done.entry.outcome, done.entry.actor.who) == (Outcome.DONE, cora)
    for row, user in ((unknown, ""), (refused, cora)):
        assert (row.entry.outcome, row.entry.facts) == (Outcome.REFUSED, {"user": user})
        assert (row.entry.actor.who, row.entry.actor.address) == ("", "127.0.0.1")

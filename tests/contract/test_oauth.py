"""Apps that users let in: each step, and what becomes of it when it is not as it should be."""

import asyncio
from typing import Any

import pytest

from tests.contract.api_keys import external
from tests.contract.oauth import (
    OAUTH,
    REDIRECT,
    VERIFIER,
    about,
    by_code,
    by_refresh,
    challenge_of,
    code_of,
    leave,
    make_app,
    post,
    sent_to,
    tokens_of,
)
from tests.contract.rest_server import BOB, Json, RestServer


async def me(server: RestServer, token: str) -> Any:
    return await external(server, None, "GET", "/me", headers={"Authorization": f"Bearer {token}"})


async def opens(server: RestServer, tokens: Json) -> bool:
    return bool((await me(server, tokens["access_token"])).status_code == 200)


async def test_an_app_that_was_let_in_asks_for_the_user_with_the_scopes_that_they_gave(
    server: RestServer,
) -> None:
    shown = await make_app(server)

    tokens = await tokens_of(server, shown)

    assert tokens["scopes"] == ["IDENTITY"]
    assert tokens["access_token"].startswith("agpt_xt_")
    assert tokens["refresh_token"].startswith("agpt_rt_")
    assert tokens["access_token_expires_at"] == "2026-01-01T01:00:00Z"
    assert tokens["refresh_token_expires_at"] == "2026-01-31T00:00:00Z"
    assert (await me(server, tokens["access_token"])).json()["id"] == BOB
    bearer = {"Authorization": f"bearer {tokens['access_token']}"}
    blocks = await external(server, None, "GET", "/blocks", headers=bearer)
    assert blocks.status_code == 403


async def test_the_browser_goes_back_with_the_code_and_what_the_app_gave_it(
    server: RestServer,
) -> None:
    shown = await make_app(server)

    response = await server.ask("POST", f"{OAUTH}/authorize", leave(shown.app), user=BOB)

    url = response.json()["redirect_url"]
    assert url.startswith("https://app.example/back?")
    assert sent_to(url).keys() == {"from", "code", "state"}
    assert sent_to(url)["state"] == "st a&te"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scopes": []}, "invalid_scope"),
        ({"scopes": ["IDENTITY", "READ_GRAPH"]}, "invalid_scope"),
        ({"scopes": ["EVERYTHING"]}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_what_an_app_asks_wrongly_it_is_told_where_it_has_registered(
    server: RestServer, changes: Json, error: str
) -> None:
    shown = await make_app(server)

    response = await server.ask("POST", f"{OAUTH}/authorize", leave(shown.app, **changes))

    told = sent_to(response.json()["redirect_url"])
    assert (response.status_code, told["error"], told["state"]) == (200, error, "st a&te")
    assert "code" not in told


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": REDIRECT + "&more"},
        {"redirect_uri": REDIRECT.replace("https", "http")},
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example/", "response_type": "token"},
        {"client_id": "agpt_client_nobody", "redirect_uri": "https://evil.example/"},
    ],
)
async def test_nobody_is_sent_where_no_app_has_registered_whatever_else_is_wrong(
    server: RestServer, changes: Json
) -> None:
    shown = await make_app(server)

    response = await server.ask("POST", f"{OAUTH}/authorize", leave(shown.app, **changes))

    assert response.status_code == 400
    assert "evil" not in response.text
    assert "redirect_url" not in response.text


async def test_a_code_is_good_once_and_brought_again_takes_all_that_came_of_it(
    server: RestServer,
) -> None:
    shown = await make_app(server)
    code = await code_of(server, shown)
    tokens = (await post(server, "token", by_code(shown, code))).json()
    assert await opens(server, tokens)

    again = await post(server, "token", by_code(shown, code))

    assert again.status_code == 400
    assert not await opens(server, tokens)
    renewed = await post(server, "token", by_refresh(shown, tokens["refresh_token"]))
    assert renewed.status_code == 400


async def test_of_many_who_bring_one_code_at_once_at_most_one_gets_tokens(
    server: RestServer,
) -> None:
    shown = await make_app(server)
    code = await code_of(server, shown)

    answers = await asyncio.gather(*(post(server, "token", by_code(shown, code)) for _ in range(8)))

    given = [one.json() for one in answers if one.status_code == 200]
    assert len(given) == 1
    assert not await opens(server, given[0])  # somebody else had the code too


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 44},
        {"code_verifier": ""},
        {"code_verifier": challenge_of(VERIFIER)},
        {"redirect_uri": "https://app.example/back"},
    ],
)
async def test_a_code_that_is_not_proven_is_used_up(server: RestServer, changes: Json) -> None:
    shown = await make_app(server)
    code = await code_of(server, shown)

    refused = await post(server, "token", by_code(shown, code, **changes))
    late = await post(server, "token", by_code(shown, code))

    assert (refused.status_code, late.status_code) == (400, 400)


async def test_a_code_is_over_after_ten_minutes(server: RestServer) -> None:
    shown = await make_app(server)
    code, other = await code_of(server, shown), await code_of(server, shown)

    server.clock.pass_time(minutes=10, us=-1)
    soon = await post(server, "token", by_code(shown, code))
    server.clock.pass_time(us=1)
    late = await post(server, "token", by_code(shown, other))

    assert (soon.status_code, late.status_code) == (200, 400)


async def test_another_app_can_do_nothing_with_a_code_and_does_not_use_it_up(
    server: RestServer,
) -> None:
    shown, other = await make_app(server), await make_app(server)
    code = await code_of(server, shown)

    theirs = await post(server, "token", by_code(other, code))

    assert theirs.status_code == 400
    assert (await post(server, "token", by_code(shown, code))).status_code == 200


async def test_a_refresh_token_is_good_once_and_brought_again_takes_its_family(
    server: RestServer,
) -> None:
    shown = await make_app(server)
    first = await tokens_of(server, shown)
    bystander = await tokens_of(server, shown)

    second = (await post(server, "token", by_refresh(shown, first["refresh_token"]))).json()
    assert await opens(server, first)  # as in the contract: until it is over
    assert await opens(server, second)
    stolen = await post(server, "token", by_refresh(shown, first["refresh_token"]))

    assert stolen.status_code == 400
    assert [await opens(server, one) for one in (first, second, bystander)] == [False, False, True]
    last = await post(server, "token", by_refresh(shown, second["refresh_token"]))
    assert last.status_code == 400


async def test_tokens_are_over_at_their_end(server: RestServer) -> None:
    shown = await make_app(server)
    tokens = await tokens_of(server, shown)

    server.clock.pass_time(hours=1)
    assert not await opens(server, tokens)
    server.clock.pass_time(days=30, hours=-1)
    late = await post(server, "token", by_refresh(shown, tokens["refresh_token"]))

    assert late.status_code == 400


@pytest.mark.parametrize("word", ["client_id", "client_secret"])
@pytest.mark.parametrize("path", ["token", "introspect", "revoke"])
async def test_who_is_no_client_hears_401_and_changes_nothing(
    server: RestServer, path: str, word: str
) -> None:
    shown = await make_app(server)
    tokens = await tokens_of(server, shown)
    body = about(shown, tokens["access_token"])
    if path == "token":
        body = by_refresh(shown, tokens["refresh_token"])
    before = await server.row_counts()

    for wrong in ("", "agpt_" + "a" * 43, "x" * 2_000):
        refused = await post(server, path, {**body, word: wrong})
        assert (refused.status_code, list(refused.json())) == (401, ["detail"])

    assert await server.row_counts() == before
    assert await opens(server, tokens)


async def test_an_app_that_is_switched_off_opens_nothing_until_it_is_on_again(
    server: RestServer,
) -> None:
    shown = await make_app(server)
    tokens = await tokens_of(server, shown)
    path = f"{OAUTH}/apps/{shown.app.id}/status"

    off = await server.ask("PATCH", path, {"is_active": False})

    assert off.json()["is_active"] is False
    assert not await opens(server, tokens)
    asked = await post(server, "introspect", about(shown, tokens["access_token"]))
    assert (asked.status_code, asked.json()) == (200, {"active": False})
    renewed = await post(server, "token", by_refresh(shown, tokens["refresh_token"]))
    assert renewed.status_code == 401
    info = await server.ask("GET", f"{OAUTH}/app/{shown.app.client_id}")
    assert (info.status_code, list(info.json())) == (404, ["detail"])
    leaving = await server.ask("POST", f"{OAUTH}/authorize", leave(shown.app), user=BOB)
    assert leaving.status_code == 400
    await server.ask("PATCH", path, {"is_active": True})
    assert await opens(server, tokens)


async def test_an_app_hears_of_its_own_tokens_only(server: RestServer) -> None:
    shown, other = await make_app(server), await make_app(server)
    tokens = await tokens_of(server, shown)

    own = [
        (await post(server, "introspect", about(shown, tokens[name]))).json()
        for name in ("access_token", "refresh_token")
    ]
    theirs = await post(server, "introspect", about(other, tokens["access_token"]))

    assert own[0] == {
        "active": True,
        "scopes": ["IDENTITY"],
        "client_id": shown.app.client_id,
        "user_id": BOB,
        "exp": 1_767_225_600 + 3_600,
        "token_type": "access_token",
    }
    assert (own[1]["active"], own[1]["token_type"]) == (True, "refresh_token")
    assert theirs.json() == {"active": False}
    nothing = await post(server, "introspect", about(shown, "agpt_xt_nothing"))
    assert nothing.json() == {"active": False}


async def test_a_token_that_is_revoked_is_gone_at_once_and_the_other_is_not(
    server: RestServer,
) -> None:
    shown, other = await make_app(server), await make_app(server)
    tokens = await tokens_of(server, shown)

    by_others = await post(server, "revoke", about(other, tokens["access_token"]))
    assert await opens(server, tokens)
    answers = [await post(server, "revoke", about(shown, tokens["access_token"])) for _ in "12"]

    assert [one.json() for one in (by_others, *answers)] == [{"status": "ok"}] * 3
    assert not await opens(server, tokens)
    asked = await post(server, "introspect", about(shown, tokens["access_token"]))
    assert asked.json() == {"active": False}
    renewed = await post(server, "token", by_refresh(shown, tokens["refresh_token"]))
    assert renewed.status_code == 200


async def test_a_wrong_key_is_not_helped_by_a_good_token(server: RestServer) -> None:
    tokens = await tokens_of(server, await make_app(server))
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    refused = await external(server, "agpt_" + "a" * 43, "GET", "/me", headers=headers)

    assert refused.status_code == 401


async def test_a_refresh_token_opens_nothing_and_an_access_token_renews_nothing(
    server: RestServer,
) -> None:
    shown = await make_app(server)
    tokens = await tokens_of(server, shown)

    assert (await me(server, tokens["refresh_token"])).status_code == 401
    renewed = await post(server, "token", by_refresh(shown, tokens["access_token"]))
    assert renewed.status_code == 400
    assert await opens(server, tokens)


async def test_no_code_token_or_secret_is_kept_or_logged_as_it_is(server: RestServer) -> None:
    shown = await make_app(server)
    code = await code_of(server, shown)
    tokens = (await post(server, "token", by_code(shown, code))).json()
    wrong = await post(server, "token", {**by_code(shown, code), "grant_type": "magic"})
    rows = ""
    for table in ("oauth_apps", "oauth_codes", "oauth_tokens", "audit"):
        query = f"SELECT * FROM {table}"
        found = await server.storage.database.read(
            lambda c, query=query: c.exec_driver_sql(query).all()  # type: ignore[misc] # bound now
        )
        assert found
        rows += repr(found)

    secrets = [code, tokens["access_token"], tokens["refresh_token"], shown.client_secret]
    assert [one for one in secrets if one in rows + repr(shown) + wrong.text] == []
    assert wrong.status_code == 422


async def test_what_apps_and_users_do_is_in_the_audit_log(server: RestServer) -> None:
    shown = await make_app(server)
    tokens = await tokens_of(server, shown)
    await post(server, "revoke", about(shown, tokens["access_token"]))

    log = await server.ask("GET", "/api/audit", headers=server.as_user("root", role="admin"))

    told = [
        (one["verb"], one["who"], one["by"], one["object_id"])
        for one in reversed(log.json()["entries"])
    ]
    assert told == [
        ("authorize", BOB, "token", shown.app.id),
        ("issue_tokens", BOB, "oauth_token", shown.app.id),
        ("revoke_token", BOB, "oauth_token", shown.app.id),
    ]


async def test_codes_and_tokens_that_are_long_over_go(server: RestServer) -> None:
    shown = await make_app(server)
    for _ in range(3):
        await tokens_of(server, shown)
    server.clock.pass_time(days=32)

    last = await tokens_of(server, shown)
    await post(server, "token", by_refresh(shown, last["refresh_token"]))

    counts = await server.row_counts()
    assert (counts["oauth_codes"], counts["oauth_tokens"]) == (1, 4)


async def test_for_a_user_who_is_banned_no_app_gets_or_opens_anything(server: RestServer) -> None:
    shown = await make_app(server)
    tokens, code = await tokens_of(server, shown), await code_of(server, shown)

    await server.context.accounts.set_disabled(BOB, disabled=True)

    assert not await opens(server, tokens)
    asked = await post(server, "introspect", about(shown, tokens["access_token"]))
    assert asked.json() == {"active": False}
    for body in (by_code(shown, code), by_refresh(shown, tokens["refresh_token"])):
        assert (await post(server, "token", body)).status_code == 400
    await server.context.accounts.set_disabled(BOB, disabled=False)
    renewed = await post(server, "token", by_refresh(shown, tokens["refresh_token"]))
    assert renewed.status_code == 200

"""What happens to a key, and that the next request with it is answered by that."""

import logging
from dataclasses import replace
from typing import Any

import pytest
import structlog

from backend.api.context import Rates
from backend.core.ids import ApiKeyId
from tests.contract.api_keys import KEYS, external, make_key
from tests.contract.doors import rates
from tests.contract.rest_server import ANN, Json, RestServer


async def opens(server: RestServer, key: Json | str) -> bool:
    response = await external(server, key, "GET", "/me")
    assert response.status_code in (200, 401), response.text
    return response.status_code == 200


async def one(server: RestServer, key: Json) -> Json:
    found: Json = (await server.ask("GET", f"{KEYS}/{key['api_key']['id']}")).json()
    return found


async def to(server: RestServer, key: Json, word: str, body: Any = None) -> Json:
    path = f"{KEYS}/{key['api_key']['id']}/{word}"
    response = await server.ask("POST", path, body)
    assert response.status_code == 200, response.text
    changed: Json = response.json()
    return changed


async def test_a_key_s_text_has_the_contract_s_form_and_is_told_once(server: RestServer) -> None:
    made = await make_key(server)

    text, key = made["plain_text_key"], made["api_key"]
    assert (text[:5], len(text)) == ("agpt_", 48)
    assert (key["head"], key["tail"]) == (text[:8], text[-8:])
    for path in (KEYS, f"{KEYS}/{key['id']}"):
        assert text[8:-8] not in (await server.ask("GET", path)).text


async def test_keys_are_listed_newest_first_with_those_that_are_revoked(
    server: RestServer,
) -> None:
    keys = [await make_key(server, name=str(number)) for number in range(3)]
    await server.ask("DELETE", f"{KEYS}/{keys[1]['api_key']['id']}")

    listed = (await server.ask("GET", KEYS)).json()

    assert [(one["name"], one["status"]) for one in listed] == [
        ("2", "ACTIVE"),
        ("1", "REVOKED"),
        ("0", "ACTIVE"),
    ]


async def test_a_suspended_key_opens_nothing_until_it_is_resumed(server: RestServer) -> None:
    key = await make_key(server)

    await to(server, key, "suspend")
    assert not await opens(server, key)
    assert (await to(server, key, "suspend"))["status"] == "SUSPENDED"  # again is harmless
    await to(server, key, "resume")

    assert await opens(server, key)


async def test_a_revoked_key_opens_nothing_any_more(server: RestServer) -> None:
    key, other = await make_key(server), await make_key(server)
    assert await opens(server, key)

    first = (await server.ask("DELETE", f"{KEYS}/{key['api_key']['id']}")).json()
    server.clock.pass_time(hours=1)
    again = (await server.ask("DELETE", f"{KEYS}/{key['api_key']['id']}")).json()

    assert not await opens(server, key)
    assert await opens(server, other)
    assert again["revoked_at"] == first["revoked_at"]


async def test_permissions_that_are_taken_away_are_gone_at_once(server: RestServer) -> None:
    key = await make_key(server)

    await server.ask("PUT", f"{KEYS}/{key['api_key']['id']}/permissions", {"permissions": []})

    assert (await external(server, key, "GET", "/me")).status_code == 403


async def test_a_key_is_over_at_its_end(server: RestServer) -> None:
    key = await make_key(server, expires_at="2026-01-01T13:00:00+01:00")
    assert key["api_key"]["expires_at"] == "2026-01-01T12:00:00Z"

    server.clock.pass_time(hours=12, us=-1)
    before = await opens(server, key)
    server.clock.pass_time(us=1)

    assert before
    assert not await opens(server, key)


async def test_a_rotated_key_has_two_texts_until_the_grace_is_over(server: RestServer) -> None:
    old = await make_key(server)

    new = await to(server, old, "rotate", {"grace_period_s": 60})

    assert new["api_key"]["id"] == old["api_key"]["id"]
    assert await opens(server, old)
    assert await opens(server, new)
    server.clock.pass_time(seconds=60)
    assert not await opens(server, old)
    assert await opens(server, new)


async def test_without_a_grace_the_old_text_is_over_at_once(server: RestServer) -> None:
    old = await make_key(server)

    new = await to(server, old, "rotate")

    assert not await opens(server, old)
    assert await opens(server, new)


async def test_a_second_rotation_ends_the_first_text(server: RestServer) -> None:
    first = await make_key(server)
    second = await to(server, first, "rotate", {"grace_period_s": 60})
    third = await to(server, first, "rotate", {"grace_period_s": 60})

    assert [await opens(server, key) for key in (first, second, third)] == [False, True, True]


async def test_a_suspended_key_s_older_text_opens_nothing_either(server: RestServer) -> None:
    old = await make_key(server)
    new = await to(server, old, "rotate", {"grace_period_s": 60})

    await to(server, old, "suspend")

    assert [await opens(server, key) for key in (old, new)] == [False, False]


async def test_the_last_use_is_seen_at_once_and_written_for_many_requests_together(
    server: RestServer,
) -> None:
    key = await make_key(server)
    commits = server.storage.database.commits
    server.clock.pass_time(minutes=5)

    for _ in range(10):
        await opens(server, key)

    assert server.storage.database.commits == commits
    assert (await one(server, key))["last_used_at"] == "2026-01-01T00:05:00Z"
    await server.context.doors.api_keys.note_uses()
    await server.context.doors.api_keys.note_uses()
    assert server.storage.database.commits == commits + 1
    assert (await one(server, key))["last_used_at"] == "2026-01-01T00:05:00Z"
    assert (await one(server, key)) == (await server.ask("GET", KEYS)).json()[0]


async def test_a_request_that_is_refused_is_no_use(server: RestServer) -> None:
    key = await make_key(server)
    await to(server, key, "suspend")

    await opens(server, key)

    assert (await one(server, key))["last_used_at"] is None


async def test_a_key_s_text_is_in_no_log_and_no_table(
    server: RestServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with structlog.testing.capture_logs() as events, caplog.at_level(logging.DEBUG):
        made = await make_key(server)
        rotated = await to(server, made, "rotate", {"grace_period_s": 60})
        for key in (made, rotated):
            await opens(server, key)
            await external(server, key, "POST", "/blocks/nothing/execute", {})
    await server.context.doors.api_keys.note_uses()
    found = await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT * FROM api_keys").all()
    )
    record = await server.context.doors.api_keys.get(ANN, ApiKeyId(made["api_key"]["id"]))

    for key in (made, rotated):
        middle = key["plain_text_key"][8:-8]
        assert all(middle not in text for text in (str(events), caplog.text, str(found)))
    assert record.secret.hash not in repr(record)


async def test_who_has_as_many_keys_as_there_may_be_must_revoke_one(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.services.api_keys.MAX_KEYS", 2)
    first = await make_key(server)
    await make_key(server)

    refused = await server.ask("POST", KEYS, {"name": "third", "permissions": []})
    await server.ask("DELETE", f"{KEYS}/{first['api_key']['id']}")

    assert (refused.status_code, "2 keys" in refused.text) == (409, True)
    await make_key(server)


def with_rates(server: RestServer, limits: Rates) -> None:
    context = replace(server.context, doors=replace(server.context.doors, rates=limits))
    server.app.state.context = context
    server.app.external.state.context = context  # type: ignore[attr-defined] # of RestApplication


async def test_a_key_that_asks_too_often_hears_when_to_try_again(server: RestServer) -> None:
    key, other = await make_key(server), await make_key(server)
    with_rates(server, rates(server.clock, keys=2))

    answers = [await external(server, key, "GET", "/me") for _ in range(3)]

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "30"
    assert list(answers[2].json()) == ["detail"]
    assert await opens(server, other)
    server.clock.pass_time(seconds=30)
    assert await opens(server, key)


async def test_a_user_who_asks_too_often_hears_it_in_the_contract_s_form(
    server: RestServer,
) -> None:
    with_rates(server, rates(server.clock, users=2))

    answers = [await server.ask("GET", "/api/graphs") for _ in range(3)]

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "30"
    assert answers[2].json().keys() == {"message", "detail", "hint"}
    assert (await server.ask("GET", "/api/graphs", user="bob")).status_code == 200


async def test_who_tries_tokens_or_keys_is_counted_by_address_and_others_are_not(
    server: RestServer,
) -> None:
    key = await make_key(server)
    with_rates(server, rates(server.clock, addresses=3))
    wrong = "agpt_" + "a" * 43

    tried = [
        await server.client.get("/api/graphs"),
        await external(server, wrong, "GET", "/me"),
        await server.client.post("/api/integrations/generic_webhook/webhooks/x/ingress"),
        await external(server, wrong, "GET", "/me"),
        await server.client.get("/api/graphs", headers={"Authorization": "Bearer x"}),
    ]

    assert [one.status_code for one in tried] == [401, 401, 404, 429, 429]
    assert await opens(server, key)
    assert (await server.ask("GET", "/api/graphs")).status_code == 200
    assert (await server.client.get("/health")).status_code == 200


async def test_what_is_done_to_keys_is_in_the_audit_log_and_their_texts_are_not(
    server: RestServer,
) -> None:
    key = await make_key(server)
    key_id = key["api_key"]["id"]
    for word in ("suspend", "resume", "rotate"):
        await to(server, key, word)
    await server.ask("PUT", f"{KEYS}/{key_id}/permissions", {"permissions": []})
    await server.ask("DELETE", f"{KEYS}/{key_id}")

    log = await server.ask("GET", "/api/audit", headers=server.as_user("root", role="admin"))

    entries = log.json()["entries"]
    assert {(one["who"], one["kind"], one["object_id"]) for one in entries} == {
        (ANN, "api_key", key_id)
    }
    verbs = ["create", "suspend", "resume", "rotate", "change", "revoke"]
    assert [one["verb"] for one in reversed(entries)] == verbs
    assert key["plain_text_key"][8:] not in log.text

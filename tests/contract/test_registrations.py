"""Triggers whose providers are told of their webhooks: set up, changed, taken back, and crashes."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update

from backend.adapters.registrars import registrars
from backend.adapters.storage.tables import webhooks
from backend.adapters.web import GuardedWebClient
from backend.core.signatures import SCHEMES, sign
from backend.testing.standin.hooks import BOT, GITHUB_KEY, GithubHooks, TelegramBot
from backend.testing.standin.messages import Reply
from backend.testing.standin.server import StandIn
from tests.contract.rest_server import ANN, BOB, OUTPUT, Json, RestServer, link
from tests.contract.triggered import GITHUB_TRIGGER, PRESETS, deliver, runs

TELEGRAM_TRIGGER = "4435e4e0-df6e-4301-8f35-ad70b12fc9ec"
SLACK_TRIGGER = "5b8b2d0a-7c1f-4a64-9a53-0f1d6f6f7a11"
OPENED = {"repo": "https://github.com/Ann/Cats", "events": {"opened": True}}


@pytest.fixture
def outside() -> Iterator[StandIn]:
    with StandIn({"github": GithubHooks, "telegram": TelegramBot}) as made:
        yield made


@asynccontextmanager
async def reaching(server: RestServer, outside: StandIn) -> AsyncIterator[None]:
    """Let providers reach *server*, and let it know where they are."""
    web = GuardedWebClient([])
    registrations: Any = server.context.webhooks.registrations
    registrations._registrars = registrars(web, outside.base_urls)
    registrations._base_url = "http://server"
    yield
    await web.aclose()


@pytest.fixture
async def known(server: RestServer, outside: StandIn) -> AsyncIterator[RestServer]:
    async with reaching(server, outside):
        yield server


def graph_of(block: str, pin: str = "payload") -> Json:
    return {
        "name": "Triggered",
        "description": "",
        "nodes": [
            {"id": "trigger", "block_id": block, "input_default": {}},
            {"id": "out", "block_id": OUTPUT, "input_default": {"name": "result"}},
        ],
        "links": [link("trigger", pin, "out", "value")],
    }


async def reference(
    server: RestServer, provider: str = "github", key: str = GITHUB_KEY, *, user: str = ANN
) -> Json:
    body = {"type": "api_key", "provider": provider, "title": "Mine", "api_key": key}
    path = f"/api/integrations/{provider}/credentials"
    made = (await server.ask("POST", path, body, user=user)).json()
    return {"id": made["id"], "provider": provider, "type": "api_key"}


async def ask_setup(
    server: RestServer,
    config: Json,
    given: Json | None,
    *,
    block: str = GITHUB_TRIGGER,
    user: str = ANN,
    pin: str = "payload",
) -> Any:
    graph = await server.new_graph(graph_of(block, pin), user=user)
    group = next(iter(graph["credentials_input_schema"]["properties"]), "")
    body = {
        "name": "T",
        "graph_id": graph["id"],
        "graph_version": 1,
        "trigger_config": config,
        "agent_credentials": {} if given is None else {group: given},
    }
    return await server.ask("POST", f"{PRESETS}/setup-trigger", body, user=user)


async def set_up(server: RestServer, config: Json, given: Json, **more: Any) -> Json:
    answered = await ask_setup(server, config, given, **more)
    assert answered.status_code == 200, answered.text
    made: Json = answered.json()
    return made


async def look_after(server: RestServer) -> None:
    while await server.context.webhooks.registrations.work():
        pass


async def states(server: RestServer) -> list[str]:
    query = "SELECT state FROM webhooks ORDER BY created_us"
    found = await server.storage.database.read(lambda c: list(c.exec_driver_sql(query)))
    return [row[0] for row in found]


async def send(server: RestServer, made: Json, event: str, body: Json, **more: str) -> int:
    raw = json.dumps(body).encode()
    headers = {**sign(SCHEMES["github"], made["webhook"]["secret"], raw), "x-github-event": event}
    url = made["webhook"]["url"]
    return (await deliver(server, url, content=raw, headers={**headers, **more})).status_code


async def test_github_is_told_and_what_it_sends_starts_the_agent(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))

    webhook = made["webhook"]
    [hook] = outside.play("github").hooks.values()
    assert (hook["repository"], hook["events"]) == ("ann/cats", ["pull_request"])
    assert hook["config"] == {
        "url": webhook["url"],
        "content_type": "json",
        "secret": webhook["secret"],
        "insecure_ssl": "0",
    }
    assert (webhook["provider_webhook_id"], webhook["resource"]) == ("101", "ann/cats")
    assert (made["is_active"], webhook["events"]) == (True, ["pull_request.opened"])
    opened = {"action": "opened", "number": 1}
    assert await send(known, made, "pull_request", opened) == 200
    assert await send(known, made, "pull_request", {"action": "closed"}) == 200
    [run] = await runs(known)
    assert run["inputs"]["payload"] == opened


async def test_one_webhook_brings_to_each_preset_what_it_chose(
    known: RestServer, outside: StandIn
) -> None:
    mine = await reference(known)
    both = {"repo": "ann/cats", "events": {"opened": True, "closed": True}}
    first = await set_up(known, both, mine)
    second = await set_up(known, OPENED, mine)
    other = await set_up(known, {**OPENED, "repo": "ann/dogs"}, mine)
    theirs = await set_up(known, OPENED, await reference(known, user=BOB), user=BOB)

    assert second["webhook_id"] == first["webhook_id"]
    assert len({first["webhook_id"], other["webhook_id"], theirs["webhook_id"]}) == 3
    assert len(outside.play("github").hooks) == 3
    await send(known, first, "pull_request", {"action": "closed"})
    assert [run["preset_id"] for run in await runs(known)] == [first["id"]]
    await send(known, first, "pull_request", {"action": "opened"})
    assert len(await runs(known)) == 3


async def test_a_webhook_is_taken_back_with_its_last_preset(
    known: RestServer, outside: StandIn
) -> None:
    mine = await reference(known)
    first, second = await set_up(known, OPENED, mine), await set_up(known, OPENED, mine)

    await known.ask("DELETE", f"{PRESETS}/{first['id']}")
    await look_after(known)
    assert len(outside.play("github").hooks) == 1
    await known.ask("DELETE", f"{PRESETS}/{second['id']}")
    assert await send(known, first, "pull_request", {"action": "opened"}) == 404
    await look_after(known)

    assert outside.play("github").hooks == {}
    assert await states(known) == []


async def test_a_preset_that_waits_no_more_has_no_webhook_until_it_does_again(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))
    path = f"{PRESETS}/{made['id']}"

    off = (await known.ask("PATCH", path, {"is_active": False})).json()
    await look_after(known)
    assert (off["webhook"], outside.play("github").hooks) == (None, {})
    on = (await known.ask("PATCH", path, {"is_active": True})).json()

    [hook] = outside.play("github").hooks.values()
    assert hook["config"]["url"] == on["webhook"]["url"]


async def test_a_change_registers_anew_only_where_it_must(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))
    path, play = f"{PRESETS}/{made['id']}", outside.play("github")

    same = (await known.ask("PATCH", path, {"inputs": OPENED, "name": "New"})).json()
    assert same["webhook_id"] == made["webhook_id"]
    moved = (await known.ask("PATCH", path, {"inputs": {**OPENED, "repo": "ann/dogs"}})).json()
    await look_after(known)
    assert [hook["repository"] for hook in play.hooks.values()] == ["ann/dogs"]
    bad = await known.ask("PATCH", path, {"inputs": {**OPENED, "repo": "ann/none"}})

    assert bad.status_code == 400
    assert (await known.ask("GET", path)).json() == moved
    assert len(play.hooks) == 1


#: What is wrong, what is configured, the key, status, what the answer says.
REFUSED: dict[str, tuple[Json, str, str]] = {
    "a wrong key": (OPENED, "wrong", "GitHub answered 401: Bad credentials."),
    "a repository that is not there": (
        {**OPENED, "repo": "ann/none"},
        GITHUB_KEY,
        "404: Not Found",
    ),
    "no repository": ({"events": {"opened": True}}, GITHUB_KEY, "needs repo"),
    "something else": ({**OPENED, "repo": "../../user"}, GITHUB_KEY, "is no repository"),
    "no event": ({"repo": "a/b", "events": {"opened": "true"}}, GITHUB_KEY, "at least one event"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_set_up_that_fails_says_why_and_leaves_nothing(
    known: RestServer, outside: StandIn, name: str
) -> None:
    config, key, says = REFUSED[name]

    answered = await ask_setup(known, config, await reference(known, key=key))

    assert answered.status_code == 400
    assert says in answered.json()["detail"]
    counts = await known.row_counts()
    assert counts.get("webhooks", 0) == counts.get("presets", 0) == 0
    assert outside.play("github").hooks == {}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, value={"message": "Oops"}),
        Reply(status=429, value={"message": "Slow down"}),
        Reply(status=403, value={"message": "You have exceeded a secondary rate limit"}),
        Reply(status=201, body=b"<html>"),
        Reply(status=201, value={"id": "seven"}),
    ],
    ids=["500", "429", "a secondary limit", "no JSON", "no id"],
)
async def test_what_may_have_been_registered_is_looked_for_and_taken_back(
    known: RestServer, outside: StandIn, reply: Reply
) -> None:
    mine = await reference(known)
    outside.next("github", reply)

    answered = await ask_setup(known, OPENED, mine)

    assert answered.status_code == 503
    assert await states(known) == ["removing"]
    asked = outside.asked[-1].json()
    outside.play("github").hooks[7] = {**asked, "id": 7, "repository": "ann/cats"}
    await look_after(known)
    assert outside.play("github").hooks == {}
    assert await states(known) == []


async def test_what_a_crash_left_at_the_provider_is_taken_back(
    known: RestServer, outside: StandIn
) -> None:
    """It had registered the webhook, and died before the preset was saved."""
    made = await set_up(known, OPENED, await reference(known))
    await known.storage.database.write(lambda c: c.exec_driver_sql("DELETE FROM presets"))
    due_us = known.clock.now_us() + 600_000_000
    await known.storage.database.write(
        lambda c: c.execute(
            update(webhooks).values(state="registering", due_us=due_us, provider_webhook_id="")
        )
    )
    assert await send(known, made, "ping", {"zen": "…"}) == 200  # what GitHub sends at once

    await look_after(known)
    assert len(outside.play("github").hooks) == 1
    known.clock.pass_time(minutes=11)
    await look_after(known)

    assert outside.play("github").hooks == {}
    assert await states(known) == []


async def test_a_provider_that_does_not_hear_is_told_again(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))
    outside.next("github", Reply(status=500, value={}))

    await known.ask("DELETE", f"{PRESETS}/{made['id']}")
    await look_after(known)
    assert await states(known) == ["removing"]
    known.clock.pass_time(minutes=2)
    await look_after(known)

    assert (outside.play("github").hooks, await states(known)) == ({}, [])


async def test_webhooks_go_before_their_credentials(known: RestServer, outside: StandIn) -> None:
    mine = await reference(known)
    await set_up(known, OPENED, mine)
    path = f"/api/integrations/github/credentials/{mine['id']}"

    assert (await known.ask("DELETE", path)).json()["need_confirmation"] is True
    assert len(outside.play("github").hooks) == 1
    assert (await known.ask("DELETE", f"{path}?force=true")).json()["deleted"] is True

    assert (outside.play("github").hooks, await states(known)) == ({}, [])


async def test_github_can_be_asked_to_try(known: RestServer, outside: StandIn) -> None:
    made = await set_up(known, OPENED, await reference(known))
    await send(known, made, "ping", {"zen": "…"})
    path = f"/api/integrations/webhooks/{made['webhook_id']}/ping"

    assert (await known.ask("POST", path)).json() is True
    assert outside.play("github").pings == [101]
    assert (await known.ask("POST", path, user=BOB)).status_code == 404


async def test_without_an_address_that_providers_reach_nothing_is_registered(
    known: RestServer, outside: StandIn
) -> None:
    registrations: Any = known.context.webhooks.registrations
    registrations._base_url = ""

    answered = await ask_setup(known, OPENED, await reference(known))

    assert answered.status_code == 503
    assert "PLATFORM_BASE_URL" in answered.json()["detail"]
    assert outside.asked == []


async def test_a_bot_has_one_webhook_that_brings_all_that_is_wanted(
    known: RestServer, outside: StandIn
) -> None:
    bot = await reference(known, "telegram", BOT)
    config: Json = {"events": {"text": True}}
    first = await set_up(known, config, bot, block=TELEGRAM_TRIGGER)
    second = await set_up(known, {"events": {"photo": True}}, bot, block=TELEGRAM_TRIGGER)

    webhook = second["webhook"]
    assert first["webhook_id"] == second["webhook_id"]
    assert webhook["events"] == ["message.photo", "message.text"]
    assert outside.play("telegram").hook == {
        "url": webhook["url"],
        "secret_token": webhook["secret"],
        "allowed_updates": ["message"],
    }
    right = {"X-Telegram-Bot-Api-Secret-Token": webhook["secret"]}
    update_ = {"update_id": 7, "message": {"text": "Hi"}}
    wrong = {"X-Telegram-Bot-Api-Secret-Token": "x" * 64}
    assert (await deliver(known, webhook["url"], update_, headers=wrong)).status_code == 403
    for _ in range(2):
        assert (await deliver(known, webhook["url"], update_, headers=right)).status_code == 200
    assert [run["preset_id"] for run in await runs(known)] == [first["id"]]
    for one in (first, second):
        await known.ask("DELETE", f"{PRESETS}/{one['id']}")
    await look_after(known)
    assert outside.play("telegram").hook == {}


async def test_the_token_of_a_bot_is_in_no_answer(known: RestServer) -> None:
    wrong = f"{BOT}x"
    bot = await reference(known, "telegram", wrong)

    answered = await ask_setup(known, {"events": {"text": True}}, bot, block=TELEGRAM_TRIGGER)

    assert (answered.status_code, "Unauthorized" in answered.text) == (400, True)
    assert wrong not in answered.text


async def test_slack_signs_with_its_own_secret(known: RestServer) -> None:
    config: Json = {"events": {"app_mention": True}}
    refused = await ask_setup(known, config, None, block=SLACK_TRIGGER)
    assert (refused.status_code, "signature" in refused.json()["detail"]) == (400, True)
    config["signature"] = {"scheme": "slack", "secret": "from-the-app"}

    answered = await ask_setup(known, config, None, block=SLACK_TRIGGER)

    url = answered.json()["webhook"]["url"]

    async def send_(body: Json) -> Any:
        raw = json.dumps(body).encode()
        now = known.clock.now_us() // 1_000_000
        headers = sign(SCHEMES["slack"], "from-the-app", raw, timestamp=now)
        return (await deliver(known, url, content=raw, headers=headers)).json()

    challenge = {"type": "url_verification", "challenge": "abc"}
    assert await send_(challenge) == {"challenge": "abc"}
    for number, kind in enumerate(("app_mention", "message")):
        event = {"type": "event_callback", "event_id": f"Ev{number}", "event": {"type": kind}}
        assert await send_(event) is None
    [run] = await runs(known)
    assert run["inputs"]["payload"]["event"] == {"type": "app_mention"}

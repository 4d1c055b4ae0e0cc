"""Channels of notices and the list in the app, over REST: one's own, and never a secret again."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from backend.adapters.storage.notice_sends import SqlSendQueue
from backend.core.ids import ChannelId, UserId
from backend.core.notice_channels import MOST_CHANNELS, NOTICE_KINDS, InboxEntry, Routed
from tests.contract.channel_parts import TESTS
from tests.contract.rest_server import ANN, BOB, Json, RestServer, rest_server

NOTICES: Final = "/api/notifications"
CHANNELS: Final = f"{NOTICES}/channels"
HOOK: Final = "https://example.com/hook/very-secret-part"
SLACK: Final = "https://hooks.slack.com/services/T000/B000/very-secret-part"
DISCORD: Final = "https://discord.com/api/webhooks/123456/very-secret-part"
TELEGRAM: Final = {"token": "123456:very-secret-part", "chat_id": "-10042"}
CONFIGS: Final[dict[str, Json]] = {
    "webhook": {"url": HOOK},
    "slack": {"url": SLACK},
    "discord": {"url": DISCORD},
    "telegram": TELEGRAM,
    "ntfy": {"topic": "very-secret-part", "token": "tk_very-secret-part"},
}


@pytest.fixture
async def server() -> AsyncIterator[RestServer]:
    async with rest_server() as made:
        yield made


async def new_channel(server: RestServer, kind: str = "ntfy", **more: Any) -> Json:
    """Make a channel of Ann's and return it as answered."""
    body = {"kind": kind, "config": CONFIGS[kind], **more}
    response = await server.ask("POST", CHANNELS, body)
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


async def tell(server: RestServer, *ids: str, user: str = ANN) -> None:
    """Enter notices, a second apart."""
    queue = SqlSendQueue(server.storage.database)
    for id_ in ids:
        server.clock.pass_time(seconds=1)
        entry = InboxEntry(
            id=id_,
            user_id=UserId(user),
            kind="AGENT_RUN",
            title=f"title of {id_}",
            text="text",
            created_us=server.clock.now_us(),
            run_id="run",
        )
        await queue.route([Routed(entry=entry)], now_us=server.clock.now_us())


async def read(server: RestServer, path: str, user: str = ANN) -> Json:
    response = await server.ask("GET", path, user=user)
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


@pytest.mark.parametrize("kind", sorted(CONFIGS))
async def test_a_channel_is_shown_without_what_leads_there(server: RestServer, kind: str) -> None:
    made = await new_channel(server, kind, name="Mine")
    await server.ask("PATCH", f"{CHANNELS}/{made['id']}", {"name": "Ours"})

    shown = await server.ask("GET", f"{CHANNELS}/{made['id']}")
    listed = await server.ask("GET", CHANNELS)

    assert listed.json() == {"channels": [shown.json()]}
    assert shown.json() == {
        **made,
        "name": "Ours",
        "updated_at": shown.json()["updated_at"],
        "signing_secret": None,
    }
    assert "secret-part" not in shown.text
    assert (made["types"], made["runs"], made["enabled"]) == (list(NOTICE_KINDS), "problems", True)
    assert (made["signing_secret"] or "").startswith("whsec_" if kind == "webhook" else "")


async def test_the_secret_of_signatures_is_told_when_it_is_made_and_never_again(
    server: RestServer,
) -> None:
    made = await new_channel(server, "webhook")
    path = f"{CHANNELS}/{made['id']}"

    own = "whsec_" + "A" * 40
    kept = await server.ask("PATCH", path, {"config": {"url": HOOK, "secret": own}})
    anew = await server.ask("PATCH", path, {"config": {"url": HOOK}})

    assert kept.json()["signing_secret"] is None
    assert anew.json()["signing_secret"] not in (None, made["signing_secret"])


async def test_who_turns_a_channel_on_lets_it_start_anew(server: RestServer) -> None:
    made = await new_channel(server)
    path = f"{CHANNELS}/{made['id']}"

    off = await server.ask("PATCH", path, {"enabled": False, "types": ["LOW_BALANCE"]})
    on = await server.ask("PATCH", path, {"enabled": True, "runs": "all"})

    assert (off.json()["enabled"], off.json()["types"]) == (False, ["LOW_BALANCE"])
    assert (on.json()["enabled"], on.json()["runs"]) == (True, "all")
    assert on.json()["types"] == ["LOW_BALANCE"]


async def test_there_are_only_so_many(server: RestServer) -> None:
    for _ in range(MOST_CHANNELS):
        last = await new_channel(server)

    body = {"kind": "ntfy", "config": CONFIGS["ntfy"]}
    refused = await server.ask("POST", CHANNELS, body)
    others = await server.ask("POST", CHANNELS, body, user=BOB)

    assert (refused.status_code, "remove one" in refused.text) == (413, True)
    assert others.status_code == 201
    assert (await server.ask("DELETE", f"{CHANNELS}/{last['id']}")).status_code == 204
    assert (await server.ask("POST", CHANNELS, body)).status_code == 201


async def test_a_private_address_is_not_called(server: RestServer) -> None:
    made = await new_channel(server, "webhook", config={"url": "http://127.0.0.1:8080/x"})

    tried = await server.ask("POST", f"{CHANNELS}/{made['id']}/test")

    assert tried.status_code == 200
    assert tried.json()["delivered"] is False
    assert "TRUST_ENDPOINTS_FOR_REQUESTS" in tried.json()["said"]


async def test_channels_are_not_tried_out_without_end(server: RestServer) -> None:
    made = await new_channel(server, "webhook", config={"url": "http://127.0.0.1:8080/x"})
    path = f"{CHANNELS}/{made['id']}/test"

    answers = [(await server.ask("POST", path)).status_code for _ in range(TESTS + 1)]

    assert answers == [200] * TESTS + [429]


async def test_notices_are_listed_newest_first_and_page_by_page(server: RestServer) -> None:
    await tell(server, "one", "two", "three")
    await tell(server, "hers", user=BOB)

    first = await read(server, f"{NOTICES}?limit=2")
    second = await read(server, f"{NOTICES}?limit=2&cursor={first['next_cursor']}")

    assert [one["id"] for one in first["notifications"]] == ["three", "two"]
    assert [one["id"] for one in second["notifications"]] == ["one"]
    assert (first["unread_count"], second["next_cursor"]) == (3, None)
    assert first["notifications"][0]["graph_exec_id"] == "run"


async def test_what_was_read_is_not_unread(server: RestServer) -> None:
    await tell(server, "one", "two", "three", "four")
    until = (await read(server, NOTICES))["notifications"][2]["created_at"]

    await server.ask("POST", f"{NOTICES}/read", {"ids": ["three", "three", "nothing"]})
    some = await read(server, f"{NOTICES}?unread=true")
    await server.ask("POST", f"{NOTICES}/read", {"all": True, "until": until})
    fewer = await read(server, f"{NOTICES}?unread=true")
    await tell(server, "five")
    left = await server.ask("POST", f"{NOTICES}/read", {"all": True})

    assert [one["id"] for one in some["notifications"]] == ["four", "two", "one"]
    assert [one["id"] for one in fewer["notifications"]] == ["four"]
    assert left.json() == {"unread_count": 0}
    assert len((await read(server, NOTICES))["notifications"]) == 5


async def test_nobody_reads_for_others(server: RestServer) -> None:
    await tell(server, "one")

    for body in ({"ids": ["one"]}, {"all": True}):
        answered = await server.ask("POST", f"{NOTICES}/read", body, user=BOB)
        assert answered.json() == {"unread_count": 0}

    assert (await read(server, NOTICES))["unread_count"] == 1
    assert (await read(server, NOTICES, BOB))["notifications"] == []


async def test_what_waits_is_counted(server: RestServer) -> None:
    made = await new_channel(server)
    queue = SqlSendQueue(server.storage.database)
    entry = InboxEntry(
        id="n", user_id=UserId(ANN), kind="AGENT_RUN", title="", text="", created_us=1
    )
    await queue.route([Routed(entry=entry, channels=[ChannelId(made["id"])])], now_us=1)

    assert (await read(server, f"{CHANNELS}/{made['id']}"))["waiting"] == 1


def _made(kind: str, **config: str) -> Json:
    return {"kind": kind, "config": config}


#: A whole body of each route that reads one.
BODIES: Final[list[tuple[str, str, Json]]] = [
    ("POST", "/api/notifications/read", {"all": True, "until": "2026-01-01T00:00:00Z"}),
    (
        "POST",
        "/api/notifications/channels",
        {
            "kind": "ntfy",
            "config": {"topic": "t"},
            "name": "n",
            "types": ["AGENT_RUN"],
            "runs": "all",
        },
    ),
    (
        "PATCH",
        "/api/notifications/channels/{channel_id}",
        {"config": {"topic": "t"}, "name": "n", "types": ["AGENT_RUN"], "enabled": True},
    ),
]
#: What is wrong, the request, its status, and a word of the answer.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("no body", "POST", CHANNELS, None, 422, "Field required"),
    ("no kind", "POST", CHANNELS, {"config": {}}, 422, "kind"),
    ("an unknown kind", "POST", CHANNELS, _made("pigeon"), 422, "telegram"),
    ("more than there is", "POST", CHANNELS, {**_made("slack"), "x": 1}, 422, "Extra inputs"),
    ("nothing of what it needs", "POST", CHANNELS, _made("telegram"), 400, "token, chat_id"),
    ("what it has not", "POST", CHANNELS, _made("slack", url=SLACK, x="y"), 400, "no x"),
    ("no address", "POST", CHANNELS, _made("webhook", url="hook"), 400, "https://example.com"),
    ("a file", "POST", CHANNELS, _made("webhook", url="file:///etc/passwd"), 400, "no address"),
    ("a password in it", "POST", CHANNELS, _made("webhook", url="https://a:b@x.org"), 400, "password"),
    ("a line break in it", "POST", CHANNELS, _made("webhook", url="https://x.org/\r\nA: b"), 400, "no address"),
    ("a port that is none", "POST", CHANNELS, _made("webhook", url="https://x.org:99999/"), 400, "no address"),
    ("a short secret", "POST", CHANNELS, _made("webhook", url=HOOK, secret="whsec_x"), 400, "24 to 64"),
    ("no webhook of Slack", "POST", CHANNELS, _made("slack", url="https://hooks.slack.com/"), 400, "services/T"),
    ("no webhook of Discord", "POST", CHANNELS, _made("discord", url=HOOK), 400, "api/webhooks"),
    ("Discord's name in another", "POST", CHANNELS, _made("discord", url=DISCORD.replace(".com", ".com.x.org")), 400, "api/webhooks"),
    ("no bot", "POST", CHANNELS, _made("telegram", token="x/../y", chat_id="1"), 400, "123456:"),
    ("no chat", "POST", CHANNELS, {"kind": "telegram", "config": {**TELEGRAM, "chat_id": "a b"}}, 400, "@name"),
    ("no topic", "POST", CHANNELS, _made("ntfy", topic="a/b"), 400, "1 to 64"),
    ("a token of two lines", "POST", CHANNELS, _made("ntfy", topic="t", token="a\nB: c"), 400, "token of ntfy"),
    ("notices that are none", "POST", CHANNELS, {**_made("ntfy", topic="t"), "types": ["X"]}, 400, "AGENT_RUN"),
    ("no notices", "POST", CHANNELS, {**_made("ntfy", topic="t"), "types": []}, 400, "at least one"),
    ("nothing to get", "GET", f"{CHANNELS}/x", None, 404, "Channel #x"),
    ("nothing to change", "PATCH", f"{CHANNELS}/x", {}, 404, "Channel #x"),
    ("a change of its kind", "PATCH", f"{CHANNELS}/x", {"kind": "slack"}, 422, "Extra inputs"),
    ("nothing to remove", "DELETE", f"{CHANNELS}/x", None, 404, "Channel #x"),
    ("nothing to try out", "POST", f"{CHANNELS}/x/test", None, 404, "Channel #x"),
    ("no page", "GET", f"{NOTICES}?limit=0", None, 422, "greater than or equal"),
    ("no cursor", "GET", f"{NOTICES}?cursor=x", None, 400, "next_cursor"),
    ("a huge cursor", "GET", f"{NOTICES}?cursor={'9' * 40}~x", None, 400, "next_cursor"),
    ("read what", "POST", f"{NOTICES}/read", {}, 422, "give ids"),
    ("read both", "POST", f"{NOTICES}/read", {"ids": [], "all": True}, 422, "give ids"),
    ("some until", "POST", f"{NOTICES}/read", {"ids": [], "until": "2026-01-01T00:00:00Z"}, 422, "until goes"),
    ("until anywhere", "POST", f"{NOTICES}/read", {"all": True, "until": "2026-01-01T00:00:00"}, 422, "timezone"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_a_wrong_request_is_refused_and_nothing_changes(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    await new_channel(server)
    before = await read(server, CHANNELS)

    response = await server.ask(method, path, body)

    assert (response.status_code, says in response.text) == (status, True), response.text
    assert await read(server, CHANNELS) == before


@pytest.mark.parametrize("body", [{"config": {"url": ["very-secret"]}}, {"config": "very-secret"}])
async def test_what_was_refused_is_not_shown_around(server: RestServer, body: Json) -> None:
    made = await new_channel(server)

    new = await server.ask("POST", CHANNELS, {"kind": "webhook", **body})
    changed = await server.ask("PATCH", f"{CHANNELS}/{made['id']}", body)

    for response in (new, changed):
        assert response.status_code == 422
        assert "very-secret" not in response.text

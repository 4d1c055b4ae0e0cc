"""Triggers that the server watches itself, over the API: set up, shown, changed, refused."""

from typing import Any

import pytest

from backend.discovery import load_catalog
from tests.contract.rest_server import BOB, OUTPUT, Json, RestServer, link
from tests.contract.triggered import PRESETS, deliver, setup

FEED = {"url": "https://example.com/feed.xml"}
MAIL = {"host": "imap.example.com"}
LOGIN = {
    "type": "user_password",
    "provider": "imap",
    "title": "m",
    "username": "a",
    "password": "b",
}
GROUP = "imap_user_password_credentials"


def watched_graph(block: str, pin: str, **defaults: Any) -> Json:
    [block_id] = [one.id for one in load_catalog() if one.name == block]
    return {
        "name": block,
        "description": "",
        "nodes": [
            {"id": "in", "block_id": block_id, "input_default": defaults},
            {"id": "out", "block_id": OUTPUT, "input_default": {"name": "result"}},
        ],
        "links": [link("in", pin, "out", "value")],
    }


async def set_up(server: RestServer, block: str, pin: str, config: Json, **more: Any) -> Any:
    graph = await server.new_graph(watched_graph(block, pin))
    body = setup(graph, trigger_config=config, **more)
    return await server.ask("POST", f"{PRESETS}/setup-trigger", body)


async def test_a_feed_is_watched_from_its_set_up(server: RestServer) -> None:
    answer = await set_up(server, "FeedTriggerBlock", "title", FEED)

    made = answer.json()
    assert answer.status_code == 200, answer.text
    webhook = made["webhook"]
    config = webhook["config"]
    assert config.pop("watch")["failures"] == 0
    assert (webhook["provider"], webhook["url"], config) == ("feed", "", FEED)
    shown = (await server.ask("GET", f"{PRESETS}/{made['id']}")).json()["webhook"]["config"]
    assert shown["watch"].pop("next_at")
    assert shown["watch"] == {"looked_at": None, "failures": 0, "error": ""}


@pytest.mark.parametrize(
    ("block", "pin", "config", "words"),
    [
        ("FeedTriggerBlock", "title", {}, "url is a web address"),
        ("FeedTriggerBlock", "title", {"url": "file:///etc/passwd"}, "url is a web address"),
        ("FeedTriggerBlock", "title", {**FEED, "interval": 59}, "from 60 to 86400"),
        ("FeedTriggerBlock", "title", {**FEED, "interval": "often"}, "a number of seconds"),
        ("FeedTriggerBlock", "title", {**FEED, "runs": "all"}, "one of entry, poll"),
        ("PageChangeTriggerBlock", "diff", {"url": "https://a", "selector": 1}, "one line of text"),
        ("FileDropTriggerBlock", "name", {"folder": "../x"}, "the name of one folder"),
        ("FileDropTriggerBlock", "name", {"folder": "a/b"}, "the name of one folder"),
        ("FileDropTriggerBlock", "name", {"folder": "a", "afterwards": "burn"}, "move, leave"),
        ("MailTriggerBlock", "subject", {}, "host is missing"),
        ("MailTriggerBlock", "subject", MAIL, "needs credentials of the provider 'imap'"),
        ("MailTriggerBlock", "subject", {**MAIL, "port": 0}, "from 1 to 65535"),
        ("MailTriggerBlock", "subject", {"host": "a\r\nb"}, "one line of text"),
    ],
)
async def test_what_cannot_be_is_refused_with_how_to_mend_it(
    server: RestServer, block: str, pin: str, config: Json, words: str
) -> None:
    answer = await set_up(server, block, pin, config)

    assert answer.status_code == 400
    assert words in answer.text


async def test_what_a_node_says_itself_need_not_be_said_again(server: RestServer) -> None:
    graph = await server.new_graph(watched_graph("FeedTriggerBlock", "title", **FEED))

    body = setup(graph, trigger_config={"interval": 90})
    made = (await server.ask("POST", f"{PRESETS}/setup-trigger", body)).json()

    del made["webhook"]["config"]["watch"]  # how it stands
    assert made["webhook"]["config"] == {**FEED, "interval": 90}


async def test_nobody_delivers_to_what_is_watched(server: RestServer) -> None:
    made = (await set_up(server, "FeedTriggerBlock", "title", FEED)).json()

    url = f"/api/integrations/feed/webhooks/{made['webhook_id']}/ingress"
    answer = await deliver(server, url, {"entry": {}})

    assert answer.status_code == 404


async def test_a_mailbox_is_watched_with_its_owners_own_credentials(server: RestServer) -> None:
    path = "/api/integrations/imap/credentials"
    mine = (await server.ask("POST", path, LOGIN)).json()["id"]
    his = (await server.ask("POST", path, LOGIN, user=BOB)).json()["id"]

    def named(key: str) -> Json:
        return {GROUP: {"id": key, "provider": "imap", "type": "user_password"}}

    made = await set_up(server, "MailTriggerBlock", "subject", MAIL, agent_credentials=named(mine))
    stolen = await set_up(server, "MailTriggerBlock", "subject", MAIL, agent_credentials=named(his))

    assert made.json()["webhook"]["credentials_id"] == mine
    assert stolen.status_code == 400
    assert "Unknown credentials" in stolen.text
    needed = await server.ask("DELETE", f"{path}/{mine}")
    assert needed.json()["need_confirmation"]


async def test_a_change_of_its_inputs_is_a_change_of_what_is_watched(server: RestServer) -> None:
    made = (await set_up(server, "FeedTriggerBlock", "title", FEED)).json()
    path = f"{PRESETS}/{made['id']}"

    changed = await server.ask("PATCH", path, {"inputs": {**FEED, "interval": 600}})
    refused = await server.ask("PATCH", path, {"inputs": {"url": "nowhere"}})

    assert changed.json()["webhook"]["config"]["interval"] == 600
    assert refused.status_code == 400
    kept = (await server.ask("GET", path)).json()
    assert kept["inputs"] == {**FEED, "interval": 600}


async def test_one_user_has_so_many_watches_and_no_more(server: RestServer) -> None:
    made = [await set_up(server, "FeedTriggerBlock", "title", FEED) for _ in range(4)]

    assert [one.status_code for one in made] == [200, 200, 200, 400]
    assert "MAX_WATCHES_PER_USER" in made[3].text
    await server.ask("DELETE", f"{PRESETS}/{made[0].json()['id']}")
    assert (await set_up(server, "FeedTriggerBlock", "title", FEED)).status_code == 200

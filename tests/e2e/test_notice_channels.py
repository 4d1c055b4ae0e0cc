"""People are told by channels and in the app, once, whoever is killed meanwhile."""

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from backend.core import json
from backend.core.ids import DEFAULT_USER_ID
from backend.core.signatures import SCHEMES, check
from backend.testing.standin.messages import Asked, Reply
from backend.testing.standin.server import StandIn
from tests.e2e.conftest import StartServer
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, Socket, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CHANNELS = "/notifications/channels"


class SlowHook:
    """Takes what is sent, slowly."""

    def answer(self, asked: Asked) -> Reply:
        del asked
        return Reply(status=200, value={}, wait_s=0.02)


@pytest.fixture
def hook() -> Iterator[StandIn]:
    with StandIn({"webhook": SlowHook}) as services:
        yield services


@pytest.fixture
def server(start_server: StartServer, hook: StandIn) -> Server:
    return start_server(TRUST_ENDPOINTS_FOR_REQUESTS=hook.url)


def new_channel(server: Server, hook: StandIn) -> Any:
    body = {"kind": "webhook", "config": {"url": f"{hook.url}/webhook/x"}}
    made = server.rest.ask("POST", CHANNELS, body)
    assert made.status_code == 201, made.text
    return made.json()


def came(hook: StandIn, count: int) -> bool:
    return len(hook.asked) >= count


def insert(server: Server, statement: str, *values: Any) -> None:
    """Queue notices, as the executor would."""
    server.store.change((statement, values))


def test_a_run_that_fails_is_told_once_by_a_signed_message_in_the_list_and_to_sockets(
    server: Server, hook: StandIn
) -> None:
    made, socket = new_channel(server, hook), Socket(server)
    # Nobody listens there, and no list of the operator names it.
    graph = server.rest.add(web_chain("http://127.0.0.1:1", 1, name="Broken"))

    run_id = server.rest.start(graph, run="x")
    assert server.rest.ended(graph, run_id)["stats"]["node_error_count"] == 1
    frame = socket.receive()
    [asked] = until(lambda: hook.asked or None)
    listed = server.rest.get("/notifications?unread=true")

    headers = {name: [value] for name, value in asked.headers.items()}
    seconds = int(asked.headers["webhook-timestamp"])
    check(SCHEMES["standard"], made["signing_secret"], headers, asked.body, now_s=seconds)
    [entry] = listed["notifications"]
    assert entry["title"] == "Broken: completed with errors"
    assert entry["graph_exec_id"] == run_id
    assert (frame["method"], frame["channel"]) == ("notification", None)
    shown = {name: entry[name] for name in ("id", "kind", "title", "text", "created_at")}
    assert frame["data"] == {
        **shown,
        "type": "notice",
        "event": "created",
        "graph_id": graph,
        "graph_exec_id": run_id,
    }
    assert asked.json()["id"] == entry["id"]
    until(lambda: server.rows("SELECT 1 FROM notice_sends WHERE status = 'SENT'"))
    assert len(hook.asked) == 1
    socket.close()


def test_of_a_hundred_messages_none_is_lost_when_their_sender_is_killed(
    server: Server, hook: StandIn
) -> None:
    new_channel(server, hook)
    insert(
        server,
        "INSERT INTO notices (id, user_id, type, data, created_us, status, attempts, next_us, unrouted)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
        " SELECT 'n' || i, ?, 'LOW_BALANCE', ?, ? + i, 'DROPPED', 0, 0, 1 FROM n",
        DEFAULT_USER_ID,
        json.text({"current_balance": 1}),
        time.time_ns() // 1000,
    )

    kills = 0
    for count in (10, 40, 70):
        until(partial(came, hook, count))
        server.kill("NotificationManager")
        kills += 1
        server.wait_ready("NotificationManager")
    until(
        lambda: server.rows("SELECT count(*) FROM notice_sends WHERE status = 'SENT'") == [(100,)]
    )

    sent = Counter(asked.headers["idempotency-key"].partition(":")[0] for asked in hook.asked)
    assert set(sent) == {f"n{number}" for number in range(1, 101)}
    assert sum(sent.values()) <= 100 + kills
    first = dict.fromkeys(asked.json()["id"] for asked in hook.asked)
    assert list(first) == [f"n{number}" for number in range(1, 101)]
    assert server.rows("SELECT count(*) FROM notice_inbox") == [(100,)]

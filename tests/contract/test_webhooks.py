"""Deliveries: what they start, what is refused, and that none counts twice."""

import asyncio
from typing import Any

import pytest

from backend.core.signatures import SCHEMES, sign
from backend.ports.dispatch import SignalKind
from tests.contract.rest_server import BOB, Json, RestServer
from tests.contract.triggered import (
    PRESETS,
    deliver,
    new_preset,
    new_trigger,
    runs,
    triggered_graph,
)

BODY = b'{"order": 7}'


def signature_of(secret: str, body: bytes) -> str:
    [value] = sign(SCHEMES["github"], secret, body).values()
    return value


async def rows(server: RestServer, *columns: str) -> list[tuple[Any, ...]]:
    query = f"SELECT {', '.join(columns)} FROM executions ORDER BY created_us"
    found = await server.storage.database.read(lambda c: list(c.exec_driver_sql(query)))
    return [tuple(row) for row in found]


async def test_a_delivery_starts_a_run_that_is_on_disk_before_it_is_answered(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    graph = (await server.ask("GET", f"/api/graphs/{made['graph_id']}")).json()
    trigger = next(n["id"] for n in graph["nodes"] if n["block_id"].startswith("8fa8c167"))

    answered = await deliver(server, made["webhook"]["url"], {"order": 7})

    assert (answered.status_code, answered.json()) == (200, None)
    [run] = await runs(server)
    assert (run["status"], run["preset_id"]) == ("QUEUED", made["id"])
    assert run["inputs"] == {"constants": {"shop": "Oslo"}, "payload": {"order": 7}}
    assert run["nodes_input_masks"] == {
        trigger: {"constants": {"shop": "Oslo"}, "payload": {"order": 7}}
    }
    assert await rows(server, "trigger") == [("webhook",)]
    await server.told(SignalKind.RUN, run["id"])


async def test_the_inputs_of_a_run_that_was_triggered_start_the_same_run_by_hand(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    await deliver(server, made["webhook"]["url"], {"order": 7})
    [first] = await runs(server)

    path = f"/api/graphs/{made['graph_id']}/execute/1"
    second = (await server.ask("POST", path, {"inputs": first["inputs"]})).json()

    assert second["nodes_input_masks"] == first["nodes_input_masks"]
    assert second["inputs"] == first["inputs"]


async def test_a_delivery_starts_each_active_preset_once_and_no_other(server: RestServer) -> None:
    made = await new_trigger(server)
    graph = {"id": made["graph_id"], "version": made["graph_version"]}
    inputs = {"city": "Oslo"}
    second = await new_preset(server, graph, inputs=inputs, webhook_id=made["webhook_id"])
    await new_preset(server, graph, webhook_id=made["webhook_id"], is_active=False)
    await new_preset(server, graph)

    for _ in range(2):
        await deliver(server, made["webhook"]["url"], {}, headers={"Idempotency-Key": "one"})

    assert len(await runs(server)) == 2
    started = {run["preset_id"]: run["inputs"] for run in await runs(server)}
    assert started.keys() == {made["id"], second["id"]}
    assert started[second["id"]] == {"city": "Oslo", "payload": {}}


async def test_a_delivery_starts_nothing_of_others_whatever_the_rows_say(
    server: RestServer,
) -> None:
    anns, bobs = await new_trigger(server), await new_trigger(server, user=BOB)
    server.store.change(("UPDATE presets SET webhook_id = ?", (anns["webhook_id"],)))

    await deliver(server, anns["webhook"]["url"], {})

    assert [run["preset_id"] for run in await runs(server)] == [anns["id"]]
    assert await runs(server, user=BOB) == []
    assert (await deliver(server, bobs["webhook"]["url"], {})).status_code == 200
    assert await rows(server, "preset_id") == [(anns["id"],)]


async def test_a_preset_that_cannot_run_keeps_no_other_from_running(server: RestServer) -> None:
    made = await new_trigger(server)
    graph = {"id": made["graph_id"], "version": made["graph_version"]}
    wrong = {"constants": "no object at all"}
    await server.ask("PATCH", f"{PRESETS}/{made['id']}", {"inputs": {"constants": {}}})
    broken_graph = triggered_graph()
    broken_graph["nodes"].append(
        {"id": "x", "block_id": "b1ab9b19-67a6-406d-abf5-2dba76d00c79", "input_default": {}}
    )
    broken = await server.new_graph(broken_graph)
    await new_preset(server, broken, inputs=wrong, webhook_id=made["webhook_id"])
    good = await new_preset(server, graph, inputs={}, webhook_id=made["webhook_id"])

    answered = await deliver(server, made["webhook"]["url"], {})

    assert answered.status_code == 200
    assert {run["preset_id"] for run in await runs(server)} == {made["id"], good["id"]}


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-GitHub-Delivery"])
async def test_a_delivery_that_is_sent_again_starts_nothing_again(
    server: RestServer, header: str
) -> None:
    made = await new_trigger(server)
    url = made["webhook"]["url"]

    answers = await asyncio.gather(
        *(deliver(server, url, {"order": 7}, headers={header: "one"}) for _ in range(3))
    )
    await deliver(server, url, {"order": 7}, headers={header: "two"})

    assert {answered.status_code for answered in answers} == {200}
    assert len(await runs(server)) == 2


async def test_a_delivery_without_a_name_is_another_one_each_time(server: RestServer) -> None:
    made = await new_trigger(server)

    for headers in ({}, {}, {"Idempotency-Key": ""}):
        await deliver(server, made["webhook"]["url"], {}, headers=headers)

    assert len(await runs(server)) == 3


async def test_one_name_at_two_webhooks_is_two_deliveries(server: RestServer) -> None:
    for made in (await new_trigger(server), await new_trigger(server)):
        await deliver(server, made["webhook"]["url"], {}, headers={"Idempotency-Key": "one"})

    assert len(await runs(server)) == 2


async def test_the_provider_of_the_address_is_the_webhooks(server: RestServer) -> None:
    """It chose how a delivery was checked, and so by-passed the check (flaw 2)."""
    made = await new_trigger(server)
    url = made["webhook"]["url"]

    for provider in ("exa", "github", "GENERIC_WEBHOOK", "generic_webhook%00"):
        answered = await deliver(server, url.replace("generic_webhook", provider), {})
        assert answered.status_code == 404, provider
    unknown = await deliver(server, url.replace(made["webhook"]["id"], "nobodys"), {})

    assert unknown.status_code == 404
    other = await deliver(server, url.replace("generic_webhook", "exa"), {})
    assert (
        other.json()["detail"].replace(made["webhook"]["id"], "nobodys")
        == (unknown.json()["detail"])
    )
    assert await runs(server) == []


@pytest.mark.parametrize("require_signature", [False, True])
async def test_a_signature_must_be_right(server: RestServer, *, require_signature: bool) -> None:
    made = await new_trigger(server, require_signature=require_signature)
    url, secret = made["webhook"]["url"], made["webhook"]["secret"]
    right = signature_of(secret, BODY)

    async def status(signature: str | bytes, body: bytes = BODY) -> int:
        raw = signature if isinstance(signature, bytes) else signature.encode()
        headers = [(b"X-Hub-Signature-256", raw)]
        return (await deliver(server, url, content=body, headers=headers)).status_code

    wrong: list[str | bytes] = [
        signature_of("another secret", BODY),
        right[:-1],
        right.upper(),
        right.removeprefix("sha256="),
        "sha1=" + right.removeprefix("sha256="),
        "",
        "sha256=\xe9".encode("latin-1"),
    ]
    assert [await status(one) for one in wrong] == [403] * len(wrong)
    assert await status(right, b'{"order": 8}') == 403
    assert await runs(server) == []
    assert await status(right) == 200


async def test_a_webhook_may_ask_for_signed_deliveries_only(server: RestServer) -> None:
    made = await new_trigger(server, require_signature=True, constants={"a": 1})
    assert made["inputs"] == {"constants": {"a": 1}}

    answered = await deliver(server, made["webhook"]["url"], content=BODY)

    assert answered.status_code == 403
    assert "x-hub-signature-256" in answered.json()["detail"]
    assert await runs(server) == []


#: What is sent, status, what the answer says.
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "JSON object"),
    "half a body": (b'{"a":', 400, "JSON object"),
    "a form": (b"a=1&b=2", 400, "JSON object"),
    "no UTF-8": (b'{"a": "\xff"}', 400, "JSON object"),
    "a lone surrogate": (b'{"a": "\\ud800"}', 400, "JSON object"),
    "a list": (b"[1]", 400, "put other values into one"),
    "null": (b"null", 400, "put other values into one"),
    "a text": (b'"x"', 400, "put other values into one"),
    "121 levels": (b'{"a":' * 121 + b"1" + b"}" * 121, 400, "nested deeper"),
    "100,000 brackets": (b"[" * 9_000, 400, "JSON object"),
    "too much": (b'{"a": "' + b"x" * 10_000 + b'"}', 413, "MAX_WEBHOOK_BODY_KB"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_delivery_that_cannot_be_used_is_refused_and_nothing_is_written(
    server: RestServer, name: str
) -> None:
    made = await new_trigger(server)
    before = await server.row_counts()
    body, status, says = REFUSED[name]

    answered = await deliver(server, made["webhook"]["url"], content=body)

    assert answered.status_code == status, answered.text
    assert says in answered.json()["detail"]
    assert await server.row_counts() == before


async def test_the_name_of_a_delivery_is_bounded(server: RestServer) -> None:
    made = await new_trigger(server)

    answered = await deliver(
        server, made["webhook"]["url"], {}, headers={"Idempotency-Key": "x" * 256}
    )

    assert answered.status_code == 400
    assert "255" in answered.json()["detail"]
    assert await runs(server) == []


async def test_a_payload_of_120_levels_can_be_read_back(server: RestServer) -> None:
    made = await new_trigger(server)
    value: Json = {}
    for _ in range(119):
        value = {"a": value}

    answered = await deliver(server, made["webhook"]["url"], value)

    assert answered.status_code == 200
    [run] = await runs(server)
    assert run["inputs"]["payload"] == value


async def test_only_the_owner_of_a_webhook_pings_it(server: RestServer) -> None:
    made = await new_trigger(server)
    path = f"/api/integrations/webhooks/{made['webhook']['id']}/ping"

    mine = await server.ask("POST", path)
    theirs = await server.ask("POST", path, user=BOB)
    without = await server.client.post(path)

    assert (mine.status_code, mine.json()) == (200, False)
    assert theirs.status_code == 404
    assert without.status_code == 401

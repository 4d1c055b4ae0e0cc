"""The trigger of websets at Exa: told of, signed with a secret of Exa's own, and taken back."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from backend.core.signatures import sign
from backend.core.webhook_providers import PROVIDERS
from backend.testing.standin.hooks import EXA_KEY, ExaHooks
from backend.testing.standin.server import StandIn
from tests.contract.rest_server import Json, RestServer
from tests.contract.test_registrations import ask_setup, look_after, reaching, reference
from tests.contract.triggered import PRESETS, deliver, runs

TRIGGER = "d0204ed8-8b81-408d-8b8d-ed087a546228"
ITEM: Json = {
    "id": "event_1",
    "object": "event",
    "type": "webset.item.created",
    "data": {"id": "item_1", "websetId": "ws_1"},
    "createdAt": "2026-11-27T10:00:00Z",
}


@pytest.fixture
def outside() -> Iterator[StandIn]:
    with StandIn({"exa": ExaHooks}) as made:
        yield made


@pytest.fixture
async def known(server: RestServer, outside: StandIn) -> AsyncIterator[RestServer]:
    async with reaching(server, outside):
        yield server


async def ask(server: RestServer, config: Json) -> Any:
    given = await reference(server, "exa", EXA_KEY)
    return await ask_setup(server, config, given, block=TRIGGER, pin="data")


async def send(server: RestServer, made: Json, secret: str, body: Json) -> int:
    raw = json.dumps(body).encode()
    now = server.clock.now_us() // 1_000_000
    headers = sign(PROVIDERS["exa"].scheme, secret, raw, timestamp=now)
    return (await deliver(server, made["webhook"]["url"], content=raw, headers=headers)).status_code


async def test_exa_is_told_of_what_is_chosen_and_signs_with_its_own_secret(
    known: RestServer, outside: StandIn
) -> None:
    made = (await ask(known, {"event_filter": {"item_created": True}})).json()
    [hook] = outside.play("exa").hooks.values()

    assert (hook["url"], hook["events"]) == (made["webhook"]["url"], ["webset.item.created"])
    assert await send(known, made, "not it", ITEM) == 403
    for _ in range(2):
        assert await send(known, made, hook["secret"], ITEM) == 200
    assert (
        await send(known, made, hook["secret"], {**ITEM, "id": "e2", "type": "webset.idle"}) == 200
    )
    [run] = await runs(known)
    assert run["inputs"]["payload"] == ITEM


async def test_without_a_choice_the_events_of_the_block_are_taken(
    known: RestServer, outside: StandIn
) -> None:
    await ask(known, {})

    [hook] = outside.play("exa").hooks.values()
    assert "webset.search.completed" in hook["events"]
    assert "webset.deleted" not in hook["events"]


async def test_a_trigger_of_one_webset_passes_over_the_others(
    known: RestServer, outside: StandIn
) -> None:
    config: Json = {"event_filter": {"item_created": True}, "webset_id": "ws_1"}
    made = (await ask(known, config)).json()
    [hook] = outside.play("exa").hooks.values()
    other = {**ITEM, "id": "e2", "data": {"id": "item_2", "websetId": "ws_2"}}

    for body in (other, ITEM):
        assert await send(known, made, hook["secret"], body) == 200

    [run] = await runs(known)
    assert run["inputs"]["payload"] == ITEM


async def test_it_is_taken_back_with_its_preset(known: RestServer, outside: StandIn) -> None:
    made = (await ask(known, {})).json()

    await known.ask("DELETE", f"{PRESETS}/{made['id']}")
    await look_after(known)

    assert outside.play("exa").hooks == {}


async def test_events_that_exa_does_not_have_are_refused(known: RestServer) -> None:
    answered = await ask(known, {"event_filter": {"import_processing": True}})

    assert (answered.status_code, "Exa has none" in answered.text) == (400, True)

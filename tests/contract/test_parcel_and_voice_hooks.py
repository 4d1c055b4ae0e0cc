"""Triggers of Slant 3D, which is told of an address, and of Compass, to which its owner gives one."""

from collections.abc import AsyncIterator, Iterator

import pytest

from backend.testing.standin.hooks import SLANT3D_KEY, Slant3dHooks
from backend.testing.standin.messages import Reply
from backend.testing.standin.server import StandIn
from tests.contract.rest_server import Json, RestServer
from tests.contract.test_registrations import ask_setup, look_after, reaching, reference, set_up
from tests.contract.triggered import PRESETS, deliver, runs

SLANT3D_TRIGGER = "8a74c2ad-0104-4640-962f-26c6b69e58cd"
COMPASS_TRIGGER = "9464a020-ed1d-49e1-990f-7f2ac924a2b7"
SHIPPED: Json = {
    "orderId": "7",
    "status": "SHIPPED",
    "trackingNumber": "1Z9",
    "carrierCode": "ups",
}


@pytest.fixture
def outside() -> Iterator[StandIn]:
    with StandIn({"slant3d": Slant3dHooks}) as made:
        yield made


@pytest.fixture
async def known(server: RestServer, outside: StandIn) -> AsyncIterator[RestServer]:
    async with reaching(server, outside):
        yield server


async def parcel(server: RestServer, config: Json) -> Json:
    given = await reference(server, "slant3d", SLANT3D_KEY)
    return await set_up(server, config, given, block=SLANT3D_TRIGGER)


async def test_slant3d_is_told_and_a_shipped_order_starts_the_agent_with_its_four_facts(
    known: RestServer, outside: StandIn
) -> None:
    made = await parcel(known, {"events": {"shipped": True}})
    url = made["webhook"]["url"]

    for body in ({**SHIPPED, "price": 3}, {**SHIPPED, "status": "PRINTED"}):
        assert (await deliver(known, url, body)).status_code == 200

    assert outside.play("slant3d").url == url
    [run] = await runs(known)
    assert run["inputs"]["payload"] == SHIPPED


@pytest.mark.parametrize("missing", list(SHIPPED))
async def test_an_order_without_one_of_its_facts_is_refused(
    known: RestServer, missing: str
) -> None:
    made = await parcel(known, {"events": {"shipped": True}})
    body = {name: value for name, value in SHIPPED.items() if name != missing}

    answered = await deliver(known, made["webhook"]["url"], body)

    assert (answered.status_code, missing in answered.text) == (400, True)
    assert await runs(known) == []


async def test_a_preset_that_is_deleted_lets_its_address_go_without_a_word_to_slant3d(
    known: RestServer, outside: StandIn
) -> None:
    made = await parcel(known, {"events": {"shipped": True}})
    await known.ask("DELETE", f"{PRESETS}/{made['id']}")
    await look_after(known)

    assert (await deliver(known, made["webhook"]["url"], SHIPPED)).status_code == 404
    assert len(outside.asked) == 1


async def test_a_wrong_key_is_said_and_nothing_is_left(known: RestServer) -> None:
    given = await reference(known, "slant3d", "wrong")

    answered = await ask_setup(known, {"events": {"shipped": True}}, given, block=SLANT3D_TRIGGER)

    assert (answered.status_code, "Slant 3D answered 401" in answered.text) == (400, True)


async def test_slant3d_that_is_away_is_503(known: RestServer, outside: StandIn) -> None:
    outside.next("slant3d", Reply(status=502, value={}))
    given = await reference(known, "slant3d", SLANT3D_KEY)

    answered = await ask_setup(known, {"events": {"shipped": True}}, given, block=SLANT3D_TRIGGER)

    assert answered.status_code == 503


async def test_what_compass_heard_starts_the_agent(known: RestServer) -> None:
    answered = await ask_setup(known, {}, None, block=COMPASS_TRIGGER, pin="transcription")
    assert answered.status_code == 200, answered.text
    webhook = answered.json()["webhook"]
    sent = {"date": "2026-11-27", "transcription": "Hello", "transcriptions": []}

    assert (await deliver(known, webhook["url"], sent)).status_code == 200

    assert webhook["url"].startswith("http://server/api/integrations/compass/webhooks/")
    [run] = await runs(known)
    assert run["inputs"]["payload"] == sent

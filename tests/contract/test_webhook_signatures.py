"""What an owner says of how a sender signs."""

from typing import Any, Final

import pytest
from sqlalchemy import Connection, select, update

from backend.adapters.storage import tables
from backend.core.signatures import Encoding, Scheme, Signed
from tests.contract.rest_server import Json, RestServer
from tests.contract.signed_deliveries import BODIES, Sender
from tests.contract.triggered import PRESETS, new_preset, new_trigger, runs


async def trigger_signed(server: RestServer, signature: Any, provider: str) -> Sender:
    preset = await new_trigger(server, constants={"shop": "Oslo"}, signature=signature)
    assert preset["inputs"] == {"constants": {"shop": "Oslo"}}
    return Sender(server, preset, provider)


@pytest.mark.parametrize("provider", BODIES)
async def test_an_owner_says_that_a_sender_signs_like_one_that_is_known(
    server: RestServer, provider: str
) -> None:
    sender = await trigger_signed(server, provider, provider)

    assert await sender.raw(sender.more) == 403
    assert [await sender.send(), await sender.send()] == [200, 200]
    assert len(await runs(server)) == 1


async def test_a_secret_of_the_senders_own_takes_the_place_of_ours(server: RestServer) -> None:
    chosen = {"scheme": "stripe", "secret": "whsec_of_the_sender"}
    sender = await trigger_signed(server, chosen, "stripe")

    assert sender.webhook["secret"] == "whsec_of_the_sender"
    assert sender.webhook["config"] == {"signature": {"scheme": "stripe"}}
    assert await sender.send() == 200


async def test_an_owner_describes_a_way_to_sign(server: RestServer) -> None:
    custom = {
        "header": "X-Acme-Signature",
        "prefix": "a=",
        "encoding": "base64",
        "algorithm": "sha512",
        "signed": "timestamp.body",
        "timestamp_header": "X-Acme-Time",
        "tolerance_s": 60,
    }
    sender = await trigger_signed(server, custom, "github")
    sender.more = {}
    sender.scheme = Scheme(
        header="x-acme-signature",
        prefix="a=",
        encoding=Encoding.BASE64,
        algorithm="sha512",
        signed=Signed.DOTTED,
        timestamp_header="x-acme-time",
    )

    assert await sender.send(age_s=61) == 403
    assert await sender.raw({}) == 403
    assert [await sender.send(age_s=60), await sender.send(age_s=60)] == [200, 200]
    assert len(await runs(server)) == 1


async def test_how_a_sender_signs_can_be_changed_alone_and_taken_back(server: RestServer) -> None:
    made = await new_trigger(server, require_signature=True)
    path = f"{PRESETS}/{made['id']}"

    async def changed(**words: Any) -> Json:
        response = await server.ask("PATCH", path, {"inputs": {"constants": {}, **words}})
        assert response.status_code == 200, response.text
        webhook: Json = response.json()["webhook"]
        return webhook

    second = await changed(signature={"scheme": "slack", "secret": "slack's own"})
    third = await changed(signature=None)

    assert second["config"] == {"require_signature": True, "signature": {"scheme": "slack"}}
    assert (second["secret"], second["url"]) == ("slack's own", made["webhook"]["url"])
    assert third["config"] == {"require_signature": True, "signature": None}
    assert third["secret"] == "slack's own"


WRONG: Final[dict[str, Any]] = {
    "a number": 7,
    "an unknown scheme": "sha1",
    "an empty object": {},
    "a scheme of the wrong type": {"scheme": ["github"]},
    "an unknown word": {"header": "x", "algorithms": "sha256"},
    "a scheme and a header": {"scheme": "github", "header": "x"},
    "a weak algorithm": {"header": "x", "algorithm": "sha1"},
    "an unknown encoding": {"header": "x", "encoding": "base32"},
    "what is signed": {"header": "x", "signed": "id.timestamp.body"},
    "a timestamp without its header": {"header": "x", "signed": "timestamp.body"},
    "a header of a timestamp that is not signed": {"header": "x", "timestamp_header": "t"},
    "no window": {"scheme": "slack", "tolerance_s": 0},
    "a window of a day": {"scheme": "slack", "tolerance_s": 86_400},
    "a window that is true": {"scheme": "slack", "tolerance_s": True},
    "a header that is a list": {"header": ["x"]},
    "a header that is no ASCII": {"header": "x-ü"},
    "a prefix of 201": {"header": "x", "prefix": "p" * 201},
    "a short secret": {"scheme": "slack", "secret": "seven77"},
    "a secret of 201": {"scheme": "slack", "secret": "s" * 201},
    "a secret that is a number": {"scheme": "slack", "secret": 12_345_678},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_way_to_sign_that_cannot_be_is_refused(server: RestServer, name: str) -> None:
    made = await new_trigger(server)
    before = await server.row_counts()

    response = await server.ask(
        "PATCH", f"{PRESETS}/{made['id']}", {"inputs": {"signature": WRONG[name]}}
    )

    assert response.status_code == 400, response.text
    assert "signature" in response.json()["detail"]
    assert await server.row_counts() == before


async def test_signed_and_not_signed_at_once_is_refused(server: RestServer) -> None:
    made = await new_trigger(server)
    words = {"signature": "github", "require_signature": False}

    response = await server.ask("PATCH", f"{PRESETS}/{made['id']}", {"inputs": words})

    assert response.status_code == 400


async def test_a_graph_that_nothing_outside_starts_keeps_its_words(server: RestServer) -> None:
    graph = await server.new_graph()
    made = await new_preset(server, graph, inputs={"signature": "of the letter"})

    assert made["inputs"] == {"signature": "of the letter"}


def on_disk(server: RestServer) -> bytes:
    return server.store.text().encode("latin-1", "replace")


async def test_a_secret_lies_sealed_and_one_that_does_not_open_is_an_error_and_stays(
    server: RestServer,
) -> None:
    preset = await new_trigger(server)
    secret = preset["webhook"]["secret"]
    assert secret.encode() not in on_disk(server)

    def damage(connection: Connection) -> str:
        damaged = "gAAAA" + "x" * 180
        connection.execute(update(tables.webhooks).values(secret=damaged))
        return damaged

    damaged = await server.storage.database.write(damage)
    shown = await server.ask("GET", f"{PRESETS}/{preset['id']}")
    listed = await server.ask("GET", f"{PRESETS}?graph_id=&page=1")
    assert listed.status_code == 200, listed.text
    chosen = {"signature": {"scheme": "slack", "secret": "slack's own"}}
    changed = await server.ask("PATCH", f"{PRESETS}/{preset['id']}", {"inputs": chosen})

    assert (shown.status_code, changed.status_code, listed.status_code) == (500, 500, 200)
    assert [one["webhook"] for one in listed.json()["presets"]] == [None]
    select_all = select(tables.webhooks.c.secret)
    rows = await server.storage.database.read(lambda c: c.execute(select_all).scalars().all())
    assert rows == [damaged]

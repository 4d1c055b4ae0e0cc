"""The trigger of tables at Airtable: told of, rung, and what it keeps fetched, each change once."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.storage.watches import SqlWatches
from backend.core.signatures import sign
from backend.core.watches import WatchKind
from backend.core.webhook_providers import PROVIDERS
from backend.engine.watch_pull import PullLooker
from backend.engine.watches import Watcher, WatchRules
from backend.testing.standin.airtable_hooks import MAC_KEY, AirtableHooks
from backend.testing.standin.messages import KEY, Reply
from backend.testing.standin.server import StandIn
from tests.contract.rest_server import Json, RestServer
from tests.contract.test_hook_checks import checks
from tests.contract.test_registrations import ask_setup, look_after, reaching, reference
from tests.contract.triggered import PRESETS, deliver, runs

TRIGGER = "d0180ce6-ccb9-48c7-8256-b39e93e62801"
TABLE = "tblPeople0000000a"
WANTED: Json = {"base_id": "app1", "table_id_or_name": TABLE, "events": {"tableData": True}}
RING: Json = {"base": {"id": "app1"}, "webhook": {"id": "ach1"}, "timestamp": "2026-11-27T10:00Z"}


@pytest.fixture
def outside() -> Iterator[StandIn]:
    with StandIn({"airtable": AirtableHooks}) as made:
        yield made


@pytest.fixture
async def known(server: RestServer, outside: StandIn) -> AsyncIterator[RestServer]:
    async with reaching(server, outside):
        yield server


def change(number: int, *what: str) -> Json:
    table: Json = {name: {} for name in what or ("changedRecordsById",)}
    return {"baseTransactionNumber": number, "changedTablesById": {TABLE: table}}


async def ask(server: RestServer, config: Json = WANTED) -> Any:
    given = await reference(server, "airtable", KEY)
    return await ask_setup(server, config, given, block=TRIGGER)


async def ring(server: RestServer, made: Json, secret: str = MAC_KEY) -> int:
    raw = json.dumps(RING).encode()
    headers = sign(PROVIDERS["airtable"].scheme, secret, raw)
    return (await deliver(server, made["webhook"]["url"], content=raw, headers=headers)).status_code


def watcher_of(server: RestServer) -> Watcher:
    webhooks: Any = server.context.webhooks
    return Watcher(
        watches=SqlWatches(server.storage.database),
        storage=server.storage,
        items=webhooks,
        lookers={WatchKind.AIRTABLE: PullLooker(webhooks.registrations)},
        clock=server.clock,
        rules=WatchRules(least_s=60.0),
        chance=lambda: 0.5,
    )


async def look(server: RestServer) -> None:
    """Look as long as something is due."""
    while await watcher_of(server).look_at_due():
        pass


async def numbers(server: RestServer) -> list[int]:
    found = [run["inputs"]["payload"]["baseTransactionNumber"] for run in await runs(server)]
    return sorted(found)


async def test_airtable_is_told_what_is_chosen(known: RestServer, outside: StandIn) -> None:
    answered = await ask(known)
    assert answered.status_code == 200, answered.text
    made = answered.json()

    [hook] = outside.play("airtable").hooks.values()
    assert hook["notificationUrl"] == made["webhook"]["url"]
    filters = hook["specification"]["options"]["filters"]
    assert filters == {"dataTypes": ["tableData"], "recordChangeScope": TABLE}


async def test_a_table_is_found_by_its_name(known: RestServer, outside: StandIn) -> None:
    assert (await ask(known, {**WANTED, "table_id_or_name": "People"})).status_code == 200
    answered = await ask(known, {**WANTED, "table_id_or_name": "Nobody"})

    [hook] = outside.play("airtable").hooks.values()
    assert hook["specification"]["options"]["filters"]["recordChangeScope"] == "tblPeople"
    assert (answered.status_code, "no table 'Nobody'" in answered.text) == (400, True)


async def test_each_change_starts_one_run_however_often_it_rings(
    known: RestServer, outside: StandIn
) -> None:
    made = (await ask(known)).json()
    airtable = outside.play("airtable")
    await look(known)  # nothing has changed yet
    airtable.kept += [change(number) for number in range(1, 6)]

    assert await ring(known, made, "bm90IGl0") == 403
    await look(known)
    assert await numbers(known) == []

    for _ in range(3):
        assert await ring(known, made) == 200
        await look(known)
    airtable.kept.append(change(6))
    assert await ring(known, made) == 200
    await look(known)

    assert await numbers(known) == [1, 2, 3, 4, 5, 6]
    assert airtable.first[-1] == 6  # what was handed over is not asked for again


async def test_what_nobody_rang_about_is_found_all_the_same(
    known: RestServer, outside: StandIn
) -> None:
    await ask(known)
    await look(known)
    outside.play("airtable").kept.append(change(1))

    await look(known)
    assert await numbers(known) == []
    known.clock.pass_time(seconds=660)
    await look(known)

    assert await numbers(known) == [1]


async def test_who_dies_between_two_changes_hands_none_over_twice(
    known: RestServer, outside: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(known)
    outside.play("airtable").kept += [change(number) for number in range(1, 5)]
    webhooks: Any = known.context.webhooks
    taking, taken = webhooks.take, 0

    async def dies(*arguments: Any) -> Any:
        nonlocal taken
        taken += 1
        made = await taking(*arguments)
        if taken == 3:
            raise SystemError("the process is killed here")
        return made

    monkeypatch.setattr(webhooks, "take", dies)
    await watcher_of(known).look_at_due()
    known.clock.pass_time(seconds=3_600)
    await look(known)

    assert await numbers(known) == [1, 2, 3, 4]
    assert taken == 5  # the third one came twice, and started its run once


async def test_only_what_a_preset_chose_starts_it(known: RestServer, outside: StandIn) -> None:
    both: Json = {**WANTED, "events": {"tableData": True, "tableFields": True}}
    await ask(known, both)
    await ask(known, {**WANTED, "events": {"tableFields": True}})  # the same webhook brings it
    airtable = outside.play("airtable")
    airtable.kept += [
        change(1),
        change(2, "createdFieldsById"),
        change(3, "changedRecordsById", "changedFieldsById"),
        change(4, "changedMetadata"),
    ]

    await look(known)

    assert len(airtable.hooks) == 2
    assert await numbers(known) == [1, 2, 2, 3, 3]


async def test_a_look_that_fails_is_tried_again_later(known: RestServer, outside: StandIn) -> None:
    await ask(known)
    airtable = outside.play("airtable")
    airtable.kept.append(change(1))
    outside.next("airtable", Reply(status=503, value={}))

    await watcher_of(known).look_at_due()
    assert await numbers(known) == []
    known.clock.pass_time(seconds=3_600)
    await look(known)

    assert await numbers(known) == [1]


async def test_a_day_s_check_puts_its_end_off_and_lets_it_ring_again(
    known: RestServer, outside: StandIn
) -> None:
    made = (await ask(known)).json()
    airtable = outside.play("airtable")
    [hook] = airtable.hooks.values()
    hook["areNotificationsEnabled"] = False

    assert "0 deleted" in await checks(known).look()
    assert (airtable.refreshed, hook["areNotificationsEnabled"]) == ([hook["id"]], True)

    hook["expirationTime"] = "2020-01-01T00:00:00.000Z"
    assert "1 deleted" in await checks(known).look()
    assert not (await known.ask("GET", f"{PRESETS}/{made['id']}")).json()["is_active"]


async def test_one_that_was_deleted_there_is_made_anew_when_it_is_switched_on(
    known: RestServer, outside: StandIn
) -> None:
    made = (await ask(known)).json()
    airtable = outside.play("airtable")
    airtable.hooks.clear()
    await look(known)  # fails, and is no reason to give up
    await checks(known).look()
    airtable.kept.append(change(1))

    on = await known.ask("PATCH", f"{PRESETS}/{made['id']}", {"is_active": True})
    await look(known)

    assert on.json()["webhook"]["url"] == next(iter(airtable.hooks.values()))["notificationUrl"]
    assert await numbers(known) == [1]


async def test_it_is_taken_back_with_its_preset(known: RestServer, outside: StandIn) -> None:
    made = (await ask(known)).json()

    await known.ask("DELETE", f"{PRESETS}/{made['id']}")
    await look_after(known)

    assert outside.play("airtable").hooks == {}


async def test_what_cannot_be_a_base_is_refused(known: RestServer) -> None:
    answered = await ask(known, {**WANTED, "base_id": "../users"})

    assert (answered.status_code, "no id of a base" in answered.text) == (400, True)


def test_the_secret_stands_for_bytes() -> None:
    scheme = PROVIDERS["airtable"].scheme
    plain = replace(scheme, is_key_base64=False)

    assert sign(scheme, MAC_KEY, b"{}") == sign(plain, "secret of a webhook", b"{}")

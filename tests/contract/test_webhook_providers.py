"""Deliveries that their senders sign: each provider, the time window, replays, limits."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from backend.adapters.storage.tables import webhooks
from tests.contract.rest_server import RestServer
from tests.contract.signed_deliveries import BODIES, sender_of
from tests.contract.triggered import deliver, runs, start_all


@pytest.mark.parametrize("provider", BODIES)
async def test_what_a_provider_signs_starts_a_run(server: RestServer, provider: str) -> None:
    sender = await sender_of(server, provider)

    assert await sender.send() == 200

    [run] = await runs(server)
    assert run["inputs"]["payload"] == BODIES[provider]


@pytest.mark.parametrize("provider", BODIES)
async def test_what_a_provider_did_not_sign_is_refused_and_nothing_is_written(
    server: RestServer, provider: str
) -> None:
    """Whatever its owner or the address says: only the generic one may go without."""
    sender = await sender_of(server, provider, config='{"require_signature": false}')
    before = await server.row_counts()
    right = sender.headers(sender.body)
    name = sender.scheme.header

    assert await sender.raw(sender.more) == 403
    assert await sender.raw({**right, name: right[name] + "0"}) == 403
    assert await sender.raw({**right, name: ""}) == 403
    assert await sender.raw(right, sender.body + b" ") == 403
    assert await sender.raw([*right.items(), (name, right[name])]) == 400
    assert await server.row_counts() == before


async def test_the_address_chooses_no_check(server: RestServer) -> None:
    """Flaw 2: the verifier of the provider in the address was asked, whosever webhook it was."""
    sender = await sender_of(server, "github")

    for provider in ("generic_webhook", "exa", "stripe", "GitHub", "github%20"):
        url = sender.webhook["url"].replace("/github/", f"/{provider}/")
        assert (await deliver(server, url, {})).status_code == 404, provider
        signed = {**sender.headers(sender.body)}
        answered = await deliver(server, url, content=sender.body, headers=signed)
        assert answered.status_code == 404, provider

    assert await runs(server) == []


async def test_a_webhook_of_whom_nobody_can_check_takes_nothing(server: RestServer) -> None:
    sender = await sender_of(server, "github")
    await server.storage.database.write(
        lambda c: c.execute(update(webhooks).values(provider="linear"))
    )
    url = sender.webhook["url"].replace("/github/", "/linear/")

    assert (await deliver(server, url, {})).status_code == 503
    assert await runs(server) == []


async def test_github_names_its_events_and_its_ping_starts_nothing(server: RestServer) -> None:
    sender = await sender_of(server, "github")

    assert await sender.send(x_github_event="ping") == 200
    for wrong in ("", "push; x", "x" * 101, "a b"):
        assert await sender.send(x_github_event=wrong) == 400, wrong
    twice = [*sender.headers(sender.body).items(), ("x-github-event", "push")]
    assert await sender.raw(twice) == 400
    assert await runs(server) == []
    # A stranger hears of the signature first, and nothing of what else is wrong.
    assert await sender.raw({}) == 403


@pytest.mark.parametrize(
    ("events", "started"),
    [("[]", 1), ('["issues.opened"]', 1), ('["issues"]', 0), ('["push", "issues.closed"]', 0)],
)
async def test_only_events_that_were_asked_for_start_runs(
    server: RestServer, events: str, started: int
) -> None:
    sender = await sender_of(server, "github", events=events)

    assert await sender.send() == 200
    assert len(await runs(server)) == started


async def test_slack_gets_its_challenge_back(server: RestServer) -> None:
    sender = await sender_of(server, "slack")
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()

    headers = sender.headers(body)
    answered = await deliver(server, sender.webhook["url"], content=body, headers=headers)

    assert (answered.status_code, answered.json()) == (200, {"challenge": "abc"})
    assert await runs(server) == []


@pytest.mark.parametrize("provider", ["slack", "stripe"])
async def test_what_was_signed_too_long_ago_is_refused(server: RestServer, provider: str) -> None:
    sender = await sender_of(server, provider)

    assert [await sender.send(age_s=age_s) for age_s in (301, -301, 86_400)] == [403] * 3
    assert await runs(server) == []
    assert await sender.send(age_s=300) == 200


@pytest.mark.parametrize("provider", BODIES)
async def test_a_replay_is_answered_like_the_first_and_starts_nothing(
    server: RestServer, provider: str
) -> None:
    """Also all at once, under other names, and when its run is long gone."""
    sender = await sender_of(server, provider)
    headers = sender.headers(sender.body)

    answers = await asyncio.gather(
        *(sender.raw({**headers, "X-GitHub-Delivery": str(number)}) for number in range(4))
    )
    await server.storage.database.write(lambda c: c.exec_driver_sql("DELETE FROM executions"))
    later = await sender.raw({**headers, "Idempotency-Key": "another"})

    assert [*answers, later] == [200] * 5
    assert await runs(server) == []
    assert (await server.row_counts())["webhook_deliveries"] >= 1


async def test_four_at_once_start_one_run(server: RestServer) -> None:
    sender = await sender_of(server, "github")
    headers = sender.headers(sender.body)

    await asyncio.gather(*(sender.raw(headers) for _ in range(4)))

    assert len(await runs(server)) == 1


async def test_the_same_event_signed_again_is_the_same_delivery(server: RestServer) -> None:
    """Stripe and Slack sign anew when they try again; the event's id is in what they sign."""
    sender = await sender_of(server, "stripe")

    for seconds in (0, 60, 3_600):
        server.clock.pass_time(seconds=seconds)
        assert await sender.send() == 200

    assert len(await runs(server)) == 1
    other = json.dumps({**BODIES["stripe"], "id": "evt_2"}).encode()
    assert await sender.send(other) == 200
    assert len(await runs(server)) == 2


@pytest.mark.slow
async def test_what_could_not_be_started_is_started_later(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender was told that it was taken, and sends it no more."""
    sender = await sender_of(server, "github")
    headers = sender.headers(sender.body)

    async def gone(*_: Any, **__: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        for name in ("start", "prepare_start"):
            broken.setattr(server.context.webhooks.runs._executions, name, gone)
        assert await sender.raw(headers) == 200

    assert await sender.raw(headers) == 200
    assert await runs(server) == []
    server.clock.pass_time(seconds=6)
    await start_all(server)
    assert len(await runs(server)) == 1


async def test_a_body_is_json_whatever_its_type_says(server: RestServer) -> None:
    """Two readers of one body, by what a header says, would be two bodies."""
    sender = await sender_of(server, "github")
    form = b"payload=%7B%22number%22%3A+7%7D"
    multipart = b'--x\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{}\r\n--x--\r\n'

    for body, kind in (
        (form, "application/x-www-form-urlencoded"),
        (multipart, "multipart/form-data; boundary=x"),
        (b"\x1f\x8b\x08\x00", "application/json"),
        (b'\xff\xfe{\x00"\x00', "application/json; charset=utf-16"),
    ):
        assert await sender.send(body, content_type=kind) == 400, kind
    for number, kind in enumerate(("text/plain", "application/x-www-form-urlencoded", "x")):
        assert await sender.send(json.dumps({"n": number}).encode(), content_type=kind) == 200
    assert len(await runs(server)) == 3


@pytest.mark.slow
async def test_a_webhook_takes_so_many_a_minute_and_strangers_take_none_of_them(
    server: RestServer,
) -> None:
    sender = await sender_of(server, "github")
    for _ in range(40):
        assert await sender.raw(sender.more) == 403

    answers = [await sender.send(json.dumps({"n": n}).encode()) for n in range(31)]

    assert answers == [200] * 30 + [429]
    server.clock.pass_time(seconds=2)
    assert await sender.send(b'{"n": 31}') == 200


async def test_an_address_may_knock_so_often_and_hears_when_it_may_again(
    server: RestServer,
) -> None:
    url = "/api/integrations/github/webhooks/unknown/ingress"

    answers = [await deliver(server, url, {}) for _ in range(101)]

    assert [answered.status_code for answered in answers] == [404] * 100 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    server.clock.pass_time(seconds=1)
    assert (await deliver(server, url, {})).status_code == 404

"""Webhooks that were deleted at their provider: found, told once, and registered anew on request."""

from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.ports.notices import NoticeQuery
from backend.services.hook_checks import HookChecks
from backend.testing.standin.hooks import BOT
from backend.testing.standin.messages import Reply
from backend.testing.standin.server import StandIn
from tests.contract.rest_server import RestServer
from tests.contract.test_registrations import (
    OPENED,
    TELEGRAM_TRIGGER,
    known,
    look_after,
    outside,
    reference,
    set_up,
)
from tests.contract.triggered import PRESETS

__all__ = ["known", "outside"]


def checks(server: RestServer) -> HookChecks:
    return HookChecks(
        storage=server.storage,
        registrations=server.context.webhooks.registrations,
        notices=SqlNoticeQueue(server.storage.database),
        clock=server.clock,
    )


async def told(server: RestServer) -> list[str]:
    found = await SqlNoticeQueue(server.storage.database).listed(NoticeQuery())
    return [f"{one.data['paused']}: {one.data['reason']}" for one in found]


async def test_what_is_there_is_left_alone(known: RestServer) -> None:
    made = await set_up(known, OPENED, await reference(known))

    said = await checks(known).look()

    assert said == "1 asked about, 0 deleted at their provider, 0 without an answer"
    assert (await known.ask("GET", f"{PRESETS}/{made['id']}")).json()["is_active"]
    assert await told(known) == []


async def test_one_that_was_deleted_at_github_is_told_once_and_comes_back_when_switched_on(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))
    github = outside.play("github")
    github.hooks.clear()

    said = [await checks(known).look() for _ in range(2)]

    assert said[0] == "1 asked about, 1 deleted at their provider, 0 without an answer"
    assert said[1].startswith("0 asked about")
    off = (await known.ask("GET", f"{PRESETS}/{made['id']}")).json()
    assert (off["is_active"], off["webhook"]) == (False, None)
    [why] = await told(known)
    assert why.startswith("trigger: github has the webhook of ann/cats no more")
    await look_after(known)
    on = (await known.ask("PATCH", f"{PRESETS}/{made['id']}", {"is_active": True})).json()
    assert on["is_active"]
    [hook] = github.hooks.values()
    assert hook["config"]["url"] == on["webhook"]["url"]
    assert (await checks(known).look()).startswith("1 asked about, 0 deleted")


async def test_one_that_was_switched_off_or_led_elsewhere_is_none(
    known: RestServer, outside: StandIn
) -> None:
    for change in ({"active": False}, {"config": {"url": "https://elsewhere.example"}}):
        await set_up(known, OPENED, await reference(known))
        [hook] = [one for one in outside.play("github").hooks.values() if one.get("active")]
        hook.update(change)

        assert "1 deleted at their provider" in await checks(known).look()
        await look_after(known)
        outside.play("github").hooks.clear()


async def test_a_bot_that_another_server_has_taken_is_told(
    known: RestServer, outside: StandIn
) -> None:
    given = await reference(known, "telegram", BOT)
    await set_up(known, {"events": {"text": True}}, given, block=TELEGRAM_TRIGGER)
    assert "0 deleted" in await checks(known).look()

    outside.play("telegram").hook = {"url": "https://elsewhere.example"}

    assert "1 deleted at their provider" in await checks(known).look()
    assert outside.play("telegram").hook == {"url": "https://elsewhere.example"}


async def test_a_provider_that_does_not_say_is_asked_again_the_next_time(
    known: RestServer, outside: StandIn
) -> None:
    made = await set_up(known, OPENED, await reference(known))
    outside.next("github", Reply(status=502, value={"message": "Bad gateway"}))

    said = await checks(known).look()

    assert said == "1 asked about, 0 deleted at their provider, 1 without an answer"
    assert (await known.ask("GET", f"{PRESETS}/{made['id']}")).json()["is_active"]

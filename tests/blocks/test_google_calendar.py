"""Google Calendar: events in the user's own time, and none that is made twice."""

from dataclasses import replace
from typing import Any

from backend.blocks.google.calendar import (
    GoogleCalendarCreateEventBlock,
    GoogleCalendarReadEventsBlock,
)
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn

MINE = {"id": "mine", "provider": "google", "type": "oauth2"}
TALK: dict[str, Any] = {
    "event_title": "Talk",
    "timing": {
        "discriminator": "exact_timing",
        "start_datetime": "2026-02-01T10:00:00",
        "end_datetime": "2026-02-01T12:00:00",
    },
    "credentials": MINE,
}


async def test_an_event_has_all_that_was_said_of_it(
    services: StandIn, played: BlockContext
) -> None:
    more = {
        "guest_emails": ["Bob <bob@example.com>"],
        "add_google_meet": True,
        "send_notifications": False,
        "recurrence": {"discriminator": "recurring", "frequency": "WEEKLY", "count": 3},
        "reminder_minutes": [30],
        "location": "Oslo",
    }
    context = replace(played, timezone="Europe/Oslo", idempotency_key="all")

    await outputs_of(GoogleCalendarCreateEventBlock(), {**TALK, **more}, context)

    asked, sent = services.asked[-1], services.asked[-1].json()
    assert (asked.one("sendUpdates"), asked.one("conferenceDataVersion")) == ("none", "1")
    assert sent["start"] == {"dateTime": "2026-02-01T10:00:00+01:00", "timeZone": "Europe/Oslo"}
    assert sent["attendees"] == [{"email": "bob@example.com"}]
    assert sent["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=3"]
    assert sent["reminders"] == {
        "useDefault": False,
        "overrides": [{"method": "popup", "minutes": 30}],
    }
    assert (sent["location"], "description" in sent) == ("Oslo", False)


async def test_an_event_that_is_made_again_is_the_same(
    services: StandIn, played: BlockContext
) -> None:
    context = replace(played, idempotency_key="again")

    first = await outputs_of(GoogleCalendarCreateEventBlock(), TALK, context)
    second = await outputs_of(GoogleCalendarCreateEventBlock(), TALK, context)

    assert first == second
    assert [asked.method for asked in services.asked] == ["POST", "POST", "GET"]


async def test_what_the_account_has_declined_is_left_out_unless_it_is_asked_for(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"time_range_days": 1, "search_term": "x", "credentials": MINE}

    some = await outputs_of(GoogleCalendarReadEventsBlock(), asked, played)
    asked = {**asked, "include_declined_events": True, "page_token": "second"}
    rest = await outputs_of(GoogleCalendarReadEventsBlock(), asked, played)

    assert [value["id"] for name, value in some if name == "event"] == ["e1"]
    assert [value["id"] for name, value in rest if name == "event"] == ["e1", "e2"]
    assert [name for name, _ in rest][-1] == "event"
    dinner = rest[-1][1]
    assert (dinner["is_all_day"], dinner["is_recurring"]) == (True, True)
    assert services.asked[0].one("timeMax")[:10] == "2026-02-01"

"""Google Calendar: events that are coming, and new ones."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from backend.blocks.google.calendar_pins import EVENT, EVENTS, RECURRENCE, REMINDERS, TIMING
from backend.blocks.google.gmail import LIMIT_WORDS, MINE
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    Json,
    JsonObject,
    WebClientError,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.mail import addresses_in, bare
from backend.sdk.services import Query, Service, path_of

CALENDAR: Final = Service(
    provider="google",
    name="Google Calendar",
    url="https://www.googleapis.com/calendar/v3",
    place="calendar/v3",
    limit_words=LIMIT_WORDS,
)
_SCOPE: Final = "https://www.googleapis.com/auth/calendar"
_MOST_EVENTS: Final = 2500
_USUAL: Final = timedelta(hours=1)
_CONFLICT: Final = 409


#: For examples.
_TALK: Final = {
    "id": "e1",
    "title": "Talk",
    "start_time": "2026-02-01T10:00:00Z",
    "end_time": "2026-02-01T11:00:00Z",
    "is_all_day": False,
    "location": "Oslo",
    "description": None,
    "organizer": "ann@example.com",
    "attendees": ["ann@example.com", "bob@example.com"],
    "has_video_call": True,
    "video_link": "https://meet.google.com/abc",
    "calendar_link": "https://calendar.google.com/event?eid=e1",
    "is_recurring": False,
}


class GoogleCalendarReadEventsBlock(Block):
    """Reads events of a calendar at Google, the next ones first."""

    id = "80bc3ed1-e9a4-449e-8163-a8fc86f74f6a"
    categories = (Category.DATA, Category.PRODUCTIVITY)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"start_time": "2026-02-01T00:00:00Z", "max_events": 1, "credentials": MINE},
            outputs=[
                ("events", [_TALK]),
                ("event", _TALK),
                ("next_page_token", "second"),
            ],
        ),
        Example(inputs={"calendar_id": "gone", "credentials": MINE}, error="status 404: Not Found"),
        Example(inputs={"start_time": "soon", "credentials": MINE}, error="'soon' is no time"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["google"],
            [CredentialsKind.OAUTH2],
            scopes=[f"{_SCOPE}.readonly"],
            description="An account at Google.",
        )
        calendar_id: str = pin(
            default="primary", description="The calendar; primary: that of the account."
        )
        max_events: int = pin(default=10, description="How many at the most; 2,500 at all.")
        start_time: str = pin(
            default_factory=str,
            format="date-time",
            description="From when on; not given: from now on.",
        )
        time_range_days: int = pin(default=30, description="For how many days.")
        search_term: str | None = pin(default=None, description="Words that they have.")
        page_token: str | None = pin(
            default=None, description="Where an earlier call has left off."
        )
        include_declined_events: bool = pin(
            default=False, description="Those too to which the account has said no."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        events: list[dict[str, Any]] = pin(
            default_factory=list, schema=EVENTS, description="The events."
        )
        event: dict[str, Any] = pin(title="CalendarEvent", schema=EVENT, description="One of them.")
        next_page_token: str | None = pin(default=None, description="Where the next call goes on.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield all, each, and where it goes on."""
        if inputs.max_events < 1 or inputs.time_range_days < 1:
            raise ValueError("max_events and time_range_days are 1 at least")
        start = _moment(inputs.start_time, context) if inputs.start_time else context.started
        query: Query = {
            "timeMin": start.isoformat(),
            "timeMax": (start + timedelta(days=inputs.time_range_days)).isoformat(),
            "singleEvents": True,
            "orderBy": "startTime",
            "maxResults": min(inputs.max_events, _MOST_EVENTS),
            "q": inputs.search_term or None,
            "pageToken": inputs.page_token or None,
        }
        calls = CALENDAR.calls(context, inputs.credentials)
        path = path_of("calendars", inputs.calendar_id, "events")
        found = await calls.object("GET", path, query=query)
        events = [
            _event(each)
            for each in calls.entries(found, "items")
            if inputs.include_declined_events or not _declined(each)
        ]
        yield "events", events
        for event in events:
            yield "event", event
        if token := found.get("nextPageToken"):
            yield "next_page_token", token


def _moment(text: str, context: BlockContext) -> datetime:
    """Return the time that *text* names; without an offset it is the user's. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{text[:80]!r} is no time, such as 2026-01-31T13:37:00Z") from exc
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(context.timezone))


def _declined(event: Mapping[str, Any]) -> bool:
    people = event.get("attendees") or []
    return any(one.get("self") and one.get("responseStatus") == "declined" for one in people)


def _event(found: Mapping[str, Any]) -> dict[str, Any]:
    start, end = found.get("start") or {}, found.get("end") or {}
    link = found.get("hangoutLink") or next(
        (
            way.get("uri")
            for way in (found.get("conferenceData") or {}).get("entryPoints") or []
            if way.get("entryPointType") == "video"
        ),
        None,
    )
    people = [one.get("email") for one in found.get("attendees") or []]
    return {
        "id": str(found.get("id") or ""),
        "title": str(found.get("summary") or ""),
        "start_time": str(start.get("dateTime") or start.get("date") or ""),
        "end_time": str(end.get("dateTime") or end.get("date") or ""),
        "is_all_day": "date" in start,
        "location": found.get("location"),
        "description": found.get("description"),
        "organizer": (found.get("organizer") or {}).get("email"),
        "attendees": [str(email) for email in people if email],
        "has_video_call": link is not None,
        "video_link": link,
        "calendar_link": str(found.get("htmlLink") or ""),
        "is_recurring": bool(found.get("recurringEventId") or found.get("recurrence")),
    }


class GoogleCalendarCreateEventBlock(Block):
    """Puts an event into a calendar at Google, invites guests and reminds of it."""

    id = "ed2ec950-fbff-4204-94c0-023fb1d625e0"
    categories = (Category.PRODUCTIVITY,)
    # The event's id is made of the key: the service refuses to make it twice.
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "event_title": "Talk",
                "timing": {
                    "discriminator": "duration_timing",
                    "start_datetime": "2026-02-01T10:00:00",
                    "duration_minutes": 30,
                },
                "credentials": MINE,
            },
            outputs=[
                ("event_id", "50d858e0985ecc7f60418aaf0cc5ab587f42c257"),
                ("event_link", "https://calendar.google.com/event?eid=made"),
            ],
        ),
        Example(
            inputs={
                "event_title": "Talk",
                "timing": {
                    "discriminator": "exact_timing",
                    "start_datetime": "2026-02-01T10:00:00Z",
                    "end_datetime": "2026-02-01T09:00:00Z",
                },
                "credentials": MINE,
            },
            error="ends before it begins",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["google"],
            [CredentialsKind.OAUTH2],
            scopes=[_SCOPE],
            description="An account at Google.",
        )
        event_title: str = pin(description="What it is called.")
        location: str | None = pin(default=None, description="Where it is.")
        description: str | None = pin(default=None, description="What it is about.")
        timing: dict[str, Any] = pin(
            default_factory=dict,
            advanced=False,
            schema=TIMING,
            description="From when to when, or for how long; not given: for an hour from now on.",
        )
        calendar_id: str = pin(
            default="primary", description="The calendar; primary: that of the account."
        )
        guest_emails: list[str] = pin(default_factory=list, description="Who is invited.")
        send_notifications: bool = pin(default=True, description="They get a mail.")
        add_google_meet: bool = pin(default=False, description="There is a video call.")
        recurrence: dict[str, Any] = pin(
            default_factory=lambda: {"discriminator": "one_time"},
            schema=RECURRENCE,
            description="How often it comes again.",
        )
        reminder_minutes: list[int] = pin(
            default_factory=lambda: [10],
            schema=REMINDERS,
            description="How many minutes before it to remind.",
        )

    @pins
    class Output:
        """Output pins."""

        event_id: str = pin(description="Its id.")
        event_link: str = pin(description="Its address.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Put it there."""
        calls = CALENDAR.calls(context, inputs.credentials)
        value = _draft(inputs, context)
        query: Query = {
            "sendUpdates": "all" if inputs.send_notifications else "none",
            "conferenceDataVersion": 1 if inputs.add_google_meet else None,
        }
        path = path_of("calendars", inputs.calendar_id, "events")
        try:
            made = await calls.object("POST", path, query=query, value=value)
        except WebClientError as exc:
            if exc.status != _CONFLICT or "id" not in value:
                raise
            made = await calls.object("GET", f"{path}/{value['id']}")
        yield "event_id", calls.need(made, str, "id")
        yield "event_link", calls.need(made, str, "htmlLink")


def _draft(inputs: GoogleCalendarCreateEventBlock.Input, context: BlockContext) -> JsonObject:
    """Return the event as the service takes it. Raises ValueError."""
    start, end = _times(inputs.timing, context)
    draft: dict[str, Json] = {
        "summary": inputs.event_title,
        "start": {"dateTime": start.isoformat(), "timeZone": context.timezone},
        "end": {"dateTime": end.isoformat(), "timeZone": context.timezone},
        "attendees": [{"email": email} for email in bare(addresses_in(*inputs.guest_emails))],
        "reminders": {
            "useDefault": False,
            "overrides": [
                {"method": "popup", "minutes": minutes} for minutes in inputs.reminder_minutes
            ],
        },
    }
    key = hashlib.sha256(context.idempotency_key.encode()).hexdigest()[:40]
    if context.idempotency_key:
        draft["id"] = key
    for name in ("location", "description"):
        if getattr(inputs, name):
            draft[name] = getattr(inputs, name)
    if inputs.recurrence.get("discriminator") == "recurring":
        often, count = inputs.recurrence["frequency"], inputs.recurrence["count"]
        draft["recurrence"] = [f"RRULE:FREQ={often};COUNT={int(count)}"]
    if inputs.add_google_meet:
        solution: Json = {"type": "hangoutsMeet"}
        request: Json = {"requestId": key, "conferenceSolutionKey": solution}
        draft["conferenceData"] = {"createRequest": request}
    return draft


def _times(timing: Mapping[str, Any], context: BlockContext) -> tuple[datetime, datetime]:
    """Return begin and end. Raises ValueError."""
    if not timing:
        return context.started, context.started + _USUAL
    start = _moment(str(timing["start_datetime"]), context)
    if timing.get("discriminator") == "duration_timing":
        end = start + timedelta(minutes=int(timing["duration_minutes"]))
    else:
        end = _moment(str(timing["end_datetime"]), context)
    if end < start:
        raise ValueError("the event ends before it begins")
    return start, end

"""The shapes of pins of Google Calendar: an event, when it is, how often it comes again."""

from collections.abc import Mapping
from typing import Any, Final


def _words(name: str) -> dict[str, Any]:
    return {"title": name.replace("_", " ").title(), "type": "string"}


def _maybe(name: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "title": name.replace("_", " ").title(),
    }


def _whether(name: str) -> dict[str, Any]:
    return {"title": name.replace("_", " ").title(), "type": "boolean"}


_PARTS: Final[dict[str, Any]] = {
    "id": _words("id"),
    "title": _words("title"),
    "start_time": _words("start_time"),
    "end_time": _words("end_time"),
    "is_all_day": _whether("is_all_day"),
    "location": _maybe("location"),
    "description": _maybe("description"),
    "organizer": _maybe("organizer"),
    "attendees": {"items": {"type": "string"}, "title": "Attendees", "type": "array"},
    "has_video_call": _whether("has_video_call"),
    "video_link": _maybe("video_link"),
    "calendar_link": _words("calendar_link"),
    "is_recurring": _whether("is_recurring"),
}
EVENT: Final[dict[str, Any]] = {"properties": _PARTS, "required": [*_PARTS], "type": "object"}
EVENTS: Final = {"items": {**EVENT, "title": "CalendarEvent"}, "type": "array"}


_TITLES: Final = {
    "exact_timing": "ExactTiming",
    "duration_timing": "DurationTiming",
    "one_time": "OneTimeEvent",
    "recurring": "RecurringEvent",
}


def _kinds(**kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object whose ``discriminator`` says which of *kinds* it is."""
    options = []
    for name, parts in kinds.items():
        kind = {"const": name, "title": "Discriminator", "type": "string"}
        properties = {"discriminator": kind, **parts}
        options.append(
            {
                "properties": properties,
                "required": [*properties],
                "title": _TITLES[name],
                "type": "object",
            }
        )
    mapping = {name: f"#/$defs/{_TITLES[name]}" for name in kinds}
    return {
        "discriminator": {"mapping": mapping, "propertyName": "discriminator"},
        "oneOf": options,
    }


_START: Final = {"format": "date-time", "title": "Start Datetime", "type": "string"}
_END: Final = {"format": "date-time", "title": "End Datetime", "type": "string"}
_MINUTES: Final = {"title": "Duration Minutes", "type": "integer"}
_FREQUENCY: Final = {
    "enum": ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"],
    "title": "RecurrenceFrequency",
    "type": "string",
}
TIMING: Final = _kinds(
    exact_timing={"start_datetime": _START, "end_datetime": _END},
    duration_timing={"start_datetime": _START, "duration_minutes": _MINUTES},
)
RECURRENCE: Final = _kinds(
    one_time={},
    recurring={"frequency": _FREQUENCY, "count": {"title": "Count", "type": "integer"}},
)
REMINDERS: Final = {
    "items": {"enum": [10, 30, 60, 1440], "title": "ReminderPreset", "type": "integer"},
    "type": "array",
}

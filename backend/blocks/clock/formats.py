"""How a moment is written: the pin that three blocks share, its schema and its meaning."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.sdk import BlockContext, pin

#: The zones that the pin offers, from west to east; the order is contract.
TIMEZONES: Final = [
    "UTC",
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Caracas",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Atlantic/South_Georgia",
    "Atlantic/Azores",
    "Europe/London",
    "Europe/Paris",
    "Europe/Athens",
    "Europe/Moscow",
    "Asia/Tehran",
    "Asia/Dubai",
    "Asia/Kabul",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Yangon",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Australia/Eucla",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Noumea",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Tongatapu",
    "Pacific/Kiritimati",
    "Etc/GMT-12",
    "Etc/GMT+12",
]


def format_pin(kind: str, pattern: str, *, microseconds: bool) -> Any:
    """
    Return the pin ``format_type``.

    Args:
        kind: What stands before the names of the two formats.
        pattern: Used unless told otherwise.
        microseconds: Whether the ISO form may ask for them.
    """
    return pin(
        default_factory=lambda: default_format(pattern),
        description="How to write it: by a pattern of strftime, or after ISO 8601.",
        schema={
            "default": default_format(pattern),
            "discriminator": {
                "mapping": {
                    "iso8601": f"#/$defs/{kind}ISO8601Format",
                    "strftime": f"#/$defs/{kind}StrftimeFormat",
                },
                "propertyName": "discriminator",
            },
            "oneOf": [_pattern_form(kind, pattern), _iso_form(kind, microseconds=microseconds)],
        },
    )


def default_format(pattern: str) -> dict[str, Any]:
    """Return the value of the pin when nothing is said."""
    return {
        "discriminator": "strftime",
        "format": pattern,
        "timezone": "UTC",
        "use_user_timezone": False,
    }


def _pattern_form(kind: str, pattern: str) -> dict[str, Any]:
    own = {"format": {"default": pattern, "title": "Format", "type": "string"}}
    return _form(f"{kind}StrftimeFormat", "strftime", {**own, **_zone_properties()})


def _iso_form(kind: str, *, microseconds: bool) -> dict[str, Any]:
    properties = _zone_properties()
    if microseconds:
        properties["include_microseconds"] = _truth("Include Microseconds")
    return _form(f"{kind}ISO8601Format", "iso8601", properties)


def _form(title: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    discriminator = {"const": name, "title": "Discriminator", "type": "string"}
    return {
        "properties": {"discriminator": discriminator, **properties},
        "required": ["discriminator"],
        "title": title,
        "type": "object",
    }


def _zone_properties() -> dict[str, Any]:
    return {
        "timezone": {
            "default": "UTC",
            "enum": TIMEZONES,
            "title": "Timezone",
            "type": "string",
        },
        "use_user_timezone": _truth("Use User Timezone"),
    }


def _truth(title: str) -> dict[str, Any]:
    return {"default": False, "title": title, "type": "boolean"}


def now_in(chosen: Mapping[str, Any], context: BlockContext) -> datetime:
    """
    Return the time in the zone that *chosen*, a value of the pin, names.

    Raises:
        ValueError: If there is no such zone.
    """
    asked = context.timezone if chosen.get("use_user_timezone") else chosen.get("timezone", "UTC")
    try:
        return context.now().astimezone(ZoneInfo(asked))
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise ValueError(f"there is no timezone {asked!r}") from exc


def is_iso(chosen: Mapping[str, Any]) -> bool:
    """Say whether *chosen* asks for ISO 8601."""
    return chosen.get("discriminator") == "iso8601"


def timespec(chosen: Mapping[str, Any]) -> str:
    """Return how exact an ISO form has to be."""
    return "microseconds" if chosen.get("include_microseconds") else "seconds"

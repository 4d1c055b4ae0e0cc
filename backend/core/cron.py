"""Cron expressions: when they fire next, and what they say in words. Pure.

Five fields by POSIX: minute, hour, day of month, month, weekday; 0 and 7 are Sunday; a day of
month and a weekday that are both given are joined by OR. ``last`` is read as ``L``, the last day of
a month. `Dialect.AUTOGPT` reads weekday numbers as the AutoGPT Platform does (0 = Monday) and
joins by AND, so that schedules written for it fire when they did there.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from backend.core.errors import BadRequest

_FIELDS: Final = 5
_MAX_LENGTH: Final = 250
_ALLOWED: Final = re.compile(r"[0-9A-Za-z*/,\-]+")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class Dialect(StrEnum):
    """How weekday numbers are read, and how day of month and weekday go together."""

    POSIX = "posix"
    AUTOGPT = "autogpt"


def zone(name: str) -> ZoneInfo:
    """
    Return the time zone of this IANA name.

    Raises:
        BadRequest: If there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise BadRequest(
            f"unknown timezone {name[:100]!r}; use an IANA name such as Europe/Berlin or UTC"
        ) from exc

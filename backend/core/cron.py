"""Cron expressions: when they fire next, and what they say in words. Pure.

Five fields by POSIX: minute, hour, day of month, month, weekday; 0 and 7 are Sunday; a day of
month and a weekday that are both given are joined by OR. ``last`` is read as ``L``, the last day of
a month. `Dialect.AUTOGPT` reads weekday numbers as the AutoGPT Platform does (0 = Monday) and
joins by AND, so that schedules written for it fire when they did there.
"""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from backend.core.errors import BadRequest

_FIELDS: Final = 5
_MAX_LENGTH: Final = 250
_ALLOWED: Final = re.compile(r"[0-9A-Za-z*/,\-]+")
_MINUTE: Final = timedelta(minutes=1)
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


class Cron:
    """A checked expression."""

    __slots__ = ("_both", "_parts", "dialect", "text")

    def __init__(self, text: str, dialect: Dialect = Dialect.POSIX) -> None:
        """
        Read *text*.

        Raises:
            BadRequest: If it is no expression, or one that never fires.
        """
        self.text = text
        self.dialect = dialect
        self._parts = _parts(text, dialect)
        self._both = dialect is Dialect.AUTOGPT
        if self.next_fire(ZoneInfo("UTC"), 0) is None:
            raise BadRequest(f"cron expression {text!r} never fires")

    def next_fire(self, where: ZoneInfo, after_us: int) -> int | None:
        """
        Return the first fire after *after_us*; both are microseconds since the epoch.

        A local time that daylight saving leaves out fires once, at the next moment there is; one
        that comes twice fires the first time only. Schedules of every minute or hour follow
        elapsed time.

        Returns:
            None if there is none within 50 years.
        """
        # Whole seconds, rounded down: what fires at 10:00:00 is after 09:59:59.5.
        after = datetime.fromtimestamp(after_us // 1_000_000, UTC)
        sim = self._simulation(after.astimezone(where) if where.key != "UTC" else after)
        try:
            fire = next(sim)
            while fire.astimezone(UTC) <= after:
                fire = next(sim)
        except (StopIteration, OverflowError):
            return None
        return int(fire.astimezone(UTC).timestamp()) * 1_000_000

    def names(self, where: ZoneInfo, fire_us: int) -> bool:
        """Say whether the local time of a fire is one that the expression names; see `next_fire`."""
        local = datetime.fromtimestamp(fire_us // 1_000_000, UTC).astimezone(where)
        wall = local.replace(tzinfo=UTC)
        return next(self._simulation(wall - _MINUTE), None) == wall

    def describe(self, zone_name: str) -> str:
        """Return the expression in words, with the zone in which it is read."""
        try:
            words = self._simulation(datetime(2000, 1, 1, tzinfo=UTC)).explain()
        except (CronSimError, AssertionError, IndexError, KeyError, TypeError, ValueError):
            words = f"At times that match {self.text}"
        if self._both and self._parts[2] != "*" and self._parts[4] != "*":
            words += ", only when both the day of month and the weekday match"
        return f"{words} ({zone_name})"

    def _simulation(self, start: datetime) -> CronSim:
        sim = CronSim(" ".join(self._parts), start)
        if self._both:
            sim.day_and = True
        return sim


def next_fire(
    cron: str, zone_name: str, after_us: int, dialect: Dialect = Dialect.POSIX
) -> int | None:
    """Return the first fire of *cron* after *after_us*, microseconds since the epoch; see `Cron`."""
    return Cron(cron, dialect).next_fire(zone(zone_name), after_us)


def _parts(text: str, dialect: Dialect) -> list[str]:
    """Return the five fields in the form that cronsim reads, by POSIX."""
    if len(text) > _MAX_LENGTH:
        raise BadRequest(f"a cron expression has at most {_MAX_LENGTH} characters")
    parts = text.split()
    if len(parts) != _FIELDS:
        raise BadRequest(
            f"cron expression {text!r} has {len(parts)} fields; it needs {_FIELDS}: "
            "minute hour day-of-month month day-of-week"
        )
    if not all(map(_ALLOWED.fullmatch, parts)):
        raise BadRequest(f"cron expression {text!r} has characters that mean nothing in it")
    parts = [part.upper() for part in parts]
    parts[2] = re.sub(r"\bLAST\b", "L", parts[2])
    parts[4] = _monday_first(parts[4], text) if dialect is Dialect.AUTOGPT else _sunday(parts[4])
    try:
        CronSim(" ".join(parts), datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, AssertionError, ValueError) as exc:
        raise BadRequest(f"cron expression {text!r} cannot be used: {exc}") from exc
    return parts


def _sunday(field: str) -> str:
    """Let a range end on Sunday by name: ``FRI-SUN`` is 5-7."""
    return re.sub(r"-SUN\b", "-7", field)


def _monday_first(field: str, text: str) -> str:
    """Return weekdays that count from 0 = Monday as POSIX ones, 1 = Monday to 7 = Sunday."""
    if field == "*":
        return field
    days: list[int] = []
    for term in field.split(","):
        matched = re.fullmatch(r"(\*|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:/([1-9]\d?))?", term)
        if matched is None:
            raise BadRequest(f"cron expression {text!r} cannot be used: bad day-of-week")
        first, last, step = matched.groups()
        low = 1 if first == "*" else _weekday(first, text)
        high = _weekday(last, text) if last else (7 if first == "*" or step else low)
        if high < low:
            raise BadRequest(f"cron expression {text!r} cannot be used: bad day-of-week")
        days.extend(range(low, high + 1, int(step or 1)))
    return ",".join(map(str, sorted(set(days))))


def _weekday(name: str, text: str) -> int:
    if name in _DAYS:
        return _DAYS.index(name) or 7
    if name in ("0", "1", "2", "3", "4", "5", "6"):
        return int(name) + 1
    raise BadRequest(f"cron expression {text!r} cannot be used: bad day-of-week {name!r}")

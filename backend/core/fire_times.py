"""
When a schedule fires: what its text says, within what its owner's rules allow. Pure.

Besides the five fields of cron a text may be ``@hourly`` and its like, ``@every 90m`` (elapsed time,
counted from the schedule's start) or ``@at 2026-12-01T09:00`` (once).
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from backend.core.cron import Cron, Dialect, zone
from backend.core.errors import BadRequest

_SECOND_US: Final = 1_000_000
#: More would need days of fires to be looked through for the next one.
MAX_JITTER_S: Final = 3600
_MAX_EVERY_S: Final = 366 * 24 * 3600
_UNITS: Final = {"w": 7 * 24 * 3600, "d": 24 * 3600, "h": 3600, "m": 60, "s": 1}
_EVERY: Final = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,8}}){unit})?" for unit in _UNITS))
_MAX_LENGTH: Final = 250
_FIRST_YEAR: Final = 1971  #: later than the epoch in every zone
_LAST_YEAR: Final = 9998
#: How cron daemons write what they mean; the day by name, which is the same in all dialects.
_NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * SUN",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FireRules:
    """
    What a schedule's owner asks beside its times.

    Attributes:
        jitter_s: Each fire is late by up to so many seconds: always the same for the same fire,
            never past the next one.
        starts_us: No fire before it; ``@every`` counts from it.
        ends_us: No fire after it.
        skips_gaps: Fires at local times that daylight saving leaves out are not made up for.
    """

    jitter_s: int = 0
    starts_us: int | None = None
    ends_us: int | None = None
    skips_gaps: bool = False

    def check(self) -> None:
        """
        Look at the rules alone.

        Raises:
            BadRequest: If they cannot be kept.
        """
        if not 0 <= self.jitter_s <= MAX_JITTER_S:
            raise BadRequest(f"jitter_s is 0 to {MAX_JITTER_S} seconds")
        starts_us = 0 if self.starts_us is None else self.starts_us
        if self.ends_us is not None and self.ends_us < starts_us:
            raise BadRequest("ends_at is before starts_at")


NO_RULES: Final = FireRules()


class Times(Protocol):
    """Moments, in microseconds since the epoch."""

    def next(self, after_us: int) -> int | None:
        """Return the first one after *after_us*."""

    def describe(self) -> str:
        """Return them in words."""


class FireTimes:
    """The fires of one schedule."""

    __slots__ = ("_key", "_rules", "_times")

    def __init__(
        self,
        text: str,
        zone_name: str,
        *,
        rules: FireRules = NO_RULES,
        key: str = "",
        anchor_us: int = 0,
        dialect: Dialect = Dialect.POSIX,
    ) -> None:
        """
        Read *text*.

        Args:
            key: The schedule's id: fires of two schedules are late by different times.
            anchor_us: When the schedule was made: what ``@every`` counts from if not told.

        Raises:
            BadRequest: If it says no times, there is no such zone, or *rules* cannot be kept.
        """
        rules.check()
        self._rules = rules
        self._key = key
        start_us = anchor_us if rules.starts_us is None else rules.starts_us
        self._times = _times(text, zone(zone_name), start_us, dialect, skips_gaps=rules.skips_gaps)

    def next_fire(self, after_us: int) -> int | None:
        """Return the first fire after *after_us*, both microseconds since the epoch, or None."""
        rules = self._rules
        jitter_us = rules.jitter_s * _SECOND_US
        from_us = after_us - jitter_us
        if rules.starts_us is not None:
            from_us = max(from_us, rules.starts_us - 1)
        fire_us = self._times.next(from_us)
        if jitter_us:
            fire_us = self._late(fire_us, after_us)
        if fire_us is None or (rules.ends_us is not None and fire_us > rules.ends_us):
            return None
        return fire_us

    def upcoming(self, after_us: int, count: int) -> list[int]:
        """Return the next *count* fires after *after_us*, fewer if there are no more."""
        found: list[int] = []
        at_us = self.next_fire(after_us)
        while at_us is not None and len(found) < count:
            found.append(at_us)
            at_us = self.next_fire(at_us)
        return found

    def describe(self) -> str:
        """Return the times in words."""
        return self._times.describe()

    def _late(self, planned_us: int | None, after_us: int) -> int | None:
        """Return the first late fire after *after_us*, from the one planned at *planned_us* on."""
        while planned_us is not None:
            next_us = self._times.next(planned_us)
            most_s = self._rules.jitter_s
            if next_us is not None:
                # Before the next one is due: no fire overtakes another, none falls on another.
                most_s = min(most_s, (next_us - planned_us) // _SECOND_US - 1)
            fire_us = planned_us + self._delay_s(planned_us, most_s) * _SECOND_US
            if fire_us > after_us:
                return fire_us
            planned_us = next_us
        return None

    def _delay_s(self, planned_us: int, most_s: int) -> int:
        drawn = hashlib.sha256(f"{self._key}:{planned_us}".encode()).digest()
        return int.from_bytes(drawn[:8]) % (most_s + 1)


class _Cron:
    """What a cron expression tells in a zone."""

    def __init__(self, cron: Cron, where: ZoneInfo, *, skips_gaps: bool) -> None:
        self._cron = cron
        self._where = where
        self._skips_gaps = skips_gaps

    def next(self, after_us: int) -> int | None:
        fire_us = self._cron.next_fire(self._where, after_us)
        while self._skips_gaps and fire_us is not None:
            if self._cron.names(self._where, fire_us):
                break
            fire_us = self._cron.next_fire(self._where, fire_us)
        return fire_us

    def describe(self) -> str:
        return self._cron.describe(self._where.key)


class _Every:
    """Moments with the same elapsed time between them."""

    def __init__(self, every_us: int, start_us: int, text: str) -> None:
        self._every_us = every_us
        # Whole seconds: so that a fire's time can be shown and asked for.
        self._start_us = start_us // _SECOND_US * _SECOND_US
        self._text = text

    def next(self, after_us: int) -> int | None:
        return after_us + self._every_us - (after_us - self._start_us) % self._every_us

    def describe(self) -> str:
        return f"Every {self._text}, counted in elapsed time"


class _Once:
    """One moment."""

    def __init__(self, at_us: int, where: ZoneInfo) -> None:
        self._at_us = at_us
        self._where = where

    def next(self, after_us: int) -> int | None:
        return self._at_us if self._at_us > after_us else None

    def describe(self) -> str:
        at = datetime.fromtimestamp(self._at_us // _SECOND_US, UTC).astimezone(self._where)
        return f"Once, {at:%Y-%m-%d %H:%M:%S} ({self._where.key})"


def _times(
    text: str, where: ZoneInfo, start_us: int, dialect: Dialect, *, skips_gaps: bool
) -> Times:
    word, _, rest = text.strip().partition(" ")
    match word.lower():
        case "@every":
            said = rest.replace(" ", "").lower()
            return _Every(_every_us(said), start_us, said)
        case "@at":
            return _Once(_at_us(rest.strip(), where, skips_gaps=skips_gaps), where)
    return _Cron(Cron(_plain(text), dialect), where, skips_gaps=skips_gaps)


def _plain(text: str) -> str:
    """Return an expression of five fields for one of the names."""
    if not text.strip().startswith("@"):
        return text
    plain = _NAMED.get(text.strip().lower())
    if plain is None:
        known = ", ".join((*_NAMED, "@every 90m", "@at 2030-01-31T09:00"))
        raise BadRequest(f"cron expression {text[:_MAX_LENGTH]!r} is unknown; there are {known}")
    return plain


def _every_us(said: str) -> int:
    found = _EVERY.fullmatch(said)
    seconds = sum(int(found[unit] or 0) * size for unit, size in _UNITS.items()) if found else 0
    if not 1 <= seconds <= _MAX_EVERY_S:
        raise BadRequest(
            f"@every {said[:_MAX_LENGTH]!r} cannot be used: it takes 1s to 366d, "
            "written like 45s, 90m, 1h30m or 2d"
        )
    return seconds * _SECOND_US


def _at_us(said: str, where: ZoneInfo, *, skips_gaps: bool) -> int:
    try:
        at = datetime.fromisoformat(said)
    except ValueError as exc:
        raise BadRequest(
            f"@at {said[:_MAX_LENGTH]!r} cannot be used: it takes a date and time "
            "like 2030-01-31T09:00 or 2030-01-31T09:00+01:00"
        ) from exc
    moment = moment_us(at, where)
    there = datetime.fromtimestamp(moment // _SECOND_US, where).replace(tzinfo=None)
    if skips_gaps and at.tzinfo is None and there != at.replace(microsecond=0):
        raise BadRequest(
            f"@at {said!r} never comes in {where.key}: daylight saving leaves it out, and the"
            " schedule skips such times"
        )
    return moment


def moment_us(at: datetime, where: ZoneInfo) -> int:
    """
    Return a time, in *where* if it names no offset, as microseconds since the epoch.

    Of a local time that comes twice it is the first; for one that daylight saving leaves out, the
    next moment there is.

    Raises:
        BadRequest: If it is too far away to be reckoned with.
    """
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise BadRequest(f"a schedule's years are {_FIRST_YEAR} to {_LAST_YEAR}")
    if at.tzinfo is not None:
        return int(at.timestamp()) * _SECOND_US
    # Of what is left out, the reading by the offset from before comes later than that by the new one.
    low, high = (int(at.replace(tzinfo=where, fold=fold).timestamp()) for fold in (1, 0))
    before = datetime.fromtimestamp(low, where).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, where).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high * _SECOND_US

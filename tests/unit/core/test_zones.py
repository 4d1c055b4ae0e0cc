"""Cron at the edges of daylight saving, in all zones, against a walk through every minute."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from backend.core.fire_times import FireTimes

YEARS = (2020, 2030)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def edges(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the hours, in UTC, at whose beginning the zone's offset has just changed."""
    at, end = datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[1], 1, 1, tzinfo=UTC)
    before = at.astimezone(zone).utcoffset()
    while at < end:
        following = at + timedelta(days=1)
        if following.astimezone(zone).utcoffset() != before:
            while at.astimezone(zone).utcoffset() == before:
                at += timedelta(minutes=15)
            yield at
            before = at.astimezone(zone).utcoffset()
        else:
            at = following


def walked(zone: ZoneInfo, start: datetime, hours: set[int], minute: int, days: int) -> list[int]:
    """
    Return the fires of ``minute hours * * *`` found by looking at each minute.

    A local time fires the first time it comes; one that is left out, at the first minute after.
    """
    fires: set[datetime] = set()
    seen: set[datetime] = set()
    at, before = start, (start - _MINUTE).astimezone(zone).replace(tzinfo=None)
    while at < start + timedelta(days=days):
        wall = at.astimezone(zone).replace(tzinfo=None)
        # All local times that end with this minute: more than one where some are left out.
        reached = min(wall, before + _MINUTE)
        while reached <= wall:
            if reached.hour in hours and reached.minute == minute and reached not in seen:
                seen.add(reached)
                fires.add(at)
            reached += _MINUTE
        before = wall
        at += _MINUTE
    return sorted(int(fire.timestamp()) * 1_000_000 for fire in fires)


def check(zone_name: str, edge: datetime) -> None:
    """Compare the fires about *edge* at local times near it."""
    zone = ZoneInfo(zone_name)
    start = edge - timedelta(days=1, hours=edge.hour, minutes=edge.minute)
    local = edge.astimezone(zone)
    for hours in ({local.hour}, {(local.hour - 1) % 24}, {(local.hour + h) % 24 for h in (-2, 0)}):
        for minute in (0, 17, 30, 59):
            said = ",".join(map(str, sorted(hours)))
            times = FireTimes(f"{minute} {said} * * *", zone_name)
            expected = walked(zone, start, hours, minute, 3)
            start_us = int(start.timestamp()) * 1_000_000 - 1
            assert times.upcoming(start_us, len(expected)) == expected, (zone_name, edge, said)


def all_edges() -> list[tuple[str, datetime]]:
    """Return every change of an offset in every zone, in ten years."""
    return [
        (name, edge) for name in sorted(available_timezones()) for edge in edges(ZoneInfo(name))
    ]


@pytest.mark.slow
def test_fires_at_the_edges_of_some_zones_are_those_of_a_walk_by_minutes() -> None:
    chosen = random.Random(7)
    zones = ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana"]
    for name in zones + chosen.sample(sorted(available_timezones()), 8):
        found = list(edges(ZoneInfo(name)))
        for edge in chosen.sample(found, min(2, len(found))):
            check(name, edge)


@pytest.mark.chaos
def test_fires_at_all_edges_of_all_zones_are_those_of_a_walk_by_minutes() -> None:
    found = all_edges()
    assert len(found) > 1000
    for name, edge in found:
        check(name, edge)

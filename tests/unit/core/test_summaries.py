"""Of which period a summary is due, by the clock of whoever gets it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.notices import NoticeType
from backend.core.summaries import KINDS, due_period

DAILY, WEEKLY, MONTHLY = KINDS


def due(kind: NoticeType, zone: str, at: str) -> tuple[str, str] | None:
    now_us = round(datetime.fromisoformat(at).timestamp() * 1_000_000)
    period = due_period(kind, ZoneInfo(zone), now_us=now_us)
    return None if period is None else (str(period.since), period.words)


@pytest.mark.parametrize(
    ("kind", "zone", "at", "expected"),
    [
        (DAILY, "UTC", "2026-11-27T08:59:59+00:00", ("2026-11-25", "25 November 2026")),
        (DAILY, "UTC", "2026-11-27T09:00:00+00:00", ("2026-11-26", "26 November 2026")),
        (DAILY, "Asia/Tokyo", "2026-11-27T00:00:00+00:00", ("2026-11-26", "26 November 2026")),
        (DAILY, "America/Los_Angeles", "2026-11-27T16:59:00+00:00", ("2026-11-25", "25 November 2026")),
        (WEEKLY, "UTC", "2026-11-23T09:00:00+00:00", ("2026-11-16", "16 to 22 November 2026")),
        (WEEKLY, "UTC", "2026-11-23T08:00:00+00:00", None),
        (WEEKLY, "UTC", "2026-11-26T09:00:00+00:00", None),
        (WEEKLY, "UTC", "2026-11-02T09:00:00+00:00", ("2026-10-26", "26 October to 1 November 2026")),
        (MONTHLY, "UTC", "2026-03-01T09:00:00+00:00", ("2026-02-01", "February 2026")),
        (MONTHLY, "UTC", "2026-01-03T09:00:00+00:00", ("2025-12-01", "December 2025")),
        (MONTHLY, "UTC", "2026-01-04T09:00:00+00:00", None),
        (NoticeType.AGENT_RUN, "UTC", "2026-01-04T09:00:00+00:00", None),
    ],
)  # fmt: skip
def test_a_summary_is_due_at_nine_and_not_days_later(
    kind: NoticeType, zone: str, at: str, expected: tuple[str, str] | None
) -> None:
    assert due(kind, zone, at) == expected


@given(
    st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]),
    st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_days_follow_each_other_without_gap_and_overlap(zone: str, at: datetime) -> None:
    now_us = round(at.replace(tzinfo=UTC).timestamp() * 1_000_000)
    day_us = 86_400_000_000
    first = due_period(DAILY, ZoneInfo(zone), now_us=now_us)
    assert first is not None

    moments = range(now_us, now_us + 3 * day_us, day_us // 24)
    periods = [due_period(DAILY, ZoneInfo(zone), now_us=moment) for moment in moments]

    ends = {one.until: one.end for one in (first, *periods) if one is not None}
    assert len(ends) in (3, 4)
    for moment, one in zip(moments, periods, strict=True):
        assert one is not None
        assert one.end.timestamp() <= moment / 1e6
        assert ends.get(one.since, one.start) == one.start

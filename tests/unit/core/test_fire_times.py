"""When schedules fire: what their text says, within the rules of their owner."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.cron import Dialect
from backend.core.errors import BadRequest
from backend.core.fire_times import NO_RULES, FireRules, FireTimes

MINUTE_US = 60_000_000
BERLIN = "Europe/Berlin"


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def shown(found: list[int]) -> list[str]:
    return [f"{datetime.fromtimestamp(at / 1e6, UTC):%m-%d %H:%M:%S}" for at in found]


def upcoming(
    text: str, start: str, count: int, *, zone: str = "UTC", rules: FireRules = NO_RULES
) -> list[str]:
    times = FireTimes(text, zone, rules=rules, anchor_us=us("2026-01-01T00:10:30"))
    return shown(times.upcoming(us(start), count))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@hourly", "01-01 01:00:00"),
        ("@Daily", "01-02 00:00:00"),
        ("@midnight", "01-02 00:00:00"),
        ("@weekly", "01-04 00:00:00"),
        ("@monthly", "02-01 00:00:00"),
        ("@yearly", "01-01 00:00:00"),
        (" @annually ", "01-01 00:00:00"),
        ("@every 90m", "01-01 01:40:30"),
        ("@every 1h 30m", "01-01 01:40:30"),
        ("@EVERY 1d", "01-02 00:10:30"),
        ("@at 2026-01-05T09:30", "01-05 09:30:00"),
        ("@at 2026-01-05T09:30:05+02:00", "01-05 07:30:05"),
        ("0 9 * * MON", "01-05 09:00:00"),
    ],
)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_texts_tell_their_first_fire(text: str, expected: str, dialect: Dialect) -> None:
    """`@weekly` is Sunday, also where 0 is Monday."""
    times = FireTimes(text, "UTC", anchor_us=us("2026-01-01T00:10:30"), dialect=dialect)

    assert shown(times.upcoming(us("2026-01-01T00:10:30"), 1)) == [expected]
    assert times.describe()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@sometimes", "is unknown; there are @hourly"),
        ("@every", "takes 1s to 366d"),
        ("@every 0s", "takes 1s to 366d"),
        ("@every 367d", "takes 1s to 366d"),
        ("@every 5 minutes", "takes 1s to 366d"),
        ("@every -5m", "takes 1s to 366d"),
        ("@every 99999999999999999999s", "takes 1s to 366d"),
        ("@at", "takes a date and time"),
        ("@at tomorrow", "takes a date and time"),
        ("@at 1969-12-31T23:00", "years are 1971 to 9998"),
        ("@at 9999-12-31T23:00", "years are 1971 to 9998"),
        ("@at 0001-01-01T00:00+14:00", "years are 1971 to 9998"),
    ],
)
def test_texts_that_say_nothing_are_refused_with_what_there_is(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said.replace("+", r"\+")):
        FireTimes(text, "UTC")


def test_once_is_once() -> None:
    assert upcoming("@at 2026-01-05T09:30", "2026-01-01", 5) == ["01-05 09:30:00"]
    assert upcoming("@at 2026-01-05T09:30", "2026-01-05T09:30:00", 5) == []


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        (BERLIN, "2026-03-29T01:59:59", "03-29 00:59:59"),
        (BERLIN, "2026-03-29T02:00", "03-29 01:00:00"),
        (BERLIN, "2026-03-29T02:59:59", "03-29 01:00:00"),
        (BERLIN, "2026-03-29T03:00", "03-29 01:00:00"),
        (BERLIN, "2026-10-25T02:30", "10-25 00:30:00"),  # it comes twice
        ("Australia/Lord_Howe", "2026-10-04T02:15", "10-03 15:30:00"),  # half an hour
        ("Pacific/Apia", "2011-12-30T12:00", "12-30 10:00:00"),  # a whole day
    ],
)
def test_once_at_a_local_time_that_is_left_out_is_the_next_moment(
    zone: str, at: str, expected: str
) -> None:
    assert upcoming(f"@at {at}", at[:4] + "-01-01", 1, zone=zone) == [expected]


def test_once_at_a_local_time_that_is_left_out_can_be_refused() -> None:
    rules = FireRules(skips_gaps=True)

    with pytest.raises(BadRequest, match="never comes in Europe/Berlin"):
        FireTimes("@at 2026-03-29T02:30", BERLIN, rules=rules)
    for there in ("2026-03-29T03:00", "2026-10-25T02:30", "2026-03-29T02:30+01:00"):
        FireTimes(f"@at {there}", BERLIN, rules=rules)


def test_elapsed_time_is_counted_from_the_start_whatever_the_zone_does() -> None:
    rules = FireRules(starts_us=us("2026-03-28T23:00"))

    assert upcoming("@every 12h", "2026-01-01", 4, zone=BERLIN, rules=rules) == [
        "03-28 23:00:00",
        "03-29 11:00:00",
        "03-29 23:00:00",
        "03-30 11:00:00",
    ]


def test_nothing_fires_before_the_start_or_after_the_end() -> None:
    rules = FireRules(starts_us=us("2026-01-03T09:00"), ends_us=us("2026-01-05T09:00"))

    assert upcoming("0 9 * * *", "2026-01-01", 9, rules=rules) == [
        "01-03 09:00:00",
        "01-04 09:00:00",
        "01-05 09:00:00",
    ]


def test_times_that_daylight_saving_leaves_out_are_made_up_for_or_not() -> None:
    """02:30 is not there on 2026-03-29 in Berlin."""
    made_up = upcoming("30 2 * * *", "2026-03-28", 3, zone=BERLIN)
    left_out = upcoming(
        "30 2 * * *", "2026-03-28", 3, zone=BERLIN, rules=FireRules(skips_gaps=True)
    )

    assert made_up == ["03-28 01:30:00", "03-29 01:00:00", "03-30 00:30:00"]
    assert left_out == ["03-28 01:30:00", "03-30 00:30:00", "03-31 00:30:00"]


@pytest.mark.parametrize(
    "rules",
    [
        FireRules(jitter_s=-1),
        FireRules(jitter_s=3601),
        FireRules(starts_us=2, ends_us=1),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: FireRules) -> None:
    with pytest.raises(BadRequest):
        FireTimes("@hourly", "UTC", rules=rules)


@settings(deadline=None)
@given(
    text=st.sampled_from(
        ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "@every 1s", "@every 90s"]
    ),
    zone=st.sampled_from(["UTC", BERLIN, "Australia/Lord_Howe", "America/St_Johns"]),
    jitter_s=st.integers(1, 3600),
    start_s=st.integers(us("2026-03-27") // 1_000_000, us("2026-03-30") // 1_000_000),
    key=st.text(max_size=3),
)
def test_late_fires_are_the_same_ones_one_for_one_and_never_early(
    text: str, zone: str, jitter_s: int, start_s: int, key: str
) -> None:
    planned = FireTimes(text, zone)
    late = FireTimes(text, zone, rules=FireRules(jitter_s=jitter_s), key=key)
    start_us = start_s * 1_000_000

    on_time = planned.upcoming(start_us, 20)
    # One that was planned before the start may be late enough to come after it.
    found = [at for at in late.upcoming(start_us, 25) if at >= on_time[0]][:19]

    for at, plan, following in zip(found, on_time, on_time[1:], strict=False):
        assert plan <= at < following
        assert at - plan <= jitter_s * 1_000_000
        # Asked from any moment before it, it is the next.
        assert late.next_fire(at - 1_000_000) == at


def test_two_schedules_are_late_by_different_times() -> None:
    rules = FireRules(jitter_s=3600)
    first, second = (
        FireTimes("0 0 * * *", "UTC", rules=rules, key=key).upcoming(us("2026-01-01"), 10)
        for key in ("a", "b")
    )

    assert first != second
    assert len({at % (24 * 60 * MINUTE_US) for at in first}) > 1


def test_a_minute_is_not_added_where_clocks_change_by_less_than_an_hour() -> None:
    """Lord Howe Island goes back by half an hour: 01:30 to 02:00 come twice."""
    zone = "Australia/Lord_Howe"
    fires = upcoming("45 1 * * *", "2026-04-03", 3, zone=zone)
    walls = [
        datetime.strptime(f"2026-{at}", "%Y-%m-%d %H:%M:%S")
        .replace(tzinfo=UTC)
        .astimezone(ZoneInfo(zone))
        for at in fires
    ]

    assert [f"{wall:%d %H:%M}" for wall in walls] == ["04 01:45", "05 01:45", "06 01:45"]
    assert walls[1].utcoffset() == timedelta(hours=11)

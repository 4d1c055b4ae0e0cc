"""When cron expressions fire, and what they say of themselves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.cron import Cron, Dialect, next_fire, zone
from backend.core.errors import BadRequest


def us(text: str) -> int:
    """Return a UTC time as microseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def shown(at_us: int | None) -> str | None:
    """Return a time as text in UTC."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")


def fires(cron: str, zone_name: str, start: str, count: int) -> list[str | None]:
    """Return the next *count* fires after *start*."""
    found: list[str | None] = []
    at: int | None = us(start)
    while len(found) < count and at is not None:
        at = next_fire(cron, zone_name, at)
        found.append(shown(at))
    return found


# 2026-01-01 is a Thursday.
@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("*/5 * * * *", "2026-01-01 00:05"),
        ("0 9 * * 0", "2026-01-04 09:00"),
        ("0 9 * * 7", "2026-01-04 09:00"),
        ("0 9 * * 1", "2026-01-05 09:00"),
        ("0 9 * * MON", "2026-01-05 09:00"),
        ("0 9 * * sat-sun", "2026-01-03 09:00"),
        ("0 0 last * *", "2026-01-31 00:00"),
        ("0 0 LAST feb *", "2026-02-28 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
        ("30 6 1-7/2 * *", "2026-01-01 06:30"),
        ("0 0 13 * 5", "2026-01-02 00:00"),
    ],
)
def test_expressions_are_read_by_posix(cron: str, expected: str) -> None:
    assert shown(next_fire(cron, "UTC", us("2026-01-01T00:00"))) == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 9 * * 0", "2026-01-05 09:00"),
        ("0 9 * * 6", "2026-01-04 09:00"),
        ("0 9 * * 5-6", "2026-01-03 09:00"),
        ("0 9 * * sun", "2026-01-04 09:00"),
        ("0 9 * * */3", "2026-01-01 09:00"),
        ("0 0 13 * 4", "2026-02-13 00:00"),
    ],
)
def test_the_other_dialect_counts_from_monday_and_joins_days_by_and(
    cron: str, expected: str
) -> None:
    found = next_fire(cron, "UTC", us("2026-01-01T00:00"), Dialect.AUTOGPT)

    assert shown(found) == expected


def test_the_other_dialect_has_no_seventh_day() -> None:
    with pytest.raises(BadRequest, match="bad day-of-week"):
        Cron("0 9 * * 7", Dialect.AUTOGPT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "-1 * * * *",
        "1,,2 * * * *",
        "0 0 ? * *",
        "0 0 1W * *",
        "\x00 * * * *",
        "٣ * * * *",
        "1," * 200 + "1 * * * *",
    ],
)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_cannot_be_read_is_refused(text: str, dialect: Dialect) -> None:
    with pytest.raises(BadRequest, match="cron expression"):
        Cron(text, dialect)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"])
def test_what_never_fires_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Cron(text)


def test_what_never_fires_for_both_its_days_is_refused() -> None:
    assert Cron("0 0 30 2 1") is not None  # each Monday of February

    with pytest.raises(BadRequest, match="never fires"):
        Cron("0 0 30 2 1", Dialect.AUTOGPT)


@pytest.mark.parametrize(
    "name", ["", "Mars", "Europe", "../UTC", "/etc/passwd", "a\x00", "x" * 300]
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="unknown timezone"):
        zone(name)


def test_a_local_time_that_is_left_out_fires_once_at_the_next_moment_there_is() -> None:
    # On 29 March 2026 clocks in Berlin go from 2:00 to 3:00.
    assert fires("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3) == [
        "2026-03-28 01:30",
        "2026-03-29 01:00",
        "2026-03-30 00:30",
    ]


def test_several_times_that_are_left_out_fire_once() -> None:
    assert fires("0,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 2) == [
        "2026-03-29 01:00",
        "2026-03-30 00:00",
    ]


def test_a_local_time_that_comes_twice_fires_once() -> None:
    # On 25 October 2026 clocks in Berlin go from 3:00 back to 2:00.
    assert fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


def test_whoever_asks_between_the_two_gets_the_next_day() -> None:
    after = us("2026-10-25T01:00")  # the second 2:00

    assert shown(next_fire("30 2 * * *", "Europe/Berlin", after)) == "2026-10-26 01:30"


def test_every_hour_is_every_hour_that_passes() -> None:
    assert fires("0 * * * *", "Europe/Berlin", "2026-10-24T23:30", 3) == [
        "2026-10-25 00:00",
        "2026-10-25 01:00",
        "2026-10-25 02:00",
    ]


def test_a_fire_is_after_the_moment_it_is_asked_for_not_at_it() -> None:
    exact = us("2026-01-01T00:05")

    assert next_fire("*/5 * * * *", "UTC", exact - 1) == exact
    assert next_fire("*/5 * * * *", "UTC", exact) == us("2026-01-01T00:10")


@pytest.mark.parametrize(
    ("cron", "dialect", "words"),
    [
        ("0 9 * * 1", Dialect.POSIX, "At 09:00 on Monday (Europe/Berlin)"),
        ("0 9 * * 1", Dialect.AUTOGPT, "At 09:00 on Tuesday (Europe/Berlin)"),
    ],
)
def test_an_expression_says_what_it_means(cron: str, dialect: Dialect, words: str) -> None:
    assert Cron(cron, dialect).describe("Europe/Berlin") == words


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    return st.one_of(st.just("*"), number.map(str), spans)


@given(
    parts=st.tuples(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6)),
    zone_name=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - drawn as UTC
)
def test_fires_only_go_forward_and_each_fits_its_minute(
    parts: tuple[str, ...], zone_name: str, start: datetime
) -> None:
    cron, where = " ".join(parts), ZoneInfo(zone_name)
    at = int((start - datetime(1970, 1, 1)) / timedelta(microseconds=1))  # noqa: DTZ001 - both UTC

    for _ in range(3):
        fire = next_fire(cron, zone_name, at)
        assert fire is not None
        assert fire > at
        local = datetime.fromtimestamp(fire / 1_000_000, where)
        assert local.second == 0
        assert local.month in _numbers(parts[3], range(1, 13))
        at = fire


def _numbers(field: str, every: range) -> range:
    if field == "*":
        return every
    low, _, high = field.partition("-")
    return range(int(low), int(high or low) + 1)

"""Fresh ids: UUIDs of version 7 that only grow, whatever the computer's clock does."""

import time
import uuid

import pytest

from backend.adapters.clock import SystemClock


def test_ids_are_uuids_of_version_7_that_sort_by_age() -> None:
    clock = SystemClock()

    ids = [clock.new_id() for _ in range(20_000)]

    assert ids == sorted(set(ids))
    parsed = [uuid.UUID(one) for one in ids]
    assert {(one.version, one.variant) for one in parsed} == {(7, uuid.RFC_4122)}
    assert [str(one) for one in parsed] == ids


def test_an_id_begins_with_its_time() -> None:
    before_ms = time.time_ns() // 1_000_000

    made_ms = uuid.UUID(SystemClock().new_id()).int >> 80

    assert 0 <= made_ms - before_ms < 60_000


def test_ids_grow_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    now_ns = time.time_ns()
    ids = []

    for step_s in (0, -3600, 0, 1):
        monkeypatch.setattr(time, "time_ns", lambda at=now_ns + step_s * 10**9: at)
        ids += [clock.new_id() for _ in range(100)]

    assert ids == sorted(set(ids))


def test_times_are_microseconds_and_seconds() -> None:
    clock = SystemClock()

    assert abs(clock.now_us() / 1e6 - time.time()) < 60
    assert clock.monotonic_s() <= clock.monotonic_s()

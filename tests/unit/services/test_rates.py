"""Rates: a token for each request, refilled steadily, in bounded memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import TooManyRequests
from backend.services.rates import RateLimit, address_key
from backend.testing.clock import FakeClock


def limit(clock: FakeClock, tokens: int = 3, refill_s: float = 60, buckets: int = 100) -> RateLimit:
    return RateLimit(
        "attempts",
        tokens=tokens,
        refill_s=refill_s,
        monotonic_s=clock.monotonic_s,
        setting="SOME_SETTING",
        buckets=buckets,
    )


def taken(rate: RateLimit, key: str, times: int) -> int:
    """Return how many of *times* requests are let through."""
    through = 0
    for _ in range(times):
        try:
            rate.take(key)
        except TooManyRequests:
            continue
        through += 1
    return through


def test_a_full_bucket_lets_as_many_through_as_it_holds() -> None:
    rate = limit(FakeClock())

    assert taken(rate, "ann", 10) == 3


def test_who_is_refused_hears_the_limit_and_when_to_try_again() -> None:
    clock = FakeClock()
    rate = limit(clock)
    taken(rate, "ann", 3)
    clock.pass_time(seconds=5.5)

    with pytest.raises(
        TooManyRequests, match=r"at most 3 in 60 seconds \(SOME_SETTING\)\. Try"
    ) as refused:
        rate.take("ann")

    assert refused.value.retry_after_s == 15
    clock.pass_time(seconds=15)
    assert taken(rate, "ann", 2) == 1


def test_waiting_is_not_made_longer_by_asking() -> None:
    clock = FakeClock()
    rate = limit(clock)
    taken(rate, "ann", 1_000)

    clock.pass_time(seconds=20)

    assert taken(rate, "ann", 2) == 1


def test_each_has_a_bucket_of_their_own() -> None:
    rate = limit(FakeClock())
    taken(rate, "ann", 3)

    assert taken(rate, "bob", 3) == 3


def test_0_is_no_limit_and_keeps_nothing() -> None:
    rate = limit(FakeClock(), tokens=0)

    assert taken(rate, "ann", 10_000) == 10_000
    assert len(rate) == 0


def test_a_token_can_be_given_back() -> None:
    rate = limit(FakeClock())
    taken(rate, "ann", 3)

    rate.give_back("ann")
    rate.give_back("nobody")

    assert taken(rate, "ann", 2) == 1
    assert len(rate) == 1


def test_of_many_the_one_that_asked_least_lately_is_forgotten() -> None:
    clock = FakeClock()
    rate = limit(clock, tokens=1, buckets=2)
    taken(rate, "ann", 1)
    taken(rate, "bob", 1)
    taken(rate, "ann", 1)  # refused, but heard of

    taken(rate, "cleo", 1)

    assert len(rate) == 2
    assert taken(rate, "ann", 1) == 0
    assert taken(rate, "bob", 1) == 1


@given(st.lists(st.floats(0, 30, allow_nan=False), max_size=60))
def test_in_no_stretch_of_time_more_get_through_than_it_allows(pauses: list[float]) -> None:
    clock = FakeClock()
    rate = limit(clock, tokens=4, refill_s=20)
    let_through: list[float] = []

    for pause in pauses:
        clock.pass_time(seconds=pause)
        if taken(rate, "ann", 1):
            let_through.append(clock.monotonic_s())

    for first, begin in enumerate(let_through):
        for last, end in enumerate(let_through[first:], 1):
            assert last <= 4 + (end - begin) / 5 + 1e-3


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("a socket", "a socket"),
    ],
)
def test_an_address_counts_with_all_of_its_network(host: str, key: str) -> None:
    assert address_key(host) == key

"""Limits of open files: raised at the start, or refused with a sentence."""

import resource

import pytest

from backend.core.errors import CannotStart
from backend.util.open_files import NEEDED, WANTED, raise_open_files


class Limits:
    """The limits of a process that only this test has."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def get(self, _which: int) -> tuple[int, int]:
        return self.now

    def set(self, _which: int, limits: tuple[int, int]) -> None:
        self.now = limits


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits(256, 20_000)
    monkeypatch.setattr(resource, "getrlimit", made.get)
    monkeypatch.setattr(resource, "setrlimit", made.set)
    return made


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((256, 20_000), (20_000, 20_000)),
        ((1_024, 1_048_576), (WANTED, 1_048_576)),
        ((1_024, resource.RLIM_INFINITY), (WANTED, resource.RLIM_INFINITY)),
        ((100_000, 200_000), (100_000, 200_000)),
        ((NEEDED, NEEDED), (NEEDED, NEEDED)),
    ],
)
def test_the_limit_is_raised_to_what_is_allowed_and_of_use(
    limits: Limits, before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits.now = before

    assert raise_open_files() == after[0]
    assert limits.now == after


def test_a_limit_that_serves_nobody_is_refused_with_a_sentence(limits: Limits) -> None:
    limits.now = (256, NEEDED - 1)

    with pytest.raises(CannotStart, match=r"1023 files open at once.*needs 1024.*ulimit -Hn"):
        raise_open_files()
    assert limits.now == (256, NEEDED - 1)

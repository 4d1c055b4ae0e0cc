"""The holes of Python's memory, filled."""

import sys
from itertools import pairwise

import pytest

from backend.util.holes import fill_holes

#: Seldom asked for by anything else.
SIZE = 448
LENGTH = SIZE - sys.getsizeof(b"")


def made(count: int) -> list[bytes]:
    return [bytes(LENGTH) for _ in range(count)]


def apart(objects: list[bytes]) -> int:
    """Return how many of them do not lie right behind the one before."""
    places = sorted(map(id, objects))
    return sum(after - before != SIZE for before, after in pairwise(places))


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="how CPython keeps objects")
def test_what_is_made_after_holes_were_filled_lies_together() -> None:
    kept = made(2_000)
    del kept[::2]
    before = made(60)

    filled = fill_holes()

    after = made(60)
    assert apart(before) > 30
    assert apart(after) < 5
    # The holes that this test has left, and not so much that it would cost what it saves.
    assert 900 * SIZE < filled < 20 * 2**20
    assert kept

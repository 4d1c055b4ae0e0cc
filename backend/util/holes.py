"""
Fills the holes that imports have left in Python's memory, before services are forked.

An object of up to 512 bytes lies in a pool of its size, and the next one of that size goes into a
hole of a pool that is in use. After a thousand imports there are holes on thousands of pages, and
each service would write into them: a page that is written to is no longer shared. With the holes
filled, what a service makes lies close together, on pages of its own.

Of CPython's small-object allocator this uses that sizes go in steps of 16 and that a new pool is
begun only when there is no hole. Where that is otherwise, less is saved, and nothing breaks.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import Final

_STEP: Final = 16
_LARGEST: Final = 512
_POOL_BYTES: Final = 16 * 1024
_POOL_HEAD_BYTES: Final = 48
#: No size has as many holes; where there are other rules, this ends it.
_MOST: Final = 20_000
#: The first of two digits of Python's long numbers: each takes 32 bytes.
_TWO_DIGITS: Final = 1 << 40

_filling: Final[list[object]] = []


def fill_holes() -> int:
    """Fill them for as long as this process lives; return how many bytes that took."""
    filled = 0
    for size in range(_STEP, _LARGEST + 1, _STEP):
        made = _holes_of(size)
        filled += len(made) * size
        _filling.append(made)
    return filled


def _holes_of(size: int) -> list[object]:
    """Return objects of *size* bytes, until there is no hole left for another."""
    makes = _maker(size)
    per_pool = (_POOL_BYTES - _POOL_HEAD_BYTES) // size
    made: list[object] = []
    # Addresses are numbers of 32 bytes themselves, and come between objects of that size.
    reach = 4 * size if size == 2 * _STEP else size
    fresh, last = 0, 0
    while fresh < per_pool * size // reach and len(made) < _MOST:
        one = next(makes)
        made.append(one)
        # One behind the other: a pool that nobody has used before.
        at = id(one)
        fresh = fresh + 1 if 0 < at - last <= reach else 1
        last = at
    # What lies in the new pool makes room again.
    del made[len(made) - fresh :]
    return made


def _maker(size: int) -> Iterator[object]:
    """Return what makes objects of exactly *size* bytes that no other object refers to."""
    if size == _STEP:
        return (object() for _ in repeat(None))
    if size == 2 * _STEP:
        return count(_TWO_DIGITS)
    length = size - sys.getsizeof(b"")
    make: Callable[[int], bytes] = bytes
    return (make(length) for _ in repeat(None))

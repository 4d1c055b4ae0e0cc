"""Where things lie in lists: what several list blocks share."""

from collections.abc import Sequence
from typing import Any


def place_of(items: Sequence[Any], index: int) -> int:
    """
    Return *index* counted from 0; negative ones count from the end.

    Raises:
        ValueError: If there is no such place.
    """
    if not -len(items) <= index < len(items):
        raise ValueError("Index out of range")
    return index % len(items)


def first_place_of(items: Sequence[Any], value: Any) -> int | None:
    """Return where *value* lies first; None if it is not there. In JSON, true is not 1."""
    for place, item in enumerate(items):
        if item == value and isinstance(item, bool) is isinstance(value, bool):
            return place
    return None

"""Makes large values of events small enough to send (spec/semantics.md 3.13).

Long texts and lists lose their middle. Nothing is copied to find out how much must go: one walk
tells the length of each text, and the limit follows from those.
"""

from collections.abc import Iterator
from typing import Any, Final

from backend.core import json

_LONGEST_TEXT: Final = 65_536
_SHORTEST_TEXT: Final = 8
#: Rather a shorter list than texts below this.
_READABLE_TEXT: Final = 256
_LIST_LIMITS: Final = (4096, 1024, 256, 64, 16, 4, 1)
#: What the note in the middle costs, and the punctuation around a value.
_NOTE_BYTES: Final = 40
_DEPTH: Final = 250


def truncated(value: Any, limit_bytes: int) -> Any:
    """
    Return *value* with long texts and lists cut in the middle, so that its JSON fits.

    Returns:
        *value* itself if it fits; None if it cannot be made to fit.
    """
    if len(json.dumps(value)) <= limit_bytes:
        return value
    budget = limit_bytes
    for _ in range(4):
        texts, items = _limits(value, budget)
        cut = _cut(value, texts, items)
        if len(json.dumps(cut)) <= limit_bytes:
            return cut
        budget //= 2  # texts that need escapes take more bytes than characters
    return None


def _limits(value: Any, budget: int) -> tuple[int, int]:
    """Return the longest text and the longest list that fit."""
    best = (_SHORTEST_TEXT, _LIST_LIMITS[-1])
    for items in _LIST_LIMITS:
        lengths: list[int] = []
        rest = sum(_sizes(value, items, lengths, 0))
        texts = _longest_text(lengths, budget - rest)
        if texts >= _READABLE_TEXT:
            return texts, items
        best = max(best, (texts, items))
    return best


def _longest_text(lengths: list[int], budget: int) -> int:
    """Return the limit at which texts of these *lengths* take no more than *budget* together."""
    lengths.sort()
    left = len(lengths)
    for length in lengths:
        fair = budget // left
        if length > fair:
            return max(_SHORTEST_TEXT, min(_LONGEST_TEXT, fair - _NOTE_BYTES))
        budget -= length
        left -= 1
    return _LONGEST_TEXT


def _sizes(value: Any, items: int, lengths: list[int], depth: int) -> Iterator[int]:
    """Yield about how many bytes everything but the texts takes; note the texts' *lengths*."""
    if isinstance(value, str):
        lengths.append(len(value) + 3)
    elif depth > _DEPTH:
        return
    elif isinstance(value, dict):
        for key, one in value.items():
            yield len(str(key)) + 4
            yield from _sizes(one, items, lengths, depth + 1)
    elif isinstance(value, list | tuple):
        yield _NOTE_BYTES
        for one in _ends(value, items):
            yield from _sizes(one, items, lengths, depth + 1)
    else:
        yield 24  # a number, true, false or null


def _cut(value: Any, texts: int, items: int) -> Any:
    if isinstance(value, str):
        gone = len(value) - texts
        if gone <= 0:
            return value
        head, tail = texts - texts // 2, texts // 2
        return f"{value[:head]}… (omitted {gone} chars)…{value[len(value) - tail :]}"
    if isinstance(value, dict):
        return {key: _cut(one, texts, items) for key, one in value.items()}
    if isinstance(value, list | tuple):
        gone = len(value) - items
        kept = [_cut(one, texts, items) for one in _ends(value, items)]
        if gone > 0:
            kept.insert(items - items // 2, f"… (omitted {gone} items)…")
        return kept
    return value


def _ends(value: list[Any] | tuple[Any, ...], items: int) -> list[Any]:
    if len(value) <= items:
        return list(value)
    return [*value[: items - items // 2], *value[len(value) - items // 2 :]]

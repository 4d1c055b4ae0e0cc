"""Eight ways to choose some of a list's records; each returns indices."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from backend.sdk import json_text


@dataclass(frozen=True, slots=True)
class Draw:
    """What is asked for: *size* of the *records*, at most as many as there are."""

    records: Sequence[Any]
    size: int
    key: str  #: for the methods that look into the records
    random: Random

    def groups(self) -> list[list[int]]:
        """Return the indices of the records by what lies under the key, as first seen."""
        found: dict[str, list[int]] = {}
        for index in range(len(self.records)):
            found.setdefault(json_text(self.value(index)), []).append(index)
        return list(found.values())

    def value(self, index: int) -> Any:
        """Return what lies under the key; None if nothing does."""
        record = self.records[index]
        if not isinstance(record, dict):
            raise ValueError(f"record {index} is a list: it has nothing under {self.key!r}")  # noqa: TRY004 - the values are people's
        return record.get(self.key)


def _random(draw: Draw) -> list[int]:
    return draw.random.sample(range(len(draw.records)), draw.size)


def _systematic(draw: Draw) -> list[int]:
    """Choose each n-th, beginning anywhere among the first n."""
    if not draw.size:
        return []
    step = len(draw.records) // draw.size
    start = draw.random.randrange(step)
    return [start + step * nth for nth in range(draw.size)]


def _top(draw: Draw) -> list[int]:
    return list(range(draw.size))


def _bottom(draw: Draw) -> list[int]:
    return list(range(len(draw.records) - draw.size, len(draw.records)))


def _stratified(draw: Draw) -> list[int]:
    """Give each group its share; what is left of the shares goes to the largest remainders."""
    groups = draw.groups()
    shares = [len(group) * draw.size / len(draw.records) for group in groups]
    quotas = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(groups)), key=lambda nth: quotas[nth] - shares[nth])
    for nth in by_remainder[: draw.size - sum(quotas)]:
        quotas[nth] += 1
    return [
        index
        for group, quota in zip(groups, quotas, strict=True)
        for index in draw.random.sample(group, quota)
    ]


def _weighted(draw: Draw) -> list[int]:
    """Choose with replacement, by the weights of the records."""
    weights = [_weight(draw, index) for index in range(len(draw.records))]
    total = math.fsum(weights)
    if not draw.size:
        return []
    if not 0 < total < math.inf:
        raise ValueError(f"the weights under {draw.key!r} are all zero, or too large")
    return draw.random.choices(range(len(draw.records)), weights, k=draw.size)


def _weight(draw: Draw, index: int) -> float:
    value = draw.value(index)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value < 0:
        raise ValueError(f"record {index} has no weight under {draw.key!r}: a number from 0")
    return float(value)


def _reservoir(draw: Draw) -> list[int]:
    """Keep the first ones; each later one takes the place of one of them by chance."""
    kept = list(range(draw.size))
    for index in range(draw.size, len(draw.records)):
        place = draw.random.randrange(index + 1)
        if place < draw.size:
            kept[place] = index
    return kept


def _cluster(draw: Draw) -> list[int]:
    """Take whole groups by chance until there are enough."""
    groups = draw.groups()
    draw.random.shuffle(groups)
    return [index for group in groups for index in group][: draw.size]


DRAWS: Final[Mapping[str, Callable[[Draw], list[int]]]] = {
    "random": _random,
    "systematic": _systematic,
    "top": _top,
    "bottom": _bottom,
    "stratified": _stratified,
    "weighted": _weighted,
    "reservoir": _reservoir,
    "cluster": _cluster,
}

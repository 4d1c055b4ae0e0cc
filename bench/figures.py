"""Small sums over measurements."""

import statistics
from collections.abc import Sequence


def spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the worst of *times_ms*."""
    ordered = sorted(times_ms)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 3),
        "worst_ms": round(ordered[-1], 3),
    }


def slope(values: Sequence[float]) -> float:
    """Return by how much *values* grow from one to the next, by least squares; 0 for fewer than 2."""
    if len(values) < 2:
        return 0.0
    middle = (len(values) - 1) / 2
    mean = statistics.mean(values)
    over = sum((number - middle) * (value - mean) for number, value in enumerate(values))
    return over / sum((number - middle) ** 2 for number in range(len(values)))

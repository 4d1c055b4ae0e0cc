"""The computer's clock, and ids of UUID version 7 (RFC 9562): time first, so that they sort."""

import os
import threading
import time
from typing import Final

_RANDOM_BITS: Final = 74
_STEP_BITS: Final = 32


class SystemClock:
    """
    What time it really is. One per process; any thread may ask.

    Ids of one clock only grow: within one millisecond, and while the computer's clock goes back,
    the next id is the last one plus a random step. The step is random so that an id does not
    betray its neighbours, and so that two processes that were one cannot walk in step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0  # 48 bits of milliseconds, then 74 random ones

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        return time.monotonic()

    def new_id(self) -> str:
        drawn = int.from_bytes(os.urandom(10)) >> 6
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | drawn
        with self._lock:
            if fresh >> _RANDOM_BITS <= self._last >> _RANDOM_BITS:
                fresh = self._last + 1 + (drawn >> (_RANDOM_BITS - _STEP_BITS))
            self._last = fresh
        return _as_uuid7(fresh)


def _as_uuid7(value: int) -> str:
    """Put version and variant between the 122 bits of *value*; keeps their order."""
    head = value >> _RANDOM_BITS
    high = value >> 62 & 0xFFF
    low = value & (1 << 62) - 1
    digits = f"{head:012x}7{high:03x}{1 << 63 | low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

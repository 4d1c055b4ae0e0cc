"""A clock that tests move."""

from typing import Final

_START_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class FakeClock:
    """Time stands still until it is told to pass; ids count up and sort."""

    def __init__(self, start_us: int = _START_US) -> None:
        self._now_us = start_us
        self._passed_us = 0
        self._ids = 0

    def now_us(self) -> int:
        """Return microseconds since the epoch, UTC."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Return seconds since this clock was made; setting the time does not touch them."""
        return self._passed_us / 1_000_000

    def new_id(self) -> str:
        """Return the next id: a UUID of version 7 that tells its number in its last digits."""
        self._ids += 1
        return f"00000000-0000-7000-8000-{self._ids:012x}"

    def pass_time(
        self,
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
        us: int = 0,
    ) -> None:
        """Let time pass, for both readings."""
        whole_s = seconds + 60 * (minutes + 60 * (hours + 24 * days))
        step_us = us + round(whole_s * 1_000_000)
        self._now_us += step_us
        self._passed_us += step_us

    def set_us(self, now_us: int) -> None:
        """Set the time of day, forwards or back, as an administrator or a time server does."""
        self._now_us = now_us

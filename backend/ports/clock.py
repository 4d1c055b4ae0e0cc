"""What time it is, and fresh ids: passed in, so that tests decide."""

from typing import Protocol


class Clock(Protocol):
    """The time, and ids that were never there before."""

    def now_us(self) -> int:
        """Return microseconds since the epoch, UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""

    def new_id(self) -> str:
        """Return a fresh UUID, text; later ones sort after earlier ones."""

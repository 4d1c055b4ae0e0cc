"""When what repeats is told again: at once, then after pauses that grow (pure)."""

from dataclasses import dataclass
from typing import Final

_SECOND_US: Final = 1_000_000
#: After the first time, the second, …; the last one stays.
PAUSES_US: Final = tuple(s * _SECOND_US for s in (60, 300, 1_800, 7_200, 86_400))
#: What has been quiet for so long begins anew.
QUIET_US: Final = 86_400 * _SECOND_US


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeat:
    """How often the same cause was told in a row, and when it was last."""

    told: int
    told_us: int

    @property
    def again_us(self) -> int:
        """Return from when on it may be told again."""
        return self.told_us + PAUSES_US[min(self.told, len(PAUSES_US)) - 1]

    def is_over(self, came_us: int) -> bool:
        """Say whether it had been quiet for so long, when it came again, that it begins anew."""
        return came_us >= self.told_us + QUIET_US


def told_at(before: Repeat | None, *, came_us: int, now_us: int) -> Repeat:
    """
    Return the row after something was told *now_us*.

    Args:
        came_us: When the oldest of what was told came.
    """
    if before is None or before.is_over(came_us):
        return Repeat(told=1, told_us=now_us)
    return Repeat(told=before.told + 1, told_us=now_us)

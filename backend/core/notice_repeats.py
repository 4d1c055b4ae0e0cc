"""When what repeats is told again: at once, then after pauses that grow (pure)."""

from dataclasses import dataclass
from typing import Final

from backend.core.records import NoticeRecord

_SECOND_US: Final = 1_000_000
#: After the first time, the second, …; the last one stays.
PAUSES_US: Final = tuple(s * _SECOND_US for s in (60, 300, 1_800, 7_200, 86_400))
#: What has been quiet for so long begins anew.
QUIET_US: Final = 86_400 * _SECOND_US


_CAUSE_CHARS: Final = 300
#: Runs that went well: who wants to hear of them does so again and again.
_WENT_WELL: Final = "done:"


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


def cause_in_chats(notice: NoticeRecord) -> str:
    """Return what counts as the same thing again in a chat; empty: *notice* is told by itself."""
    if notice.cause:
        return notice.cause[:_CAUSE_CHARS]
    graph_id, status = notice.data.get("graph_id"), notice.data.get("status")
    if notice.type != "AGENT_RUN" or not graph_id:
        return ""
    has_failed = bool(notice.data.get("node_error_count"))
    if status == "COMPLETED" and not has_failed:
        return f"{_WENT_WELL}{graph_id}"[:_CAUSE_CHARS]
    return f"run:{graph_id}:{status}"[:_CAUSE_CHARS]


def told_in_chats(before: Repeat | None, cause: str, *, came_us: int, now_us: int) -> Repeat:
    """Return what `told_at` does; after runs that went well the pauses do not grow."""
    is_news = cause.startswith(_WENT_WELL)
    return told_at(None if is_news else before, came_us=came_us, now_us=now_us)

"""Summaries of a day, a week or a month: for which period, from when on, and what they say (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from backend.core.ids import UserId
from backend.core.notices import NoticeType
from backend.core.records import NoticeRecord

#: By the clock of whoever gets it.
HOUR: Final = 9
#: So many days after it was due a summary is made no more.
LATE: Final = timedelta(days=3)
KINDS: Final = (
    NoticeType.DAILY_SUMMARY,
    NoticeType.WEEKLY_SUMMARY,
    NoticeType.MONTHLY_SUMMARY,
)
#: Agents that are named with their credits.
MOST_AGENTS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Days, of some time zone, that are over. *until* is the first day after them."""

    kind: NoticeType
    since: date
    until: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """Return the midnight with which it begins."""
        return datetime.combine(self.since, time(), self.zone)

    @property
    def end(self) -> datetime:
        """Return the midnight with which it ends."""
        return datetime.combine(self.until, time(), self.zone)

    @property
    def words(self) -> str:
        """Return it as people say it."""
        first, last = self.since, self.until - timedelta(days=1)
        if self.kind is NoticeType.DAILY_SUMMARY:
            return f"{first.day} {first:%B %Y}"
        if self.kind is NoticeType.MONTHLY_SUMMARY:
            return f"{first:%B %Y}"
        if first.year != last.year:
            return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"
        if first.month != last.month:
            return f"{first.day} {first:%B} to {last.day} {last:%B %Y}"
        return f"{first.day} to {last.day} {last:%B %Y}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTotals:
    """
    What the runs of somebody in a period came to.

    Attributes:
        time_s: The time from begin to end, of all of them.
        credits_by_agent: Of those that took most, by name.
    """

    runs: int
    completed: int
    failed: int
    time_s: float
    credits: int
    most_used: str
    credits_by_agent: Mapping[str, int]


def due_period(kind: NoticeType, zone: ZoneInfo, *, now_us: int) -> Period | None:
    """
    Return the last period of *kind* if its summary is due, or was in the last three days.

    It is due at nine, by the clock of *zone*, on the day after: of a week on Monday, of a month on
    its first. A server that was away makes it later; after three days nobody waits for it.
    """
    now = datetime.fromtimestamp(now_us / 1_000_000, UTC).astimezone(zone)
    # Before nine it is still the day before, as far as summaries go.
    today = now.date() if now.hour >= HOUR else now.date() - timedelta(days=1)
    match kind:
        case NoticeType.DAILY_SUMMARY:
            since, until = today - timedelta(days=1), today
        case NoticeType.WEEKLY_SUMMARY:
            until = today - timedelta(days=today.weekday())
            since = until - timedelta(days=7)
        case NoticeType.MONTHLY_SUMMARY:
            until = today.replace(day=1)
            since = (until - timedelta(days=1)).replace(day=1)
        case _:
            return None
    if today - until >= LATE:
        return None
    return Period(kind=kind, since=since, until=until, zone=zone)


def summary_id(user_id: UserId, period: Period) -> str:
    """Return the id of the notice: made twice, it is one."""
    return f"summary:{user_id}:{period.kind.value}:{period.since.isoformat()}"


def summary(user_id: UserId, period: Period, totals: RunTotals, *, now_us: int) -> NoticeRecord:
    """Return the notice of what somebody's runs of *period* came to."""
    average_s = totals.time_s / totals.runs if totals.runs else 0.0
    return NoticeRecord(
        id=summary_id(user_id, period),
        user_id=user_id,
        type=period.kind.value,
        data={
            "period": period.words,
            "start_date": period.start.isoformat(),
            "end_date": period.end.isoformat(),
            "total_credits_used": totals.credits,
            "total_executions": totals.runs,
            "most_used_agent": totals.most_used,
            "total_execution_time": round(totals.time_s, 3),
            "successful_runs": totals.completed,
            "failed_runs": totals.failed,
            "average_execution_time": round(average_s, 3),
            "cost_breakdown": dict(totals.credits_by_agent),
        },
        created_us=now_us,
        next_us=now_us,
    )

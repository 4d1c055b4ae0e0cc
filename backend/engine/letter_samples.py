"""Notices as they might be, for whoever wants to see what letters look like."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from backend.core.ids import UserId
from backend.core.notices import About, NoticeType, agent_failed, block_failed, schedule_paused
from backend.core.operator_notices import Refund, Review, refund, reviewed
from backend.core.records import NoticeRecord
from backend.core.summaries import Period, RunTotals, summary

_ANN: Final = UserId("3e53486c-cf57-477e-ba2a-cb02dc828e1a")
_RUN: Final = "0b7c41f0-6f0b-4f44-9d58-4d1d2a4a9b10"
_LINK: Final = "https://agents.example/runs"


def samples(kind: NoticeType, *, now_us: int) -> Sequence[NoticeRecord]:
    """Return notices of *kind* that a letter could be about."""
    about = About(
        user_id=_ANN,
        agent_name="Morning news",
        graph_id="5e0f9a0e-93c5-4f0f-8a51-0b9c5f3d2a77",
        run_id=_RUN,
        link=_LINK,
        now_us=now_us,
    )
    match kind:
        case NoticeType.AGENT_RUN:
            return _runs(now_us)
        case NoticeType.BLOCK_EXECUTION_FAILED:
            error = "the server news.example could not be reached: connection refused"
            return [block_failed(about, key="1", block_name="ReadRss", node_id=_RUN, error=error)]
        case NoticeType.CONTINUOUS_AGENT_ERROR:
            return _problems(about)
        case NoticeType.LOW_BALANCE | NoticeType.ZERO_BALANCE:
            return [_notice(kind, _BALANCE, now_us)]
        case NoticeType.DAILY_SUMMARY | NoticeType.WEEKLY_SUMMARY | NoticeType.MONTHLY_SUMMARY:
            return [_summary(kind, now_us)]
        case _:
            return [_of_others(kind, now_us)]


def _of_others(kind: NoticeType, now_us: int) -> NoticeRecord:
    match kind:
        case NoticeType.REFUND_REQUEST:
            return refund(_REFUND, stage="request", now_us=now_us)
        case NoticeType.REFUND_PROCESSED:
            return refund(_REFUND, stage="processed", now_us=now_us)
        case NoticeType.AGENT_APPROVED:
            return reviewed(_REVIEW, outcome="approved", now_us=now_us)
        case _:
            return reviewed(_REVIEW, outcome="rejected", now_us=now_us)


def _runs(now_us: int) -> list[NoticeRecord]:
    common = {"graph_exec_id": _RUN, "execution_time": 93.204, "node_count": 7, "credits_used": 4}
    good = {
        **common,
        "agent_name": "Morning news",
        "status": "COMPLETED",
        "outputs": [{"headline": ["Rain until noon, then sun"]}, {"articles": [12]}],
    }
    bad = {
        **common,
        "agent_name": "Weekly report",
        "status": "FAILED",
        "node_error_count": 1,
        "error": "the mail server refused the login",
        "outputs": [],
    }
    return [_notice(NoticeType.AGENT_RUN, data, now_us) for data in (good, bad)]


def _problems(about: About) -> list[NoticeRecord]:
    rule, error = "3 runs in a row failed", "the model answered with 503: overloaded"
    reason = "it failed 5 times in a row"
    remedy = "mend the agent, then resume the schedule with `agpt schedule resume`"
    return [
        agent_failed(about, key="1", rule=rule, error=error, count=3),
        schedule_paused(
            about,
            key="1",
            schedule_id="s",
            schedule_name="every morning",
            reason=reason,
            remedy=remedy,
        ),
        schedule_paused(
            about,
            key="2",
            schedule_id="w",
            schedule_name="invoices",
            reason="the folder invoices/2026 is not there any more",
            remedy="mend what it watches, then turn the trigger off and on again",
            what="watch",
        ),
    ]


def _summary(kind: NoticeType, now_us: int) -> NoticeRecord:
    since, until = {
        NoticeType.DAILY_SUMMARY: (date(2026, 11, 26), date(2026, 11, 27)),
        NoticeType.WEEKLY_SUMMARY: (date(2026, 11, 16), date(2026, 11, 23)),
        NoticeType.MONTHLY_SUMMARY: (date(2026, 10, 1), date(2026, 11, 1)),
    }[kind]
    totals = RunTotals(
        runs=148,
        completed=143,
        failed=5,
        time_s=9_412.5,
        credits=611,
        most_used="Morning news",
        credits_by_agent={"Morning news": 402, "Weekly report": 180, "Inbox sorter": 29},
    )
    period = Period(kind=kind, since=since, until=until, zone=ZoneInfo("UTC"))
    return summary(_ANN, period, totals, now_us=now_us)


def _notice(kind: NoticeType, data: Mapping[str, object], now_us: int) -> NoticeRecord:
    return NoticeRecord(
        id=f"sample:{kind.value}", user_id=_ANN, type=kind.value, data=data, created_us=now_us
    )


_BALANCE: Final = {
    "agent_name": "Morning news",
    "current_balance": 12,
    "shortfall": 30,
    "billing_page_link": "https://agents.example/profile/credits",
}
_REFUND: Final = Refund(
    user_id=_ANN,
    user_name="Ann Example",
    user_email="ann@agents.example",
    transaction_id="pi_3Q0000000000000000000000",
    refund_request_id="b1d4f7c2-6a43-4b1f-9b62-0a5f0c1d2e3f",
    reason="bought twice by mistake",
    amount=1_500,
    balance=2_300,
)
_REVIEW: Final = Review(
    user_id=_ANN,
    agent_name="Morning news",
    agent_id="5e0f9a0e-93c5-4f0f-8a51-0b9c5f3d2a77",
    agent_version=3,
    reviewer_name="Rob Reviewer",
    reviewer_email="rob@agents.example",
    comments="Clear, and it does what it says.\nPlease say in the description which feeds it reads.",
    reviewed_at="2026-11-26T10:00:00+00:00",
    url="https://agents.example/marketplace/morning-news",
)

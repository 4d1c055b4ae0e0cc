"""Notices of refunds and of the marketplace's reviews. Nothing of this server makes them yet."""

from dataclasses import dataclass
from typing import Literal

from backend.core.ids import UserId
from backend.core.notices import NoticeType
from backend.core.records import NoticeRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Refund:
    """A refund that somebody wants, or got. *amount* and *balance*: in cents."""

    user_id: UserId
    user_name: str
    user_email: str
    transaction_id: str
    refund_request_id: str
    reason: str
    amount: int
    balance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """
    What a reviewer said of an agent that was submitted to the marketplace.

    Attributes:
        reviewed_at: ISO 8601, with its offset.
        url: Of an approved one, where it is shown; of a rejected one, where it is submitted again.
    """

    user_id: UserId
    agent_name: str
    agent_id: str
    agent_version: int
    reviewer_name: str
    reviewer_email: str
    comments: str
    reviewed_at: str
    url: str


def refund(refund: Refund, *, stage: Literal["request", "processed"], now_us: int) -> NoticeRecord:
    """Return the notice, to the operator, that a refund is wanted, or was paid."""
    kind = NoticeType.REFUND_REQUEST if stage == "request" else NoticeType.REFUND_PROCESSED
    return NoticeRecord(
        id=f"refund_{stage}:{refund.refund_request_id}",
        user_id=refund.user_id,
        type=kind.value,
        data={
            "user_id": refund.user_id,
            "user_name": refund.user_name,
            "user_email": refund.user_email,
            "transaction_id": refund.transaction_id,
            "refund_request_id": refund.refund_request_id,
            "reason": refund.reason,
            "amount": refund.amount,
            "balance": refund.balance,
        },
        created_us=now_us,
        next_us=now_us,
    )


def reviewed(
    review: Review, *, outcome: Literal["approved", "rejected"], now_us: int
) -> NoticeRecord:
    """Return the notice that an agent was taken into the marketplace, or was not."""
    is_approved = outcome == "approved"
    kind = NoticeType.AGENT_APPROVED if is_approved else NoticeType.AGENT_REJECTED
    return NoticeRecord(
        id=f"agent_{outcome}:{review.agent_id}:{review.agent_version}:{review.reviewed_at}",
        user_id=review.user_id,
        type=kind.value,
        data={
            "agent_name": review.agent_name,
            "agent_id": review.agent_id,
            "agent_version": review.agent_version,
            "reviewer_name": review.reviewer_name,
            "reviewer_email": review.reviewer_email,
            "comments": review.comments,
            "reviewed_at": review.reviewed_at,
            ("store_url" if is_approved else "resubmit_url"): review.url,
        },
        created_us=now_us,
        next_us=now_us,
    )

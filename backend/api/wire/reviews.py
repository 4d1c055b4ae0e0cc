"""Human reviews on the wire (spec/contract.md 13)."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field

from backend.api.wire.text import Id, LongText
from backend.api.wire.times import iso, iso_or_none
from backend.core import json
from backend.core.ids import NodeExecutionId
from backend.core.reviews import Answer, ReviewRecord
from backend.services.reviews import Answered

MAX_MESSAGE: Final = 2_000
MAX_DATA: Final = 1_000_000  #: characters, as JSON
MAX_DATA_DEPTH: Final = 10
#: A run has no more nodes that wait at once.
MAX_REVIEWS: Final = 1_000


def _bounded(value: Any) -> Any:
    if json.depth_over(value, MAX_DATA_DEPTH):
        raise ValueError(f"must not be nested deeper than {MAX_DATA_DEPTH} levels")
    if len(json.text(value)) > MAX_DATA:
        raise ValueError(f"must have at most {MAX_DATA} characters as JSON")
    return value


def _none_if_blank(value: str | None) -> str | None:
    return None if value is None or not value.strip() else value


Data = Annotated[
    dict[str, Any] | list[Any] | str | int | float | bool | None, AfterValidator(_bounded)
]
Message = Annotated[LongText, Field(max_length=MAX_MESSAGE)] | None


class ReviewItem(BaseModel):
    """The decision about one question."""

    node_exec_id: Id
    approved: bool
    message: Annotated[Message, AfterValidator(_none_if_blank)] = None
    reviewed_data: Data = None
    auto_approve_future: bool = False


def _not_twice(items: list[ReviewItem]) -> list[ReviewItem]:
    if len({item.node_exec_id for item in items}) < len(items):
        raise ValueError("must not name a node_exec_id twice")
    return items


class ReviewRequest(BaseModel):
    """Decisions about questions of one run."""

    reviews: Annotated[
        list[ReviewItem],
        Field(min_length=1, max_length=MAX_REVIEWS),
        AfterValidator(_not_twice),
    ]

    def answers(self) -> list[Answer]:
        """Return them as answers; data that is null changes nothing."""
        return [
            Answer(
                node_exec_id=NodeExecutionId(item.node_exec_id),
                approved=item.approved,
                message=item.message,
                edited=item.reviewed_data is not None,
                payload=item.reviewed_data,
                approve_further=item.auto_approve_future,
            )
            for item in self.reviews
        ]


def review_response(answered: Answered) -> dict[str, Any]:
    """Return what became of a request: ``ReviewResponse``. All of it is saved, or nothing."""
    return {
        "approved_count": answered.approved,
        "rejected_count": answered.rejected,
        "failed_count": 0,
        "error": None,
    }


def pending_review(review: ReviewRecord) -> dict[str, Any]:
    """Return a question: ``PendingHumanReviewModel``."""
    return {
        "node_exec_id": review.node_exec_id,
        "node_id": review.node_id,
        "user_id": review.user_id,
        "graph_exec_id": review.run_id,
        "graph_id": review.graph_id,
        "graph_version": review.graph_version,
        "payload": review.payload,
        "instructions": review.instructions,
        "editable": review.editable,
        "status": review.status.value,
        "review_message": review.message,
        "was_edited": review.was_edited,
        "processed": review.processed,
        "created_at": iso(review.created_us),
        "updated_at": iso_or_none(review.updated_us),
        "reviewed_at": iso_or_none(review.reviewed_us),
    }

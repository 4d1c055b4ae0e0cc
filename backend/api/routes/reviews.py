"""Human reviews: what waits for a person, and what was decided (spec/contract.md 13)."""

from typing import Annotated, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import reviews as wire
from backend.core.ids import ExecutionId
from backend.services.audit import add_facts

#: Nobody has so many open questions.
_LAST_PAGE: Final = 10_000_000
_TAGS: Final = ("v2", "executions", "review")


def add_review_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        f"{PREFIX}/review/pending",
        list_pending,
        operation="getV2Get pending reviews",
        tags=_TAGS,
    )
    routes.add(
        "GET",
        f"{PREFIX}/review/execution/{{graph_exec_id}}",
        list_pending_of_execution,
        operation="getV2Get pending reviews for execution",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        f"{PREFIX}/review/action",
        decide,
        operation="postV2ProcessReviewAction",
        tags=_TAGS,
        audit=Audited("decide", "run"),
    )


async def list_pending(
    request: Request,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 25,
) -> Response:
    """Return a page of what waits for the caller, newest first."""
    found = await context_of(request).reviews.waiting(
        caller_of(request).user_id, page=min(page, _LAST_PAGE), page_size=page_size
    )
    return answer([wire.pending_review(review) for review in found])


async def list_pending_of_execution(request: Request, graph_exec_id: str) -> Response:
    """Return what of a run waits for the caller, oldest first."""
    found = await context_of(request).reviews.of_run(
        caller_of(request).user_id, ExecutionId(graph_exec_id)
    )
    return answer([wire.pending_review(review) for review in found])


async def decide(request: Request, body: wire.ReviewRequest) -> Response:
    """Save decisions, all or none; the run goes on when none is left to take."""
    approved = sum(item.approved for item in body.reviews)
    add_facts(approved=approved, rejected=len(body.reviews) - approved)
    answered = await context_of(request).reviews.answer(caller_of(request).user_id, body.answers())
    return answer(wire.review_response(answered))

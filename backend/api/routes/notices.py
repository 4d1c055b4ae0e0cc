"""The queue of notices, and what letters look like, for administrators. Ours, beside the contract."""

import asyncio
from typing import Annotated, Final, Literal

from fastapi import Query, Request, Response
from starlette.responses import HTMLResponse, PlainTextResponse

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import context_of
from backend.api.routing import PREFIX, AdminRoute, Routes
from backend.api.wire.notices import RetryNotices, notice_form
from backend.core.errors import BadRequest
from backend.core.notices import NoticeType
from backend.core.records import NoticeStatus
from backend.services.audit import name_object
from backend.services.notices import MAX_PAGE, NoticeQuery

_PATH: Final = f"{PREFIX}/admin/notices"
_TAGS: Final = ("v1", "admin", "notices")
_TEXT: Final = Query(max_length=200)


def add_notice_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        _PATH,
        list_notices,
        operation="getV1List notices",
        tags=_TAGS,
        route_class=AdminRoute,
    )
    routes.add(
        "POST",
        f"{_PATH}/retry",
        retry_notices,
        operation="postV1Retry notices",
        tags=_TAGS,
        route_class=AdminRoute,
        audit=Audited("retry", "notice"),
    )
    # For people, who look at it with a browser; no program reads it.
    routes.add(
        "GET",
        f"{_PATH}/preview/{{notice_type}}",
        preview_notice,
        operation=None,
        tags=_TAGS,
        route_class=AdminRoute,
    )


async def list_notices(
    request: Request,
    *,
    status: NoticeStatus | None = None,
    type: NoticeType | None = None,  # noqa: A002 - the name on the wire
    user_id: Annotated[str, _TEXT] = "",
    before: Annotated[str, Query(max_length=1_100)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 100,
) -> Response:
    """Return notices, newest first; *before* is where the last page ended."""
    query = NoticeQuery(
        status=status,
        type=type or "",
        user_id=user_id,
        before=_place(before) if before else None,
        limit=limit,
    )
    found = await context_of(request).notices.queue.listed(query)
    more = f"{found[-1].created_us}.{found[-1].id}" if len(found) == limit else None
    return answer({"notices": [notice_form(one) for one in found], "next_before": more})


async def retry_notices(request: Request, body: RetryNotices) -> Response:
    """Send notices again that were given up or dropped."""
    name_object(body.notice_id or "all")
    return answer({"queued": await context_of(request).notices.queue.retry(body.notice_id)})


async def preview_notice(
    request: Request,
    notice_type: NoticeType,
    *,
    format: Literal["html", "text", "eml"] = "html",  # noqa: A002 - the name on the wire
) -> Response:
    """Show a letter of a kind, about made-up things."""
    context = context_of(request)
    # A thread: whoever has written the template may let it work for seconds.
    letter = await asyncio.to_thread(context.notices.queue.preview, notice_type)
    if format == "html":
        return HTMLResponse(letter.html)
    if format == "text":
        return PlainTextResponse(f"Subject: {letter.subject}\n\n{letter.text}")
    return Response(context.notices.queue.message(letter), media_type="message/rfc822")


def _place(before: str) -> tuple[int, str]:
    at, _, id_ = before.partition(".")
    if not at.isdigit() or len(at) > 18:  # noqa: PLR2004 - more digits are no 64-bit number
        raise BadRequest("before is no place in the list: take next_before of an answer")
    return int(at), id_

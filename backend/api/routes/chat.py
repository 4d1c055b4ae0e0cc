"""Sessions of the copilot (spec/contract.md 6 and 17)."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import Query, Request, Response
from starlette.responses import StreamingResponse

from backend.api.answers import answer
from backend.api.auditing import NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routes.executions import idempotency_key
from backend.api.routing import PREFIX, Routes
from backend.api.wire import chat as wire
from backend.core.chat import ChatId
from backend.core.chat_frames import NO_KEY, Frame, refused
from backend.core.errors import NotConfigured
from backend.core.ids import ExecutionId

_SESSIONS: Final = f"{PREFIX}/chat/sessions"
_ONE: Final = f"{_SESSIONS}/{{session_id}}"
_TAGS: Final = ("v2", "chat")
#: No list is so long.
_LAST: Final = 10_000_000
#: A session is a record of its own, of words. What the copilot changes for somebody is recorded
#: where it is done.
_WORDS: Final = NotAudited("a session is its own record")


def add_chat_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", _SESSIONS, list_sessions, operation="getV2ListSessions", tags=_TAGS)
    routes.add(
        "POST",
        _SESSIONS,
        create_session,
        operation="postV2CreateSession",
        tags=_TAGS,
        audit=_WORDS,
    )
    routes.add("GET", _ONE, get_session, operation="getV2GetSession", tags=_TAGS)
    routes.add(
        "POST",
        f"{_ONE}/stream",
        stream_answer,
        operation="postV2StreamChatPost",
        tags=_TAGS,
        audit=_WORDS,
    )


async def list_sessions(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Return the caller's sessions, last changed first."""
    found, total = await context_of(request).chats.listed(
        caller_of(request).user_id, skip=min(offset, _LAST), most=limit
    )
    return answer({"sessions": [wire.summary(chat) for chat in found], "total": total})


async def create_session(request: Request) -> Response:
    """Begin a session, and return it."""
    return answer(wire.created(await context_of(request).chats.create(caller_of(request).user_id)))


async def get_session(request: Request, session_id: str) -> Response:
    """Return a session with all that was said."""
    found = await context_of(request).chats.get(caller_of(request).user_id, ChatId(session_id))
    return answer(wire.detail(*found))


async def stream_answer(
    request: Request,
    session_id: str,
    body: wire.StreamChatRequest,
) -> Response:
    """
    Take a message, and stream what is answered.

    The same Idempotency-Key begins one turn, and is told of it from its beginning each time.
    """
    chats, user_id = context_of(request).chats, caller_of(request).user_id
    try:
        turn = await chats.ask(
            user_id,
            ChatId(session_id),
            body.message,
            is_user=body.is_user_message,
            key=idempotency_key(request),
        )
    except NotConfigured as exc:
        # Clients of the contract look for what went wrong in the stream.
        return _streamed(_told(refused(ExecutionId(session_id), str(exc), NO_KEY)))
    # By these, a turn is stopped like any run.
    run = {"X-Graph-Id": turn.run.graph_id, "X-Graph-Exec-Id": turn.run.id}
    return _streamed(chats.frames(user_id, turn), run)


def _streamed(
    frames: AsyncIterator[Frame | None], headers: dict[str, str] | None = None
) -> Response:
    return StreamingResponse(
        wire.events(frames),
        media_type="text/event-stream",
        headers={**wire.HEADERS, **(headers or {})},
    )


async def _told(frames: list[Frame]) -> AsyncIterator[Frame | None]:
    for frame in frames:
        yield frame

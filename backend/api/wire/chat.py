"""Sessions of the copilot on the wire, and the frames of a turn as server-sent events."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic import BaseModel

from backend.api.wire.times import iso
from backend.core import json
from backend.core.chat import Chat, ChatMessage
from backend.core.chat_frames import Frame

Values = dict[str, Any]

#: What the contract's clients look for in the answer (spec/contract.md 17).
HEADERS = {"x-vercel-ai-ui-message-stream": "v1", "X-Accel-Buffering": "no"}
_HEARTBEAT = b": heartbeat\n\n"
_DONE = b"data: [DONE]\n\n"


class StreamChatRequest(BaseModel):
    """
    What is said in a session.

    Attributes:
        context: Accepted, and of no effect (spec/contract.md 6).
    """

    message: str
    is_user_message: bool = True
    context: dict[str, str] | None = None


def created(chat: Chat) -> Values:
    """Return a session that has just begun."""
    return {"id": chat.id, "created_at": iso(chat.created_us), "user_id": chat.user_id}


def summary(chat: Chat) -> Values:
    """Return a session as lists show it."""
    return {
        "id": chat.id,
        "created_at": iso(chat.created_us),
        "updated_at": iso(chat.updated_us),
        "title": chat.title,
    }


def detail(chat: Chat, messages: Sequence[ChatMessage]) -> Values:
    """Return a session with what was said, in OpenAI's shape."""
    return {
        **created(chat),
        "updated_at": iso(chat.updated_us),
        "messages": [message.body for message in messages],
    }


async def events(frames: AsyncIterator[Frame | None]) -> AsyncIterator[bytes]:
    """Yield *frames* as server-sent events, a comment for each heartbeat, and what ends them."""
    async for frame in frames:
        yield _HEARTBEAT if frame is None else b"data: " + json.dumps(frame) + b"\n\n"
    yield _DONE

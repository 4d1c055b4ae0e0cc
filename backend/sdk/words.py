"""What a service says about its refusal: its own words, found, cut and cleaned."""

import json
from typing import Any, Final

from backend.ports.web import WebResponse

MOST_CHARS: Final = 300
#: A larger answer is no explanation, and is not searched for one.
_MOST_BYTES: Final = 64 * 1024
_MOST_DEPTH: Final = 4
_MOST_PARTS: Final = 3
#: Where services put their words, the most telling first.
_NAMES: Final = (
    "message", "error_message", "error_description", "errorMessage", "detail", "details",
    "description", "status_message", "readableMessage", "title", "reason", "error", "errors",
    "code", "msg",
)  # fmt: skip


def words_of(answer: WebResponse) -> str:
    """
    Return what *answer* says, in one line of at most `MOST_CHARS` characters; empty if nothing.

    Of JSON the member that holds the message, of plain text all. A page of HTML is made for
    people in front of a browser, and says nothing here.
    """
    if len(answer.content) > _MOST_BYTES:
        return ""
    media_type = (answer.header("content-type") or "").lower()
    try:
        return _line(_told(json.loads(answer.content), 0))
    except (ValueError, RecursionError):
        return _line(answer.text()) if media_type.startswith("text/plain") else ""


def _told(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if depth >= _MOST_DEPTH:
        return ""
    if isinstance(value, list):
        parts = [_told(each, depth + 1) for each in value[:_MOST_PARTS]]
        return "; ".join(part for part in parts if part)
    if not isinstance(value, dict):
        return ""
    found = (_told(value[name], depth + 1) for name in _NAMES if name in value)
    return next((text for text in found if text.strip()), "")


def _line(text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * MOST_CHARS])
    line = " ".join(shown.split())
    return line if len(line) <= MOST_CHARS else f"{line[: MOST_CHARS - 1]}…"

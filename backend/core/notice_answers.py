"""What the answer of a service to a message means: delivered, later, or never (pure)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias

from backend.core import json
from backend.core.json import NotJson
from backend.core.notice_words import plain

_SAID_CHARS: Final = 200
_OK: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_GONE: Final = 410
#: Refusals that time may heal: time-out, too early, too many.
_LATER: Final = frozenset({408, 425, 429})
_FIRST_SERVER_ERROR: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """The service has it."""

    status: int
    said: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """It may work another time; *after_s* is what the service asks for."""

    said: str
    status: int | None = None
    after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """It never will; with *gone*, nor will any other message."""

    said: str
    status: int | None = None
    gone: bool = False


Outcome: TypeAlias = Delivered | Later | Refused


def outcome_of(
    status: int,
    header: Callable[[str], str | None],
    content: bytes,
    *,
    now_s: float,
    clean: Callable[[str], str],
) -> Outcome:
    """
    Return what an answer means.

    Args:
        header: Returns a header by its name.
        now_s: Retry-After may be a date.
        clean: Takes secrets out of what the service says.
    """
    said = plain(clean(content[:8_000].decode("utf-8", "replace")), _SAID_CHARS)
    if status in _OK:
        return Delivered(status=status, said=said)
    why = f"{status}: {said}" if said else f"{status}"
    if status in _REDIRECT:
        return Refused(
            status=status, said=f"{status}: the address leads elsewhere; name the last one"
        )
    if status in _LATER or status >= _FIRST_SERVER_ERROR:
        after_s = _after_s(header("retry-after"), content, now_s)
        return Later(status=status, said=why, after_s=after_s)
    return Refused(status=status, said=why, gone=status == _GONE)


def _after_s(given: str | None, content: bytes, now_s: float) -> float | None:
    """Return the pause that a service asks for, in its header or, as chats do, in its body."""
    in_body = _in_body(content)
    if in_body is not None:
        return in_body
    if given is None:
        return None
    if _NUMBER.fullmatch(given.strip()):
        return float(given)
    try:
        moment = parsedate_to_datetime(given)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def _in_body(content: bytes) -> float | None:
    try:
        value: Any = json.loads(content[:8_000])
    except NotJson:
        return None
    if not isinstance(value, dict):
        return None
    more = value.get("parameters")
    found = value.get("retry_after", more.get("retry_after") if isinstance(more, dict) else None)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    return float(found) if found >= 0 else None

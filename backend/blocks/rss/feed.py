"""What a feed says, read by feedparser in a worker process. It is given bytes and fetches nothing."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

MAX_ENTRIES: Final = 1_000
_MAX_CHARS: Final = 100_000  #: of one text of an entry
_ENTITY: Final = re.compile(rb"<!\s*ENTITY", re.IGNORECASE)


def entries_of(text: str) -> list[dict[str, Any]]:
    """
    Return the entries of a feed, in its own order, `MAX_ENTRIES` at the most.

    Each is as the block's pins have it, and has its name in the feed as ``id``; ``pub_date`` is
    empty where the feed does not say.

    Raises:
        ValueError: If *text* is no feed.
    """
    import feedparser  # noqa: PLC0415 - heavy

    content = text.encode("utf-8", "replace")
    if _ENTITY.search(content):
        raise ValueError("a feed that defines entities is refused")
    # As a file: of plain bytes the parser asks first whether they are the name of one.
    feed = feedparser.parse(
        io.BytesIO(content), response_headers={"content-type": "text/xml; charset=utf-8"}
    )
    if not feed.get("version") and not feed.get("entries"):
        raise ValueError("there is no feed at this address")
    return [_entry(entry) for entry in feed["entries"][:MAX_ENTRIES]]


def _entry(entry: Any) -> dict[str, Any]:
    at = entry.get("published_parsed") or entry.get("updated_parsed")
    link, title = _text(entry, "link"), _text(entry, "title")
    return {
        "id": _text(entry, "id") or link or title,
        "title": title,
        "link": link,
        "description": _text(entry, "summary"),
        "pub_date": _moment(at) if at else "",
        "author": _text(entry, "author"),
        "categories": [str(tag["term"]) for tag in entry.get("tags", ()) if tag.get("term")],
    }


def _moment(at: Sequence[int]) -> str:
    year, month, day, hour, minute, second = at[:6]
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).isoformat()


def _text(entry: Any, name: str) -> str:
    value = entry.get(name)
    return value[:_MAX_CHARS] if isinstance(value, str) else ""

"""ReadRSSFeed: what is new in a feed, once or again and again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from backend.blocks.rss.feed import entries_of
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    WebClientError,
    WebLimits,
    WebServerError,
    pin,
    pins,
)

_FEED: Final = WebLimits(timeout_s=30.0, max_bytes=4 * 1024 * 1024)
_MOST_POLLS: Final = 10_000
_LONGEST: Final = timedelta(hours=23)
_NEW: Final = {
    "title": "New & good",
    "link": "https://example.com/new",
    "description": "About new",
    "pub_date": "2026-01-31T12:37:00+00:00",
    "author": "ann@example.com",
    "categories": ["a", "b"],
}
_ENTRY: Final[dict[str, Any]] = {
    "properties": {
        "title": {"title": "Title", "type": "string"},
        "link": {"title": "Link", "type": "string"},
        "description": {"title": "Description", "type": "string"},
        "pub_date": {"format": "date-time", "title": "Pub Date", "type": "string"},
        "author": {"title": "Author", "type": "string"},
        "categories": {"items": {"type": "string"}, "title": "Categories", "type": "array"},
    },
    "required": ["title", "link", "description", "pub_date", "author", "categories"],
    "type": "object",
}


class ReadRSSFeedBlock(Block):
    """
    Reads the entries of a feed, RSS or Atom, that are not older than a time.

    Each entry comes once; all new ones of a look come as a list, too. When it runs continuously it
    looks again and again, for 23 hours at the most.
    """

    id = "5ebe6768-8e5d-41e3-9134-1c7bd89a8d52"
    categories = (Category.INPUT,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={
                "rss_url": "https://example.com/feed.xml",
                "polling_rate": 300,
                "run_continuously": False,
            },
            outputs=[("entry", _NEW), ("entries", [_NEW])],
        ),
        Example(
            inputs={
                "rss_url": "https://example.com/page",
                "polling_rate": 300,
                "run_continuously": False,
            },
            error="no feed",
        ),
    )
    #: Nobody's server is asked more often, whatever the pin says.
    soonest_s: ClassVar[float] = 10.0

    @pins
    class Input:
        """Input pins."""

        rss_url: str = pin(description="The address of the feed.")
        time_period: int = pin(
            default=1440, description="Minutes before now; what is older is left out."
        )
        polling_rate: int = pin(description="Seconds between two looks, 10 at the least.")
        run_continuously: bool = pin(default=True, description="Look again and again.")

    @pins
    class Output:
        """Output pins."""

        entry: dict[str, Any] = pin(title="RSSEntry", description="One entry.", schema=_ENTRY)
        entries: list[Any] = pin(
            description="All new entries of one look.",
            schema={"items": {**_ENTRY, "title": "RSSEntry"}, "type": "array"},
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what is new."""
        since = context.started - timedelta(minutes=max(0, inputs.time_period))
        seen: set[str] = set()
        for look in range(_MOST_POLLS):
            found = [
                entry
                for entry in await _entries(inputs.rss_url, context)
                if entry["id"] not in seen and _is_since(entry["pub_date"], since)
            ]
            seen.update(entry.pop("id") for entry in found)
            for entry in found:
                yield "entry", entry
            if found or look == 0:
                yield "entries", found
            if not inputs.run_continuously or context.now() - context.started > _LONGEST:
                return
            await asyncio.sleep(max(self.soonest_s, inputs.polling_rate))


async def _entries(url: str, context: BlockContext) -> list[dict[str, Any]]:
    answer = await context.guarded_web().send("GET", url, limits=_FEED)
    said = f"{answer.url_origin} answers with status {answer.status}"
    if answer.status >= 500:  # noqa: PLR2004 - the border of HTTP
        raise WebServerError(said, status=answer.status)
    if answer.status >= 400:  # noqa: PLR2004 - the border of HTTP
        raise WebClientError(said, status=answer.status)
    entries: list[dict[str, Any]] = await context.to_process(entries_of, answer.text())
    return entries


def _is_since(moment: str, since: datetime) -> bool:
    return bool(moment) and datetime.fromisoformat(moment) > since

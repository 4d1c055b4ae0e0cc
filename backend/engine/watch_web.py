"""Looks at feeds and pages of others, over the guarded way out, and asks only for what has changed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Final

from backend.core import json
from backend.core.errors import (
    ServiceLimited,
    WebClientError,
    WebFailed,
    WebServerError,
)
from backend.core.watch_settings import FeedWatch, PageWatch
from backend.core.watches import WatchKind, digest, key_of, unseen
from backend.engine.glances import Glance, Item
from backend.ports.processes import Processes
from backend.ports.web import MEGABYTE, WebClient, WebLimits, WebResponse

_LIMITS: Final = WebLimits(timeout_s=60.0, max_bytes=4 * MEGABYTE)
_UNCHANGED: Final = 304
#: Entries that one look hands over; the others wait for the next.
_AT_ONCE: Final = 100
_REMEMBERED: Final = 2_000
#: Of the texts of an entry where many travel together, and of all of them.
_GATHERED_CHARS: Final = 2_000
_GATHERED_BYTES: Final = 400_000
_PAGE_CHARS: Final = 100_000
_MAX_TAG: Final = 500
_ENTRIES: Final = "backend.blocks.rss.feed:entries_of"
_TEXT: Final = "backend.blocks.watched.page_text:text_of"
_DIFFERENCE: Final = "backend.blocks.watched.page_text:difference"
#: What is remembered to ask only for changes: the header that brings it, and the one that asks.
_TAGS: Final = (("etag", "if-none-match"), ("last-modified", "if-modified-since"))


class FeedLooker:
    """Entries of RSS and Atom feeds. State: digests of ids that were seen, newest last."""

    def __init__(self, web: WebClient, processes: Processes) -> None:
        self._web = web
        self._processes = processes

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        """See Looker."""
        settings, state = glance.settings, glance.state
        assert isinstance(settings, FeedWatch)
        glance.begin_anew_at(digest(settings.url))
        if (pending := state.get("pending")) is not None:
            yield _gathered(pending)
            state["pending"] = None
            await glance.save()
        answer = await fetched(self._web, settings.url, state)
        if answer is None:
            return
        found: Any = await self._processes.call(_ENTRIES, [answer.text()])
        entries = {digest(entry["id"]): entry for entry in reversed(found)}  # oldest first
        if settings.is_gathered:
            entries = {one: _cut(entry) for one, entry in entries.items()}
        new, seen, has_more = _new_of(entries, state, from_now=settings.from_now)
        if settings.is_gathered and new:
            # On disk before it is handed over: after a crash the same entries go together again,
            # though others have come since.
            number = int(state.get("polls", 0)) + 1
            pending = {
                "entries": [entries[one] for one in new],
                "key": key_of(WatchKind.FEED, state["source"], number, *new),
            }
            state.update(seen=seen, polls=number, pending=pending)
            await glance.save()
            yield _gathered(pending)
            state["pending"] = None
        elif new:
            for one in new:
                key = key_of(WatchKind.FEED, state["source"], one)
                yield Item(event="entry", payload={"entry": entries[one]}, key=key)
        state["seen"] = seen
        if has_more:
            glance.again_s = 0.0
        else:
            remember_tags(answer, state)


def _new_of(
    entries: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any], *, from_now: bool
) -> tuple[list[str], list[str], bool]:
    """Return what is new, what is seen with it, and whether there is more for another look."""
    new, seen = unseen(list(entries), state.get("seen", []), most=_REMEMBERED)
    if "seen" not in state and from_now:
        return [], seen, False
    most = _fitting([entries[one] for one in new[:_AT_ONCE]])
    later = set(new[most:])
    return new[:most], [one for one in seen if one not in later], bool(later)


def _gathered(pending: Mapping[str, Any]) -> Item:
    return Item(event="poll", payload={"entries": pending["entries"]}, key=pending["key"])


def _fitting(entries: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of *entries*, from the first, may travel together; at least one."""
    left = _GATHERED_BYTES
    for count, entry in enumerate(entries):
        left -= len(json.dumps(entry))
        if left < 0 and count:
            return count
    return len(entries)


def _cut(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value[:_GATHERED_CHARS] if isinstance(value, str) else value[:20]
        for name, value in entry.items()
    }


class PageLooker:
    """Changes of a web page's text. State: the text as it was."""

    def __init__(self, web: WebClient, processes: Processes) -> None:
        self._web = web
        self._processes = processes

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        """See Looker."""
        settings, state = glance.settings, glance.state
        assert isinstance(settings, PageWatch)
        glance.begin_anew_at(digest(settings.url, settings.selector))
        answer = await fetched(self._web, settings.url, state)
        if answer is None:
            return
        found: Any = await self._processes.call(
            _TEXT, [answer.text(), answer.url, settings.selector]
        )
        if found is None:
            raise WebFailed("the selector finds nothing on the page")
        text = str(found)[:_PAGE_CHARS]
        before = state.get("text")
        if before is not None and before != text:
            # The number tells a change from the same change later: a page may go back and forth.
            number = int(state.get("changes", 0)) + 1
            difference: Any = await self._processes.call(_DIFFERENCE, [before, text])
            yield Item(
                event="change",
                payload={
                    "url": settings.url,
                    "old_text": before,
                    "new_text": text,
                    "diff": difference,
                },
                key=key_of(WatchKind.PAGE, state["source"], number, before, text),
            )
            state["changes"] = number
        state["text"] = text
        remember_tags(answer, state)


async def fetched(web: WebClient, url: str, state: Mapping[str, Any]) -> WebResponse | None:
    """
    Return what is at *url*; None if it has not changed since the tags in *state*.

    Raises:
        ServiceLimited: If the server asks to wait.
        WebClientError, WebServerError: If it has no page for us.
    """
    asked = {asks: state[name] for name, asks in _TAGS if state.get(name)}
    answer = await web.send("GET", url, headers=asked, limits=_LIMITS)
    if answer.status == _UNCHANGED and asked:
        return None
    said = f"{answer.url_origin} answers with status {answer.status}"
    wait_s = _retry_after_s(answer)
    if answer.status in (429, 503) and wait_s is not None:
        raise ServiceLimited(said, retry_after_s=wait_s)
    if answer.status >= 500:  # noqa: PLR2004 - the border of HTTP
        raise WebServerError(said, status=answer.status)
    if answer.status >= 300:  # noqa: PLR2004 - the border of success
        raise WebClientError(said, status=answer.status)
    return answer


def remember_tags(answer: WebResponse, state: dict[str, Any]) -> None:
    """Note by what the server knows again what it has sent."""
    for name, _ in _TAGS:
        tag = answer.header(name) or ""
        is_sound = len(tag) <= _MAX_TAG and tag.isascii() and tag.isprintable()
        state[name] = tag if is_sound else ""


def _retry_after_s(answer: WebResponse) -> float | None:
    """Return the seconds of a Retry-After header; a date counts from the server's own clock."""
    said = (answer.header("retry-after") or "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        until = parsedate_to_datetime(said)
        now = parsedate_to_datetime(answer.header("date") or "")
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None

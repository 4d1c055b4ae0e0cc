"""Notices as their owners read them in the app."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.core.errors import BadRequest
from backend.core.ids import UserId
from backend.core.notice_channels import InboxEntry
from backend.ports.clock import Clock
from backend.ports.notice_channels import Inbox, InboxPlace


@dataclass(frozen=True, kw_only=True)
class InboxPage:
    """A page of entries. *next_cursor* asks for the one after it; None: it is the last."""

    entries: Sequence[InboxEntry]
    unread: int
    next_cursor: str | None


class InboxService:
    """Entries of all users; every method names the user whose they are."""

    def __init__(self, *, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    async def page(
        self, user_id: UserId, *, cursor: str | None, unread_only: bool, limit: int
    ) -> InboxPage:
        """
        Return entries, the newest first, those after *cursor*.

        Raises:
            BadRequest: If *cursor* is none that a page had.
        """
        mine = self._inbox.of(user_id)
        before = None if cursor is None else _place(cursor)
        # One more than asked for: it tells whether there is another page.
        found = await mine.listed(before=before, unread_only=unread_only, limit=limit + 1)
        shown = found[:limit]
        more = f"{shown[-1].created_us}~{shown[-1].id}" if len(found) > limit else None
        return InboxPage(entries=shown, unread=await mine.unread(), next_cursor=more)

    async def mark(self, user_id: UserId, ids: Sequence[str]) -> int:
        """Note that these were read; return how many are unread now."""
        mine = self._inbox.of(user_id)
        await mine.mark(ids, now_us=self._clock.now_us())
        return await mine.unread()

    async def mark_until(self, user_id: UserId, until_us: int | None) -> int:
        """Note that all up to a moment were read, now if it is None; return how many are unread."""
        mine, now_us = self._inbox.of(user_id), self._clock.now_us()
        await mine.mark_until(now_us if until_us is None else until_us, now_us=now_us)
        return await mine.unread()


def _place(cursor: str) -> InboxPlace:
    created, mark, id_ = cursor.partition("~")
    if not mark or not created.isascii() or not created.isdecimal() or len(created) > 18:  # noqa: PLR2004 -- what a database can count to
        raise BadRequest("This is no cursor of a page; take next_cursor as it is.")
    return InboxPlace(int(created), id_)

"""Channels of notices, the messages that go through them, and what their owners read in the app."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from backend.core.ids import ChannelId, UserId
from backend.core.notice_channels import Channel, ChannelChanges, InboxEntry, Routed, Send
from backend.core.records import NoticeRecord


class UserChannels(Protocol):
    """Those of one user."""

    async def listed(self) -> list[Channel]:
        """Return all, the oldest first."""

    async def get(self, channel_id: ChannelId) -> Channel | None:
        """Return one; None if the user has none with that id."""

    async def add(self, channel: Channel, *, most: int) -> None:
        """
        Keep a new one.

        Raises:
            TooLarge: If there are *most* already.
        """

    async def change(
        self, channel_id: ChannelId, changes: ChannelChanges, *, now_us: int
    ) -> Channel | None:
        """
        Change what *changes* names, and return it; None if the user has none with that id.

        One that is turned on, or led elsewhere, has not failed yet.
        """

    async def remove(self, channel_id: ChannelId) -> bool:
        """Take it away with all that waits for it; say whether there was one."""

    async def waiting(self, channel_id: ChannelId) -> int:
        """Return how many messages wait for it, 1000 for more."""


class NoticeChannels(Protocol):
    """Those of all users."""

    def of(self, user_id: UserId) -> UserChannels:
        """Return those of *user_id*."""


class InboxPlace(NamedTuple):
    """Where an entry stands in its user's list."""

    created_us: int
    id: str


class UserInbox(Protocol):
    """What one user reads in the app."""

    async def listed(
        self, *, before: InboxPlace | None, unread_only: bool, limit: int
    ) -> list[InboxEntry]:
        """Return entries, the newest first, those older than *before*."""

    async def unread(self) -> int:
        """Return how many were not read yet, 10 000 for more."""

    async def mark(self, ids: Collection[str], *, now_us: int) -> int:
        """Note that these were read; return how many were not before. Others' are not touched."""

    async def mark_until(self, until_us: int, *, now_us: int) -> int:
        """The same for all that are not newer than *until_us*."""


class Inbox(Protocol):
    """That of all users."""

    def of(self, user_id: UserId) -> UserInbox:
        """Return that of *user_id*."""


class SendQueue(Protocol):
    """Notices on their way. One process works on it; what it did is done once, however it ends."""

    async def unrouted(self, limit: int) -> list[NoticeRecord]:
        """Return notices that are not on their way yet, oldest first."""

    async def channels_of(self, users: Collection[UserId]) -> list[Channel]:
        """Return the channels of *users* that are turned on."""

    async def route(self, routed: Sequence[Routed], *, now_us: int) -> None:
        """
        Queue one message for each notice and channel, and enter it in the app, all or nothing.

        For a channel that gathers, the first of a cause is queued; what comes in the pause that
        follows (core.notice_repeats) is counted, until `release`.
        """

    async def release(self, *, now_us: int, limit: int) -> int:
        """
        Queue one message for each cause and channel whose pause is over; return how many.

        It is that of the newest notice that was gathered, and stands for all of them.
        """

    async def due(self, *, now_us: int, limit: int, but: Collection[ChannelId]) -> list[Channel]:
        """Return channels with a message that is due, but those of *but*; longest waiting first."""

    async def first(self, channel_id: ChannelId) -> Send | None:
        """Return the oldest message that waits for a channel; None if there is none."""

    async def note_sent(self, send: Send, *, now_us: int) -> None:
        """Note that a message was delivered; the next one of its channel is due."""

    async def note_delay(self, send: Send, *, error: str, next_us: int) -> None:
        """Note a try in vain; the channel rests until *next_us*."""

    async def note_failed(
        self, send: Send, *, error: str, now_us: int, off_after: int, off: InboxEntry
    ) -> bool:
        """
        Give a message up; the next one of its channel is due.

        After *off_after* in a row the channel is turned off, *off* is entered in the app, and True
        is returned.
        """

    async def drop(
        self, channel_id: ChannelId, *, error: str, now_us: int, limit: int, lost_only: bool = False
    ) -> int:
        """
        Give up messages that wait for a channel; return how many. It rests when none is left.

        Args:
            lost_only: Only those whose notices are not there any more.
        """

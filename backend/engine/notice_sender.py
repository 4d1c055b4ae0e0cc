"""Sends what waits for channels: several channels at once, the messages of each one after the other.

A message is marked after the service has it. A crash in between sends it again, with the same keys.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from backend.core.errors import Unavailable
from backend.core.ids import ChannelId
from backend.core.notice_answers import Delivered, Later, Outcome, Refused
from backend.core.notice_channels import (
    CHANNEL_OFF,
    GIVE_UP_US,
    MOST_REFUSALS,
    Channel,
    InboxEntry,
    Send,
    pause_s,
)
from backend.core.records import NoticeRecord
from backend.engine.notice_router import entry_of
from backend.ports.clock import Clock
from backend.ports.notice_channels import SendQueue
from backend.services.channel_calls import ChannelCalls

log = structlog.get_logger()

POLL_S: Final = 1.0
#: Channels that are served at once.
AT_ONCE: Final = 16
_DROPPED: Final = 200
_TURNED_OFF: Final = "the channel was turned off before it could be sent"
_LOST: Final = "the notice is not there any more"


class NoticeSender:
    """See the module. `serve` must run; one at a time."""

    def __init__(
        self,
        queue: SendQueue,
        calls: ChannelCalls,
        clock: Clock,
        *,
        tell: Callable[[InboxEntry], None],
        at_once: int = AT_ONCE,
    ) -> None:
        """
        Send what is in *queue*.

        Args:
            tell: Tells the owner's sockets of an entry.
            at_once: How many channels are served at once.
        """
        self._queue = queue
        self._calls = calls
        self._clock = clock
        self._tell = tell
        self._at_once = at_once
        self._busy: set[ChannelId] = set()
        self._freed = asyncio.Event()
        self.sent = 0
        self.failed = 0

    async def serve(self) -> None:
        """Send what is due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._freed.clear()
                for channel in await self._due():
                    self._busy.add(channel.id)
                    tasks.create_task(self._serve_one(channel))
                try:
                    async with asyncio.timeout(POLL_S):
                        await self._freed.wait()
                except TimeoutError:
                    pass  # something else may be due by now

    async def send_due(self) -> int:
        """Serve each channel that is due now once; return how many there were."""
        due = await self._due()
        for channel in due:
            await self._work(channel)
        return len(due)

    async def _due(self) -> list[Channel]:
        room = self._at_once - len(self._busy)
        if room <= 0:
            return []
        try:
            return await self._queue.due(now_us=self._clock.now_us(), limit=room, but=self._busy)
        except Unavailable as exc:
            log.warning("channels_wait", error=str(exc))
            return []

    async def _serve_one(self, channel: Channel) -> None:
        try:
            await self._work(channel)
        except Unavailable as exc:
            log.warning("channel_waits", channel=channel.id, error=str(exc))
            await asyncio.sleep(POLL_S)  # a database that is busy is not asked at once again
        finally:
            self._busy.discard(channel.id)
            self._freed.set()

    async def _work(self, channel: Channel) -> None:
        now_us = self._clock.now_us()
        if not channel.enabled:
            await self._queue.drop(channel.id, error=_TURNED_OFF, now_us=now_us, limit=_DROPPED)
            return
        # One at a time: by the next one its owner may have changed the channel, or removed it.
        send = await self._queue.first(channel.id)
        if send is None:
            await self._queue.drop(
                channel.id, error=_LOST, now_us=now_us, limit=_DROPPED, lost_only=True
            )
            return
        await self._note(
            channel, send, await self._calls.send(channel, send.notice, told=send.told)
        )

    async def _note(self, channel: Channel, send: Send, outcome: Outcome) -> None:
        """Note what became of a message."""
        now_us = self._clock.now_us()
        match outcome:
            case Delivered():
                self.sent += 1
                await self._queue.note_sent(send, now_us=now_us)
            case Later(said=said, after_s=after_s):
                if now_us - send.notice.created_us >= GIVE_UP_US:
                    words = f"given up after a day: {said}"
                    await self._fail(channel, send, words, off_after=MOST_REFUSALS)
                    return
                wait_s = pause_s(send.attempts + 1, after_s)
                log.info("message_delayed", channel=channel.id, again_in_s=wait_s, error=said)
                next_us = now_us + round(wait_s * 1_000_000)
                await self._queue.note_delay(send, error=said, next_us=next_us)
            case Refused(said=said, gone=gone):
                await self._fail(channel, send, said, off_after=1 if gone else MOST_REFUSALS)

    async def _fail(self, channel: Channel, send: Send, error: str, *, off_after: int) -> None:
        now_us = self._clock.now_us()
        self.failed += 1
        log.info("message_refused", channel=channel.id, error=error)
        off = _told_off(channel, error, now_us)
        if await self._queue.note_failed(
            send, error=error, now_us=now_us, off_after=off_after, off=off
        ):
            log.warning("channel_turned_off", channel=channel.id, error=error)
            self._tell(off)


def _told_off(channel: Channel, error: str, now_us: int) -> InboxEntry:
    """Return what the owner of a channel reads when it was turned off."""
    return entry_of(
        NoticeRecord(
            id=f"channel_off:{channel.id}:{now_us}",
            user_id=channel.user_id,
            type=CHANNEL_OFF,
            data={"name": channel.name, "error": error},
            created_us=now_us,
        )
    )

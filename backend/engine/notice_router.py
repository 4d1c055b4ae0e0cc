"""Puts each notice on its way: into its owner's list in the app, and to each channel that wants it.

A notice is queued in the transaction that causes it. Here it gets its entry and its messages in one
transaction, too, keyed by the notice: who is killed in between begins it again, and nothing is
there twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import structlog

from backend.core.errors import Unavailable
from backend.core.ids import UserId
from backend.core.notice_channels import Channel, InboxEntry, Routed, event_data
from backend.core.notice_repeats import cause_in_chats
from backend.core.notice_words import words
from backend.core.records import NoticeRecord
from backend.core.times import iso
from backend.ports.bus import EventPublisher, NoticeTold, user_topic
from backend.ports.clock import Clock
from backend.ports.notice_channels import SendQueue

log = structlog.get_logger()

#: A notice is in the app within this, and what it takes to write it down.
POLL_S: Final = 1.0
#: Few enough that the executor does not have to wait for the transaction.
_AT_ONCE: Final = 200


class NoticeRouter:
    """See the module. `serve` must run; one at a time."""

    def __init__(self, queue: SendQueue, publisher: EventPublisher, clock: Clock) -> None:
        self._queue = queue
        self._publisher = publisher
        self._clock = clock
        self.routed = 0

    async def serve(self) -> None:
        """Route what comes, until cancelled."""
        while True:
            try:
                count = await self.route_waiting()
                await self.release_due()
            except Unavailable as exc:
                log.warning("notices_not_routed", error=str(exc))
                count = 0
            if count < _AT_ONCE:
                await asyncio.sleep(POLL_S)

    async def route_waiting(self) -> int:
        """Route some notices, the oldest first; return how many."""
        waiting = await self._queue.unrouted(_AT_ONCE)
        if not waiting:
            return 0
        channels: defaultdict[UserId, list[Channel]] = defaultdict(list)
        for channel in await self._queue.channels_of({notice.user_id for notice in waiting}):
            channels[channel.user_id].append(channel)
        routed = [_routed(notice, channels[notice.user_id]) for notice in waiting]
        await self._queue.route(routed, now_us=self._clock.now_us())
        self.routed += len(routed)
        for one in routed:
            self.tell(one.entry)
        return len(routed)

    async def release_due(self) -> int:
        """Put what was gathered, and whose pause is over, on its way; return how many messages."""
        return await self._queue.release(now_us=self._clock.now_us(), limit=_AT_ONCE)

    def tell(self, entry: InboxEntry) -> None:
        """Tell the open sockets of its owner of an entry. Lost? The list has it."""
        topic = user_topic(entry.user_id)
        if self._publisher.wanted(topic):
            data = event_data(entry, iso(entry.created_us))
            self._publisher.publish(topic, NoticeTold(user_id=entry.user_id, data=data))


def _routed(notice: NoticeRecord, channels: Sequence[Channel]) -> Routed:
    wanting = [one for one in channels if one.wants(notice)]
    cause = cause_in_chats(notice)
    return Routed(
        entry=entry_of(notice),
        channels=[one.id for one in wanting if not (cause and one.gathers)],
        gathering=[one.id for one in wanting if cause and one.gathers],
        cause=cause,
    )


def entry_of(notice: NoticeRecord) -> InboxEntry:
    """Return how *notice* reads in the app."""
    said = words(notice.type, notice.data)
    return InboxEntry(
        id=notice.id,
        user_id=notice.user_id,
        kind=notice.type,
        title=said.title,
        text=said.text,
        created_us=notice.created_us,
        graph_id=said.graph_id,
        run_id=said.run_id,
    )

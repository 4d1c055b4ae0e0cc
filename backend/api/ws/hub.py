"""Brings changes from the bus to the sockets that watch them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from backend.api.ws.client import Client, Counts, Limits
from backend.api.ws.frames import Frame, node_frame, run_frame, text_frame
from backend.api.ws.watch import Watch, WatchState
from backend.core.errors import BadRequest
from backend.core.ids import UserId
from backend.ports.bus import (
    Attached,
    Change,
    EventSubscriber,
    NodeChanged,
    NodeText,
    NoticeTold,
    RunChanged,
)


class TooManyWatches(BadRequest):
    """This socket has as many subscriptions as one may have; unsubscribe from something first."""


@dataclass(slots=True, eq=False)
class _Topic:
    watches: dict[Watch, None] = field(default_factory=dict)
    attached: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """All sockets of this process. Use it from one loop."""

    def __init__(self, subscriber: EventSubscriber, limits: Limits) -> None:
        self.limits = limits
        self.counts = Counts()
        self._subscriber = subscriber
        self._topics: dict[str, _Topic] = {}
        self._clients: dict[UserId, set[Client]] = {}
        self._open = 0
        # Once it did not answer in time, nobody waits for it until it is heard again.
        self._publisher_answers = True

    @property
    def open_sockets(self) -> int:
        """How many sockets are open."""
        return self._open

    @property
    def topics(self) -> int:
        """How many runs and graphs are watched."""
        return len(self._topics)

    def has_room_for(self, user_id: UserId) -> bool:
        """Say whether this user may open one more socket."""
        mine = len(self._clients.get(user_id, ()))
        return self._open < self.limits.sockets and mine < self.limits.sockets_per_user

    def add(self, client: Client) -> None:
        """Take a socket in; `remove` it when it has ended."""
        self._clients.setdefault(client.user_id, set()).add(client)
        self._open += 1

    def remove(self, client: Client) -> None:
        """Forget a socket and all it watches; twice is harmless."""
        for watch in list(client.watches.values()):
            self.unwatch(watch)
        mine = self._clients.get(client.user_id, set())
        if client in mine:
            mine.discard(client)
            self._open -= 1
            if not mine:
                del self._clients[client.user_id]

    async def watch(self, watch: Watch) -> None:
        """
        Begin to bring changes to *watch*; returns when they are live, or the executor is silent.

        The caller answers its client then, and refreshes the watch.

        Raises:
            TooManyWatches: If its socket has too many.
        """
        client = watch.client
        if len(client.watches) >= self.limits.watches_per_socket:
            raise TooManyWatches
        client.watches[watch.channel] = watch
        topic = self._topics.get(watch.topic)
        if topic is None:
            topic = self._topics[watch.topic] = _Topic()
            self._subscriber.subscribe(watch.topic)
        topic.watches[watch] = None
        if self._publisher_answers and not topic.attached.is_set():
            try:
                async with asyncio.timeout(self.limits.attach_s):
                    await topic.attached.wait()
            except TimeoutError:
                self._publisher_answers = False

    def unwatch(self, watch: Watch) -> None:
        """Bring no more changes to *watch*."""
        watch.end()
        watch.client.watches.pop(watch.channel, None)
        topic = self._topics.get(watch.topic)
        if topic is not None:
            topic.watches.pop(watch, None)
            if not topic.watches:
                del self._topics[watch.topic]
                self._subscriber.unsubscribe(watch.topic)

    def clients_of(self, user_id: UserId) -> list[Client]:
        """Return the open sockets of a user."""
        return list(self._clients.get(user_id, ()))

    def is_watched(self, channel: str, user_id: UserId) -> bool:
        """Say whether any socket of this user watches *channel*."""
        return any(channel in client.watches for client in self._clients.get(user_id, ()))

    async def run(self) -> None:
        """Bring changes to those who watch, until the bus is closed."""
        async for topic, change in self._subscriber.changes():
            self._on_change(topic, change)

    async def check_tokens(self, is_good: Callable[[str], Awaitable[bool]]) -> None:
        """Close sockets whose token is not good any more, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.check_s)
            for client in [client for mine in self._clients.values() for client in mine]:
                if not await is_good(client.token):
                    client.end(4003)

    def _on_change(self, name: str, change: Change) -> None:
        topic = self._topics.get(name)
        if topic is None:
            return
        if isinstance(change, Attached):
            self._publisher_answers = True
            topic.attached.set()
            for watch in topic.watches:
                if watch.state is not WatchState.NEW:
                    watch.client.refresh(watch)
        elif isinstance(change, NodeText):
            _show(topic, change)
        elif isinstance(change, NoticeTold):
            pass  # of users, not of runs: see notices.py
        else:
            self.counts.events_received += 1
            self._tell(topic, change)

    def _tell(self, topic: _Topic, change: RunChanged | NodeChanged) -> None:
        run = change.record if isinstance(change, RunChanged) else change.run
        frame: Frame | None = None
        for watch in topic.watches:
            # A graph may be run by others than its owner: their runs are theirs.
            if watch.client.user_id != run.user_id:
                continue
            reading = watch.state is WatchState.READING
            if not reading and watch.state is not WatchState.LIVE:
                continue
            if not watch.is_news(run.id, change.record.revision):
                continue
            if frame is None:  # one for all: they are of one user, so on one channel
                frame = self._frame(change, watch.channel)
            if reading:
                watch.miss(frame)
            else:
                watch.client.offer(watch, frame)

    def _frame(self, change: RunChanged | NodeChanged, channel: str) -> Frame:
        limit = self.limits.event_bytes
        if isinstance(change, RunChanged):
            return run_frame(change.record, channel, limit_bytes=limit)
        return node_frame(change.run, change.record, channel, limit_bytes=limit)


def _show(topic: _Topic, change: NodeText) -> None:
    """Pass a piece of text on; to a client that is behind it does not go."""
    for watch in topic.watches:
        if watch.state is WatchState.LIVE and watch.client.user_id == change.user_id:
            watch.client.offer_text(text_frame(change, watch.channel))

"""Who in this process watches which run: changes from the bus, handed to each in a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from backend.core.errors import TooManyRequests
from backend.core.ids import ExecutionId, UserId
from backend.ports.bus import Change, EventSubscriber, run_topic

#: Changes that wait for one watcher. It reads storage anyway: what is lost are pieces of text.
_WAITING: Final = 1_000


class RunWatch:
    """One watcher of one run."""

    def __init__(self, user_id: UserId) -> None:
        self.user_id = user_id
        self._changes: deque[Change] = deque(maxlen=_WAITING)
        self._there = asyncio.Event()
        self._is_over = False

    def put(self, change: Change) -> None:
        """Take a change; the oldest one is lost if there are too many."""
        self._changes.append(change)
        self._there.set()

    def end(self) -> None:
        """Let nobody wait for a change any more."""
        self._is_over = True
        self._there.set()

    async def next(self, *, within_s: float) -> Change | None:
        """Return the next change; None if there was none for *within_s* seconds, or at the end."""
        if not self._changes and not self._is_over:
            self._there.clear()
            try:
                async with asyncio.timeout(within_s):
                    await self._there.wait()
            except TimeoutError:
                return None
        return self._changes.popleft() if self._changes else None


class RunWatches:
    """
    All watchers of this process. Use it from one loop.

    Attributes:
        is_over: Nothing more is brought: this process ends.
    """

    def __init__(self, subscriber: EventSubscriber, *, most: int, most_per_user: int) -> None:
        self._subscriber = subscriber
        self._most = most
        self._most_per_user = most_per_user
        self._watches: dict[str, set[RunWatch]] = {}
        self._open: dict[UserId, int] = {}
        self.is_over = False

    def end(self) -> None:
        """Wake all who watch, for the last time; twice is harmless."""
        self.is_over = True
        for watching in self._watches.values():
            for watch in watching:
                watch.end()

    async def serve(self) -> None:
        """Bring changes to who watches, until the bus is closed."""
        async for topic, change in self._subscriber.changes():
            for watch in self._watches.get(topic, ()):
                watch.put(change)

    @contextmanager
    def watch(
        self, user_id: UserId, run_id: ExecutionId, *, counted: bool = True
    ) -> Iterator[RunWatch]:
        """
        Give a watcher of a run, which must be this user's.

        Args:
            counted: False: it is no stream to a client, and bounded elsewhere.

        Raises:
            TooManyRequests: If this user, or all together, watch as many as they may.
        """
        if counted:
            self.require_room(user_id)
        topic, watch = run_topic(run_id), RunWatch(user_id)
        watching = self._watches.setdefault(topic, set())
        if not watching:
            self._subscriber.subscribe(topic)
        watching.add(watch)
        self._open[user_id] = self._open.get(user_id, 0) + counted
        try:
            yield watch
        finally:
            self._leave(topic, watch, counted)

    def require_room(self, user_id: UserId) -> None:
        """Raise TooManyRequests if this user may not watch one more run."""
        mine = self._open.get(user_id, 0)
        if mine >= self._most_per_user or sum(self._open.values()) >= self._most:
            raise TooManyRequests(
                f"{mine} streams are open already; end one of them first", retry_after_s=1
            )

    def _leave(self, topic: str, watch: RunWatch, counted: int) -> None:
        watching = self._watches[topic]
        watching.discard(watch)
        if not watching:
            del self._watches[topic]
            self._subscriber.unsubscribe(topic)
        left = self._open.pop(watch.user_id, 0) - counted
        if left > 0:
            self._open[watch.user_id] = left

"""One socket: what it watches, and a bounded queue of what it is sent. It harms only itself."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.websockets import WebSocketDisconnect

from backend.api.ws.frames import Frame
from backend.api.ws.watch import Watch, WatchState
from backend.core.errors import AgentServerError
from backend.core.ids import UserId

log = structlog.get_logger(__name__)

#: After this long a socket that was told to close is cut off.
_CLOSE_S: Final = 15.0
#: How long a watch waits when storage does not answer.
_AGAIN_S: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What sockets may use."""

    sockets: int = 5_000
    sockets_per_user: int = 50
    watches_per_socket: int = 100
    queue_frames: int = 1_000  #: per socket
    queue_bytes: int = 1_048_576  #: per socket; one frame may be larger
    event_bytes: int = 8_388_608  #: larger values are cut
    send_s: float = 60.0  #: a client that takes nothing for so long is cut off
    attach_s: float = 1.0  #: how long a subscription waits for the executor
    check_s: float = 10.0  #: how often tokens are looked at again


@dataclass(kw_only=True, slots=True)
class Counts:
    """What happened since the start; for /metrics."""

    frames_sent: int = 0
    events_received: int = 0
    resyncs: int = 0
    overflows: int = 0
    bad_frames: int = 0


class Client:
    """
    One open socket.

    Events that find the queue full are not kept: their watch goes stale, and is read from storage
    when the queue has been sent. So what a slow client costs does not grow.
    """

    def __init__(
        self,
        *,
        user_id: UserId,
        token: str,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
        abort: Callable[[], None],
        limits: Limits,
        counts: Counts,
    ) -> None:
        """
        Take the two ends of a socket.

        Args:
            user_id: Whose it is.
            token: What it was opened with; looked at again while it is open.
            send: Sends a text; returns when the next may be sent.
            close: Ends the socket with a code.
            abort: Ends it at once, without waiting for the other side.
            limits: What it may use.
            counts: Where its frames are counted.
        """
        self.user_id = user_id
        self.token = token
        self.limits = limits
        self.watches: dict[str, Watch] = {}
        self._send_text = send
        self._close = close
        self._abort = abort
        self._counts = counts
        self._queue: deque[str] = deque()
        self._queue_bytes = 0
        self._put = 0  # how many were ever put into the queue
        self._sent = 0  # and taken out of it
        self._stale: deque[tuple[int, Watch]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._close_code: int | None = None

    async def reply(self, text: str) -> None:
        """Queue an answer; waits while the queue is full, for it may not be lost."""
        while self._is_full():
            self._room.clear()
            await self._room.wait()
        self._enqueue(text)

    def offer(self, watch: Watch, frame: Frame) -> None:
        """Queue an event of *watch*, or let the watch go stale if the queue is full."""
        if self._is_full():
            self._counts.overflows += 1
            self.refresh(watch)
            return
        self._enqueue(frame.text)
        watch.note(frame.run_id, frame.sequence)

    def offer_text(self, text: str) -> None:
        """Queue a frame that may be lost; it is, if half of the queue is full."""
        if len(self._queue) * 2 < self.limits.queue_frames:
            self._enqueue(text)

    def refresh(self, watch: Watch) -> None:
        """Have *watch* read from storage what it was not told, after what is queued now."""
        if watch.state is WatchState.READING:
            watch.miss()
        elif watch.state is not WatchState.STALE:
            watch.state = WatchState.STALE
            self._queue_stale(watch)

    def end(self, code: int) -> None:
        """Close the socket with *code*; cut it off if the other side does not play along."""
        if self._close_code is None:
            self._close_code = code
            self._wake.set()
            asyncio.get_running_loop().call_later(_CLOSE_S, self._abort)

    async def pump(self) -> None:
        """
        Send what is queued, and read what is stale, until the socket ends.

        Raises:
            WebSocketDisconnect: When it has ended.
        """
        while True:
            if self._close_code is not None:
                await self._close(self._close_code)
                raise WebSocketDisconnect(self._close_code)
            for _ in range(len(self._queue)):
                await self._send(self._dequeue())
            # One at a time: answers must not wait until everything that is stale was read.
            if self._stale and self._stale[0][0] <= self._sent:
                await self._catch_up(self._stale.popleft()[1])
            elif not self._queue and self._close_code is None:
                self._wake.clear()
                await self._wake.wait()

    async def _catch_up(self, watch: Watch) -> None:
        if watch.has_ended():
            return
        watch.begin_reading()
        self._counts.resyncs += 1
        try:
            async with aclosing(watch.news()) as news:
                async for frame in news:
                    if watch.has_ended():
                        return
                    await self._send(frame.text)
                    watch.note(frame.run_id, frame.sequence)
        except AgentServerError as exc:
            log.warning("resync_failed", channel=watch.channel, reason=str(exc))
            watch.state = WatchState.STALE
            asyncio.get_running_loop().call_later(_AGAIN_S, self._queue_stale, watch)
            return
        meanwhile = watch.end_reading()
        if meanwhile is None:
            self.refresh(watch)
            return
        for frame in meanwhile:
            if watch.state is WatchState.LIVE and watch.is_news(frame.run_id, frame.sequence):
                self.offer(watch, frame)

    def _queue_stale(self, watch: Watch) -> None:
        self._stale.append((self._put, watch))
        self._wake.set()

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self.limits.send_s):
                await self._send_text(text)
        except TimeoutError:
            self._abort()
            raise WebSocketDisconnect(1013) from None
        self._counts.frames_sent += 1

    def _is_full(self) -> bool:
        return (
            len(self._queue) >= self.limits.queue_frames
            or self._queue_bytes >= self.limits.queue_bytes
        )

    def _enqueue(self, text: str) -> None:
        self._queue.append(text)
        self._queue_bytes += len(text)
        self._put += 1
        self._wake.set()

    def _dequeue(self) -> str:
        text = self._queue.popleft()
        self._queue_bytes -= len(text)
        self._sent += 1
        if not self._is_full():
            self._room.set()
        return text

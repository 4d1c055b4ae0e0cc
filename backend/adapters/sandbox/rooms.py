"""Who is in which sandbox: how many work at once, which are kept, whose they are, when they end."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from backend.core.errors import NotFound, ProcessEnded, TooManyRequests, Unavailable
from backend.core.ids import UserId
from backend.ports.sandbox import CodeOutcome, CodeStep, SandboxLimits

_GONE: Final = "This sandbox is not there: it has ended, or the server was started again."
TIME_SETTING: Final = "CODE_SANDBOX_TIME_LIMIT_S"
#: A sandbox that is over its limit says so itself; this long after, it is not asked any more.
GRACE_S: Final = 2.0


class Session(Protocol):
    """One sandbox that runs."""

    async def run(self, step: CodeStep, *, time_s: float) -> CodeOutcome:
        """Return what *step* came to. Raises ProcessEnded over a limit, NotConfigured."""

    async def end(self) -> None:
        """End it, whatever it does, and wait for that. Twice is harmless."""


class Maker(Protocol):
    """Starts sandboxes of one kind."""

    async def start(self, life_s: float) -> Session:
        """Return a fresh one that needs to live for *life_s*. Raises Unavailable."""

    async def close(self) -> None:
        """End what all of them share. Twice is harmless."""


@dataclass(kw_only=True)
class _Room:
    owner: UserId
    session: Session
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    timer: asyncio.TimerHandle | None = None


class SandboxRooms:
    """See backend.ports.sandbox.Sandboxes. All of it belongs to one event loop."""

    def __init__(self, maker: Maker, limits: SandboxLimits) -> None:
        self._maker = maker
        self._limits = limits
        self._free = asyncio.Semaphore(limits.count)
        self._rooms: dict[str, _Room] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(
        self,
        user_id: UserId,  # noqa: ARG002 - nobody comes back to it
        steps: Sequence[CodeStep],
        *,
        time_s: float,
    ) -> CodeOutcome:
        """See the port."""
        async with self._free:
            session = await self._started(time_s)
            try:
                return await self._all(session, steps, time_s)
            finally:
                await asyncio.shield(self._end(session))

    async def open(
        self, user_id: UserId, steps: Sequence[CodeStep], *, keep_s: float
    ) -> tuple[str, CodeOutcome]:
        """See the port."""
        keep_s = min(keep_s, self._limits.time_s)
        async with self._free:
            self._require_place(user_id)
            session = await self._started(keep_s)
            room_id, room = f"local-{uuid.uuid4().hex}", _Room(owner=user_id, session=session)
            self._rooms[room_id] = room
            try:
                outcome = await self._all(session, steps, keep_s)
            except BaseException:
                await asyncio.shield(self._leave(room_id))
                raise
        if outcome.error is not None:
            await self._leave(room_id)
            return room_id, outcome
        loop = asyncio.get_running_loop()
        room.timer = loop.call_later(keep_s, lambda: self._leave(room_id))
        return room_id, outcome

    async def step(self, user_id: UserId, sandbox_id: str, step: CodeStep) -> CodeOutcome:
        """See the port."""
        room = self._room(user_id, sandbox_id)
        async with room.turn, self._free:
            if self._rooms.get(sandbox_id) is not room:
                raise NotFound(_GONE)
            try:
                return await room.session.run(step, time_s=self._limits.time_s)
            except BaseException as exc:
                # Whoever stops waiting, and whoever was over a limit, leaves nothing usable.
                if isinstance(exc, ProcessEnded | asyncio.CancelledError):
                    await asyncio.shield(self._leave(sandbox_id))
                raise

    async def end(self, user_id: UserId, sandbox_id: str) -> None:
        """See the port."""
        room = self._rooms.get(sandbox_id)
        if room is not None and room.owner == user_id:
            await asyncio.shield(self._leave(sandbox_id))

    async def close(self) -> None:
        """See the port."""
        self._closed = True
        for room_id in list(self._rooms):
            self._leave(room_id)
        while self._ending:
            await asyncio.wait(self._ending)
        await self._maker.close()

    def _room(self, user_id: UserId, sandbox_id: str) -> _Room:
        room = self._rooms.get(sandbox_id)
        if room is None or room.owner != user_id:
            raise NotFound(_GONE)
        return room

    def _require_place(self, user_id: UserId) -> None:
        own = sum(room.owner == user_id for room in self._rooms.values())
        # So that nobody keeps all of them.
        if len(self._rooms) >= self._limits.kept or own >= max(1, self._limits.kept // 2):
            raise TooManyRequests(
                "too many sandboxes are kept: dispose of one, or wait until its time is over "
                "(setting CODE_SANDBOX_KEPT)",
                retry_after_s=60,
            )

    async def _started(self, life_s: float) -> Session:
        if self._closed:
            raise Unavailable("the server is stopping: no sandbox is started any more")
        return await self._maker.start(min(life_s, self._limits.time_s))

    async def _all(self, session: Session, steps: Sequence[CodeStep], time_s: float) -> CodeOutcome:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + min(time_s, self._limits.time_s)
        outcome = CodeOutcome()
        for step in steps:
            left_s = max(0.001, until_s - loop.time())
            try:
                next_one = await session.run(step, time_s=left_s)
            except ProcessEnded as exc:
                if time_s < self._limits.time_s and TIME_SETTING in str(exc):
                    raise _own_time_over(time_s, self._limits.time_s) from exc
                raise
            outcome = CodeOutcome(
                stdout=outcome.stdout + next_one.stdout,
                stderr=outcome.stderr + next_one.stderr,
                results=next_one.results,
                error=next_one.error,
            )
            if outcome.error is not None:
                break
        return outcome

    def _leave(self, room_id: str) -> "asyncio.Task[None] | asyncio.Future[None]":
        """Forget a room and end what is in it."""
        room = self._rooms.pop(room_id, None)
        if room is None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        if room.timer is not None:
            room.timer.cancel()
        return self._end(room.session)

    def _end(self, session: Session) -> "asyncio.Task[None]":
        ending = asyncio.get_running_loop().create_task(session.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return ending


def _own_time_over(time_s: float, most_s: float) -> ProcessEnded:
    return ProcessEnded(
        f"the code was ended: it needs more than the {time_s:.3g} s that this step gives it "
        f"({TIME_SETTING} allows {most_s:g} s)"
    )


def over(what: str, setting: str) -> ProcessEnded:
    """Return the error of code that was ended at a limit."""
    return ProcessEnded(f"the code was ended: {what} (setting {setting})")

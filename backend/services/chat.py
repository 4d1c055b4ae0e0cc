"""Sessions of the copilot: begin one, read it, ask something. What is answered is made in a run."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from backend.core.chat import GRAPH_ID, NODE_ID, TRIGGER, VERSION, Chat, ChatId, ChatMessage, Turn
from backend.core.chat_frames import FAILED, SERVER_STOPS, STOPPED, WAITS, Frame, TurnFrames
from backend.core.errors import NotConfigured, NotFound, TooLarge
from backend.core.ids import ExecutionId, UserId, derived_id
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import FINAL, Status
from backend.ports.bus import NodeText
from backend.ports.chat import Chats
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import Storage
from backend.services.credits import CreditService
from backend.services.run_watches import RunWatch, RunWatches

#: Of one user.
MAX_SESSIONS: Final = 10_000
#: Characters of one message.
MAX_MESSAGE: Final = 100_000
#: Messages of a session that are shown; one has no more.
MAX_MESSAGES: Final = 1_000
#: A client hears something at least as often.
HEARTBEAT_S: Final = 15.0
#: So often the rows are read whatever the bus says.
_LOOK_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class CopilotModel:
    """
    The model that answers, and what one turn may take.

    Attributes:
        problem: Why it cannot be asked, in a sentence; empty if it can.
    """

    name: str
    problem: str = ""
    max_rounds: int = 25
    max_tokens: int = 500_000


class ChatService:
    """Sessions of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        chats: Chats,
        storage: Storage,
        dispatcher: Dispatcher,
        clock: Clock,
        model: CopilotModel,
        watches: RunWatches,
        credits_: CreditService | None = None,
    ) -> None:
        self._chats = chats
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock
        self._model = model
        self._watches = watches
        self._credits = credits_

    async def serve(self, stopping: asyncio.Event) -> None:
        """Bring what turns do to who watches them, until *stopping* is set; then end all streams."""
        bringing = asyncio.create_task(self._watches.serve())
        stopped = asyncio.create_task(stopping.wait())
        tasks = (bringing, stopped)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._watches.end()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if not bringing.cancelled():
            bringing.result()  # says why the bus was lost

    async def create(self, user_id: UserId) -> Chat:
        """Begin a session. Raises Conflict if the user has `MAX_SESSIONS`."""
        return await self._chats.of(user_id).add(
            ChatId(self._clock.new_id()), now_us=self._clock.now_us(), most=MAX_SESSIONS
        )

    async def listed(self, user_id: UserId, *, skip: int, most: int) -> tuple[list[Chat], int]:
        """Return sessions, last changed first, and how many there are."""
        return await self._chats.of(user_id).page(skip=skip, most=most)

    async def get(self, user_id: UserId, chat_id: ChatId) -> tuple[Chat, list[ChatMessage]]:
        """Return a session with all that was said. Raises NotFound."""
        chats = self._chats.of(user_id)
        found = await chats.get(chat_id)
        if found is None:
            raise NotFound(f"Session {chat_id} not found.")
        return found, await chats.messages(chat_id, limit=MAX_MESSAGES)

    async def ask(
        self, user_id: UserId, chat_id: ChatId, text: str, *, is_user: bool, key: str | None
    ) -> Turn:
        """
        Accept a message; when this returns it is on disk, and will be answered.

        Args:
            is_user: False: it is kept as one of the assistant's.
            key: The same key begins one turn, however often it comes.

        Raises:
            NotFound: If there is no such session.
            Conflict: If the copilot is still answering in it, or it is full.
            TooLarge: If the message is longer than `MAX_MESSAGE`.
            NotConfigured: If there is no key for the copilot's model; the message is not kept.
            InsufficientBalance: If the user has no credits left.
            TooManyRequests: If the user watches as many turns as they may.
        """
        if len(text) > MAX_MESSAGE:
            raise TooLarge(f"A message has at most {MAX_MESSAGE} characters.")
        if await self._chats.of(user_id).get(chat_id) is None:
            raise NotFound(f"Session {chat_id} not found.")
        if self._model.problem:
            raise NotConfigured(self._model.problem)
        self._watches.require_room(user_id)
        if self._credits is not None:
            await self._credits.require_some(user_id)
        run = self._new_run(user_id, chat_id, key)
        role = "user" if is_user else "assistant"
        message = ChatMessage(
            number=0,  # storage gives the next one
            run_id=run.id,
            body={"role": role, "content": text},
            created_us=run.created_us,
        )
        turn = await self._chats.of(user_id).begin(chat_id, run, message)
        if turn.is_new:
            self._dispatcher.signal(SignalKind.RUN, run.id, user_id)
        return turn

    async def frames(self, user_id: UserId, turn: Turn) -> AsyncIterator[Frame | None]:
        """
        Yield what a client is told of a turn, from its beginning to its end; None: a heartbeat.

        Who goes away ends nothing: the turn goes on, and its messages are in the session.
        """
        with self._watches.watch(user_id, turn.run.id) as watch:
            watched = _Watched(turn, self._clock.monotonic_s())
            while True:
                run, said = await self._look(user_id, watched)
                for told in watched.told(said, self._clock.monotonic_s()):
                    yield told
                if (end := _end_of(run) or self._end_of_service()) is not None:
                    for last in watched.frames.end(*end):
                        yield last
                    return
                async for frame in self._until_change(user_id, watched, watch):
                    yield frame

    def _end_of_service(self) -> tuple[str, str] | None:
        if not self._watches.is_over:
            return None
        return "The server stops; this turn goes on when it is there again.", SERVER_STOPS

    async def _until_change(
        self, user_id: UserId, watched: "_Watched", watch: RunWatch
    ) -> AsyncIterator[Frame | None]:
        """Yield pieces of text as they come; end when there may be something new on disk."""
        while True:
            change = await watch.next(within_s=_LOOK_S)
            if not isinstance(change, NodeText):
                if self._clock.monotonic_s() - watched.heard_s >= HEARTBEAT_S:
                    watched.heard_s = self._clock.monotonic_s()
                    yield None
                return
            call = (change.node_exec_id, change.call)
            if watched.frames.is_behind(call, change.offset):
                _, said = await self._look(user_id, watched)
                for frame in watched.told(said, self._clock.monotonic_s()):
                    yield frame
            for frame in watched.frames.piece(call, change.offset, change.text):
                yield frame
            watched.heard_s = self._clock.monotonic_s()

    async def _look(
        self, user_id: UserId, watched: "_Watched"
    ) -> tuple[ExecutionRecord | None, list[ChatMessage]]:
        """Return the run, and what was said since: in this order, or an end could hide a message."""
        turn = watched.turn
        run = await self._storage.of(user_id).execution(turn.run.id)
        said = await self._chats.of(user_id).messages(
            turn.chat_id, limit=MAX_MESSAGES, run_id=turn.run.id, after=watched.seen
        )
        return run, said

    def _new_run(self, user_id: UserId, chat_id: ChatId, key: str | None) -> NewExecution:
        run_id = self._clock.new_id() if key is None else derived_id(user_id, "chat", chat_id, key)
        pins: dict[str, Any] = {
            "session_id": chat_id,
            "model": self._model.name,
            "max_rounds": self._model.max_rounds,
            "max_tokens": self._model.max_tokens,
        }
        return NewExecution(
            id=ExecutionId(run_id),
            user_id=user_id,
            graph_id=GRAPH_ID,
            graph_version=VERSION,
            inputs={},
            masks={NODE_ID: pins},
            trigger=TRIGGER,
            created_us=self._clock.now_us(),
        )


class _Watched:
    """How far one client has come in one turn."""

    def __init__(self, turn: Turn, now_s: float) -> None:
        self.turn = turn
        self.frames = TurnFrames(turn.run.id)
        self.seen = turn.first
        self.heard_s = now_s

    def told(self, said: list[ChatMessage], now_s: float) -> list[Frame]:
        """Return the frames of messages that are new to this client."""
        if said:
            self.heard_s = now_s
        frames: list[Frame] = []
        for message in said:
            frames += self.frames.message(message)
            self.seen = message.number
        return frames


def _end_of(run: ExecutionRecord | None) -> tuple[str, str] | None:
    """Return what went wrong in a turn that is over, and its code; both empty if all is well."""
    if run is None:
        return "This turn was deleted.", STOPPED
    if run.status is Status.REVIEW:
        return (
            "This turn waits until a budget has room for it again, and goes on then.",
            WAITS,
        )
    if run.status not in FINAL:
        return None
    error = run.stats.error if run.stats else None
    if run.status is Status.TERMINATED:
        return "This turn was stopped.", STOPPED
    if run.status is Status.FAILED:
        return error or "This turn failed.", FAILED
    return "", ""

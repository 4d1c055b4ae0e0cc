"""One connection to RabbitMQ for a whole process, made anew whenever it is lost.

Whatever needs the broker joins with a *session*: a coroutine that is begun on each new connection
and cancelled with its loss. It opens channels of its own and declares what it needs each time.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import aiormq
import structlog
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

from backend.adapters.broker.address import for_library, shown
from backend.adapters.broker.reasons import refusal_of, why
from backend.adapters.broker.tls import context_for, hint_of
from backend.core.errors import CannotStart

log = structlog.get_logger(__name__)

T = TypeVar("T")
Session: TypeAlias = Callable[[AbstractConnection], Coroutine[Any, Any, None]]

#: Agreed with the broker: it cuts off who is silent for two to three of these.
_HEARTBEAT_S: Final = 8
_CONNECT_S: Final = 10.0
_CLOSE_S: Final = 2.0
#: A broker that is started with us may need so long.
_WAIT_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
#: How often it is looked at whether the broker still reads.
_LOOK_S: Final = 1.0
#: A session that lasted so long begins with short pauses again.
_LASTED_S: Final = 30.0

#: Why a broker reads nothing.
ALARM: Final = "it is short of memory or disk (rabbitmq-diagnostics alarms)"
#: What the library raises when something is wrong with a connection or a channel.
LOST: Final = (aiormq.AMQPError, OSError, TimeoutError, RuntimeError)


class Broker:
    """
    The connection, kept from `open` to `close`. Use it from one loop.

    Attributes:
        connections: How many connections there have been.
        losses: How many of them were lost.
        declaring: Held by who declares a quorum queue: two at once end the connection (RabbitMQ 3.10).
    """

    def __init__(self, url: str, *, service: str) -> None:
        """
        Remember where the broker is; connects nowhere yet.

        Args:
            url: Has passed `check_address`.
            service: What the broker's operator sees the connection named.
        """
        self._given = url
        self._url = for_library(url, heartbeat=_HEARTBEAT_S, name=service)
        self._context: ssl.SSLContext | None = None
        self._shown = shown(url)
        self._connection: AbstractConnection | None = None
        self._since = 0.0
        self._up = asyncio.Event()
        self._blocked_at: float | None = None
        self._lost: asyncio.Future[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._members: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.losses = 0
        self.declaring = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as can be seen."""
        return self._connection is not None

    @property
    def up_s(self) -> float:
        """For how many seconds the present connection has been there; 0 without one."""
        return asyncio.get_running_loop().time() - self._since if self.connected else 0.0

    @property
    def blocked_s(self) -> float:
        """
        For how many seconds the broker has read nothing from us; 0: it does.

        One that is short of memory or disk stops reading from who publishes, until its alarm ends.
        """
        if self._blocked_at is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._blocked_at

    async def open(self, *, wait_s: float = _WAIT_S) -> None:
        """
        Connect, and keep a connection from then on.

        Args:
            wait_s: So long a broker is waited for that does not answer.

        Raises:
            CannotStart: If it does not let us in, or is not there in time, or is not who it
                should be.
        """
        # It logs each attempt at `error`; what is worth saying is said here.
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)
        self._context = context_for(self._given)
        loop = asyncio.get_running_loop()
        begun, pause_s = loop.time(), _FIRST_PAUSE_S
        while True:
            try:
                connection = await self._connect()
                break
            except LOST as exc:
                if refusal := refusal_of(exc):
                    raise CannotStart(f"{self._shown} lets us not in: {refusal}") from exc
                if loop.time() - begun > wait_s:
                    hint = hint_of(self._given, exc)
                    raise CannotStart(f"{self._shown} does not answer: {why(exc)}{hint}") from exc
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._take(connection)
        self._keeper = asyncio.create_task(self._keep(connection), name="broker")

    def join(self, session: Session) -> "asyncio.Task[None]":
        """
        Run *session* on the present connection, and on each one after it. Also before `open`.

        A session that fails is begun again after a growing pause; one that returns is over.
        Cancel what this returns to leave; `close` ends all.
        """
        task = asyncio.create_task(self._attend(session))
        self._members.add(task)
        task.add_done_callback(self._members.discard)
        return task

    async def ask(
        self, question: Callable[[AbstractConnection], Coroutine[Any, Any, T]], *, limit_s: float
    ) -> T | None:
        """
        Return what *question* finds out; None if there is no connection, or it fails or is late.

        None, too, while the broker reads nothing: each question would take a channel of it.
        """
        connection, lost = self._connection, self._lost
        if connection is None or lost is None or is_blocked(connection):
            return None
        # A task of its own: what waits for a connection that closes is cancelled by the library.
        task = asyncio.create_task(question(connection))
        try:
            waited: list[asyncio.Future[Any]] = [task, lost]
            await asyncio.wait(waited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(task)
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        if not isinstance(error, LOST):
            raise error
        log.debug("broker_question_failed", reason=why(error))
        return None

    async def close(self) -> None:
        """End all sessions and the connection. Twice is harmless."""
        for task in [*self._members, self._keeper]:
            if task is not None:
                await end(task)
        self._keeper = None
        if self._connection is not None:
            connection = self._connection
            self._leave()
            await _close(connection)

    async def _connect(self) -> AbstractConnection:
        # A task of its own: the library cancels who waits for a connection that is cut at once.
        task = asyncio.ensure_future(aiormq.connect(self._url, context=self._context))
        try:
            await asyncio.wait([task], timeout=_CONNECT_S)
        except asyncio.CancelledError:
            await end(task)
            raise
        if not task.done():
            await end(task)
            raise TimeoutError
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or isinstance(error, StopAsyncIteration):
            raise ConnectionError("the connection was closed while it was made") from error
        return task.result()

    async def _keep(self, connection: AbstractConnection) -> None:
        while True:
            closing = connection.closing
            while not closing.done():
                await asyncio.wait([closing], timeout=_LOOK_S)
                self._note_alarm(connection)
            error = None if closing.cancelled() else closing.exception()
            self.losses += 1
            log.warning("broker_connection_lost", broker=self._shown, reason=why(error))
            self._leave()
            connection = await self._connect_again()
            self._take(connection)
            log.warning("broker_connected_again", broker=self._shown)

    def _note_alarm(self, connection: AbstractConnection) -> None:
        now_blocked = not connection.is_closed and is_blocked(connection)
        if now_blocked and self._blocked_at is None:
            self._blocked_at = asyncio.get_running_loop().time()
            log.warning("broker_takes_no_messages", broker=self._shown, reason=ALARM)
        elif not now_blocked and self._blocked_at is not None:
            after_s = round(self.blocked_s, 1)
            log.warning("broker_takes_messages_again", broker=self._shown, after_s=after_s)
            self._blocked_at = None

    async def _connect_again(self) -> AbstractConnection:
        pause_s, said = _FIRST_PAUSE_S, ""
        while True:
            # Not all of a cluster at once.
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 -- no secret
            try:
                return await self._connect()
            except LOST as exc:
                if why(exc) != said:
                    said = why(exc)
                    log.warning("broker_out_of_reach", broker=self._shown, reason=said)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _take(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        self._connection, self._since, self._lost = connection, loop.time(), loop.create_future()
        self.connections += 1
        self._up.set()

    def _leave(self) -> None:
        self._connection = self._blocked_at = None
        self._up.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    async def _attend(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._up.wait()
            connection, lost = self._connection, self._lost
            assert connection is not None
            assert lost is not None
            begun = loop.time()
            task = asyncio.create_task(session(connection))
            try:
                await asyncio.wait([task, lost], return_when=asyncio.FIRST_COMPLETED)
                is_over = task.done() and not task.cancelled() and task.exception() is None
            finally:
                await end(task)
            if is_over:
                return
            if not lost.done():
                error = None if task.cancelled() else task.exception()
                if loop.time() - begun > _LASTED_S:
                    pause_s = _FIRST_PAUSE_S
                _say(error, session)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel *task* and wait for its end; leaves what it raised in it."""
    while not task.done():
        # Again and again: in the middle of a connection the library takes it for an error of that.
        task.cancel()
        await asyncio.wait([task], timeout=_CLOSE_S)
    if not task.cancelled():
        task.exception()  # seen: nobody need be warned of it


def is_blocked(connection: AbstractConnection) -> bool:
    """Say whether the broker has told that it reads nothing from *connection* for now."""
    waiting = connection.ready()
    try:
        waiting.send(None)  # it returns at once, or would wait
    except StopIteration:
        return False
    waiting.close()
    return True


async def until_read(channel: AbstractChannel) -> None:
    """
    Wait until the broker reads what is published on *channel*; mostly it does.

    Raises:
        ConnectionError: If it is closed. What is not taken for it yet waits for the next one.
    """
    await channel.connection.ready()
    if channel.is_closed or channel.connection.is_closed:
        raise ConnectionError("the channel is closed")


@asynccontextmanager
async def open_channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Open a channel for the block. Messages on it are not confirmed: they are hints."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        yield channel
    finally:
        if not channel.is_closed:
            # In a task: it must not be taken for a cancellation when the library ends it.
            closing = asyncio.ensure_future(channel.close())
            if not is_blocked(connection):  # else nobody answers
                await asyncio.wait([closing], timeout=_CLOSE_S)


async def consume(
    channel: AbstractChannel,
    queue: str,
    got: Callable[[DeliveredMessage], Coroutine[Any, Any, None]],
    *,
    no_ack: bool = True,
) -> "asyncio.Future[None]":
    """
    Have *got* called with each message of *queue*. Calls begin in order, and may overlap.

    The queue's name is the consumer's tag.

    Returns:
        Done when the broker ends it, because the queue was deleted or its node is gone.
    """
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def ended(frame: aiormq.spec.Basic.Cancel | aiormq.spec.Basic.CancelOk) -> None:
        if frame.consumer_tag == queue and not over.done():
            over.set_result(None)

    channel.on_consumer_cancel_callbacks.add(ended)
    await channel.basic_consume(queue, got, no_ack=no_ack, consumer_tag=queue)
    return over


def tag_of(message: DeliveredMessage) -> int:
    """Return the number by which *message* is acknowledged on its channel."""
    assert message.delivery_tag is not None, "what is delivered has one"
    return message.delivery_tag


async def either(*works: Coroutine[Any, Any, None]) -> None:
    """Do all of *works* until the first one ends, and raise what it raised; the others are cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            await end(task)
    for task in done:
        await task


async def until_over(channel: AbstractChannel, *overs: "asyncio.Future[None]") -> None:
    """
    Wait until *channel* or one of its consumers is ended from outside, and raise then.

    Raises:
        ConnectionError: Always, in the end.
    """
    closing = channel.closing
    await asyncio.wait([closing, *overs], return_when=asyncio.FIRST_COMPLETED)
    if closing.done() and not closing.cancelled() and closing.exception() is not None:
        raise ConnectionError(f"a channel was closed: {why(closing.exception())}")
    raise ConnectionError("the broker ended a consumer: its queue is gone")


async def _close(connection: AbstractConnection) -> None:
    await asyncio.wait([asyncio.ensure_future(connection.close())], timeout=_CLOSE_S)


def _say(error: BaseException | None, session: Session) -> None:
    """Say why a session failed: the broker's doing is a warning, ours an error with its trace."""
    name = getattr(session, "__qualname__", repr(session))
    if error is None or isinstance(error, LOST):
        log.warning("broker_session_ended", session=name, reason=why(error))
    else:
        log.error("broker_session_failed", session=name, exc_info=error)

"""Signals within one machine, over a ZeroMQ socket in the data directory. They may be lost."""

from collections.abc import AsyncIterator
from typing import Final

import zmq

from backend.adapters.ipc import Inbox, bind, leave, open_socket
from backend.core.ids import ExecutionId, UserId
from backend.ports.dispatch import NOBODY, Signal, SignalKind

#: Signals that wait for an executor that does not read; more are dropped, and its sweep finds
#: those runs in storage.
_LIMIT: Final = 10_000

_KINDS: Final = {kind.value.encode(): kind for kind in SignalKind}


class LocalDispatcher:
    """The side that asks. Connects with the first signal; use it from one thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: zmq.Socket[bytes] | None = None
        self._closed = False

    def signal(self, kind: SignalKind, run_id: ExecutionId, user_id: UserId = NOBODY) -> None:
        if self._closed:
            return
        if self._socket is None:
            self._socket = open_socket(zmq.PUSH, limit=_LIMIT)
            self._socket.connect(self._path)
        try:
            self._socket.send(f"{kind.value} {run_id} {user_id}".encode(), zmq.NOBLOCK)
        except zmq.Again:
            return  # full: the executor's sweep finds the run

    async def close(self) -> None:
        self._closed = True
        if self._socket is not None:
            self._socket.close(0)


class LocalSignalSource:
    """The executor's side. Binds when `signals` is called, not before; use it from one thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inbox: Inbox | None = None

    def signals(self) -> AsyncIterator[list[Signal]]:
        """
        Yield what has arrived, in batches, until closed. Listens from this call on; call it once.

        Raises:
            CannotStart: If the socket cannot be bound.
        """
        socket = open_socket(zmq.PULL, limit=_LIMIT)
        bind(socket, self._path)
        self._inbox = Inbox(socket)
        return self._read(self._inbox)

    def want(self, runs: bool) -> None:  # noqa: FBT001 -- the port's
        """Go on listening: there is nobody else who could take them."""

    async def close(self) -> None:
        if self._inbox is not None:
            self._inbox.close()
            leave(self._path)

    async def _read(self, inbox: Inbox) -> AsyncIterator[list[Signal]]:
        while (messages := await inbox.batch()) is not None:
            signals = [signal for message in messages if (signal := _signal(message)) is not None]
            if signals:
                yield signals


def _signal(message: list[bytes]) -> Signal | None:
    """Return the signal; None for a kind that only another version knows, and for what is none."""
    kind, _, rest = message[0].partition(b" ")
    known = _KINDS.get(kind)
    try:
        run_id, _, user_id = rest.decode().partition(" ")
    except UnicodeDecodeError:
        return None
    return None if known is None else Signal(known, ExecutionId(run_id), UserId(user_id))

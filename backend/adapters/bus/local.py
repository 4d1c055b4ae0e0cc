"""Committed changes within one machine, over a ZeroMQ socket in the data directory.

On the wire a topic ends with a zero byte, because ZeroMQ matches by prefix. Beside each topic a
subscriber asks for a *marker*, a topic of its own that sorts after it. ZeroMQ sends wishes in
order, first and after each reconnect; so the publisher sees the marker when the topic is live,
and answers on it. That answer becomes `Attached`.

Between a wish and its marker there may be events: of them nobody knows what was lost before. So
every message names the publisher that sent it, and an event of one that has not answered for its
topic yet is taken for no more than a sign that something happened.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog
import zmq

from backend.adapters.bus.messages import BadMessage, decode, encode
from backend.adapters.ipc import Inbox, bind, leave, open_socket
from backend.core.json import NotJson
from backend.ports.bus import Attached, Change

log = structlog.get_logger(__name__)

#: Messages that wait for one subscriber. With the size limit it bounds what a subscriber that was
#: stopped by a signal can cost the executor: 128 MiB at the very worst.
_LIMIT: Final = 2000
#: A larger change travels as "look into storage".
_LARGEST: Final = 65_536
#: How long after a loss the subscribers are told, if the queue is not full any more.
_TELL_S: Final = 0.05

#: Enough that no two publishers are the same by chance.
_ID_BYTES: Final = 8

_MARKER: Final = b"\xff"  # sorts after every topic, and no UTF-8 text begins with it


class LocalPublisher:
    """
    The executor's side. Use it from the loop that serves it.

    What a subscriber lost because it was too slow it is told about later, by an empty message on
    the topic, which it takes as `Attached`.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: zmq.Socket[bytes] | None = None
        self._inbox: Inbox | None = None
        self._id = os.urandom(_ID_BYTES)
        self._wanted: set[bytes] = set()
        self._lossy: set[bytes] = set()

    def wanted(self, topic: str) -> bool:
        return _on_wire(topic) in self._wanted

    def publish(self, topic: str, change: Change) -> None:
        """Send *change*; Attached says that something changed of which there is no event."""
        name = _on_wire(topic)
        if name not in self._wanted:
            return
        try:
            message = b"" if isinstance(change, Attached) else encode(change)
        except NotJson as exc:
            log.warning("event_without_json_form", topic=topic, reason=str(exc))
            message = b""
        self._send(name, message if len(message) <= _LARGEST else b"")

    def tell_all(self) -> None:
        for name in tuple(self._wanted):
            self._send(name, b"")

    async def serve(self, ready: Callable[[], None]) -> None:
        """
        Keep track of who listens, until cancelled.

        Raises:
            CannotStart: If the socket cannot be bound.
        """
        socket = open_socket(zmq.XPUB, limit=_LIMIT)
        socket.setsockopt(zmq.XPUB_NODROP, 1)  # say when a queue is full
        bind(socket, self._path)
        self._socket, self._inbox = socket, Inbox(socket)
        try:
            ready()
            while (wishes := await self._inbox.batch()) is not None:
                for wish in wishes:
                    self._note(wish[0])
        finally:
            self._inbox.close()
            leave(self._path)
            self._socket = self._inbox = None
            self._wanted.clear()
            self._lossy.clear()

    def _note(self, wish: bytes) -> None:
        """Note that somebody wants a topic, or nobody any more."""
        wants, name = wish[:1] == b"\x01", wish[1:]
        if name.startswith(_MARKER):
            if wants:
                self._send(name, b"")
            return
        # Of several who want a topic ZeroMQ tells the first that comes and the last that leaves.
        if wants:
            self._wanted.add(name)
        else:
            self._wanted.discard(name)
            self._lossy.discard(name)

    def _send(self, name: bytes, message: bytes) -> None:
        socket, inbox = self._socket, self._inbox
        if socket is None or inbox is None:
            return
        if not self._try_send(socket, name, message):
            # Let those have it who can take it.
            socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._try_send(socket, name, message)
            socket.setsockopt(zmq.XPUB_NODROP, 1)
            if not self._lossy:
                asyncio.get_running_loop().call_later(_TELL_S, self._tell_of_losses)
            self._lossy.add(name)
        inbox.look()

    def _tell_of_losses(self) -> None:
        if self._socket is None or self._inbox is None:
            return
        socket = self._socket
        self._lossy = {name for name in self._lossy if not self._try_send(socket, name, b"")}
        if self._lossy:
            asyncio.get_running_loop().call_later(_TELL_S, self._tell_of_losses)
        self._inbox.look()

    def _try_send(self, socket: zmq.Socket[bytes], name: bytes, message: bytes) -> bool:
        """Say whether all who want it have it in their queues."""
        try:
            socket.send_multipart((name, message, self._id), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


class LocalSubscriber:
    """The WebSocket server's side. Connects with the first topic; use it from one loop."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._prefix = _MARKER + uuid.uuid4().bytes
        self._count = 0
        self._markers: dict[str, bytes] = {}
        self._asked: dict[bytes, str] = {}  #: topics by their marker
        self._answered: dict[str, bytes] = {}  #: topics, and the publisher that answered for them
        self._inbox: Inbox | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._closed = False

    def subscribe(self, topic: str) -> None:
        if topic in self._markers or self._closed:
            return
        # A number in it: the answer to an earlier subscription must not pass for this one's.
        self._count += 1
        marker = self._prefix + self._count.to_bytes(8)
        self._markers[topic], self._asked[marker] = marker, topic
        socket, inbox = self._connected()
        socket.setsockopt(zmq.SUBSCRIBE, _on_wire(topic))
        socket.setsockopt(zmq.SUBSCRIBE, marker)
        inbox.look()

    def unsubscribe(self, topic: str) -> None:
        if topic not in self._markers or self._closed:
            return
        marker = self._markers.pop(topic)
        del self._asked[marker]
        self._answered.pop(topic, None)
        socket, inbox = self._connected()
        socket.setsockopt(zmq.UNSUBSCRIBE, marker)
        socket.setsockopt(zmq.UNSUBSCRIBE, _on_wire(topic))
        inbox.look()

    async def changes(self) -> AsyncIterator[tuple[str, Change]]:
        """Yield (topic, change) until closed. One reader at a time."""
        if self._closed:
            return
        _, inbox = self._connected()
        while (messages := await inbox.batch()) is not None:
            for name, message, publisher in messages:
                if name.startswith(_MARKER):
                    topic = self._asked.get(name)
                    if topic is not None:
                        self._answered[topic] = publisher
                        yield topic, Attached(topic=topic)
                    continue
                topic = name[:-1].decode()
                if topic not in self._markers:
                    continue  # what was under way at the unsubscribe is not wanted
                is_live = self._answered.get(topic) == publisher
                yield topic, _change(topic, message) if is_live else Attached(topic=topic)

    async def close(self) -> None:
        self._closed = True
        if self._inbox is not None:
            self._inbox.close()

    def _connected(self) -> tuple[zmq.Socket[bytes], Inbox]:
        if self._socket is None or self._inbox is None:
            self._socket = open_socket(zmq.SUB, limit=_LIMIT)
            self._socket.connect(self._path)
            self._inbox = Inbox(self._socket)
        return self._socket, self._inbox


def _on_wire(topic: str) -> bytes:
    return topic.encode() + b"\0"


def _change(topic: str, message: bytes) -> Change:
    if not message:
        return Attached(topic=topic)
    try:
        return decode(message)
    except BadMessage as exc:
        # Of a version that we cannot read; storage has the rows in a form that we can.
        log.warning("event_not_understood", topic=topic, reason=str(exc))
        return Attached(topic=topic)

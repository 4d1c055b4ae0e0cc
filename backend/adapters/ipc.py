"""What all ZeroMQ adapters share: where their sockets lie, and reading one from the event loop."""

import asyncio
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

import zmq

from backend.core.errors import CannotStart

#: The kernel takes 107 bytes; some are left for the endings that tools add.
LONGEST_PATH_BYTES: Final = 100
#: An executor that comes back must not wait for those who talk to it.
RECONNECT_MS: Final = 50

_SCHEME: Final = "ipc://"
#: How the directories for sockets begin whose data directory has a long path.
_SHORT: Final = "agpt-"


def socket_path(data_dir: Path, name: str) -> str:
    """
    Return the address of the socket *name* of the server that lives in *data_dir*.

    Makes the directory for it, which nobody but its owner may enter. The same arguments give the
    same address in every process of one user.

    Raises:
        CannotStart: If that directory cannot be made, or is not ours.
    """
    data_dir = data_dir.absolute()
    path = data_dir / "run" / f"{name}.sock"
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        digest = hashlib.blake2b(os.fsencode(data_dir), digest_size=8).hexdigest()
        # Names of the environment that no setting of ours replaces.
        short = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
        path = short / f"{_SHORT}{digest}" / f"{name}.sock"
    if len(os.fsencode(path)) > LONGEST_PATH_BYTES:
        raise CannotStart(
            f"the socket path {path} is over {LONGEST_PATH_BYTES} bytes; "
            "set XDG_RUNTIME_DIR to a directory with a short path"
        )
    _make_private(path.parent)
    return f"{_SCHEME}{path}"


def open_socket(kind: int, *, limit: int) -> zmq.Socket[bytes]:
    """
    Return a new socket that never keeps a process from ending.

    The context is made on first use in each process: threads do not survive a fork.

    Args:
        kind: ``zmq.PUSH`` and so on.
        limit: How many messages may wait on each side.
    """
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, limit)
    socket.setsockopt(zmq.RCVHWM, limit)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    return socket


def bind(socket: zmq.Socket[bytes], address: str) -> None:
    """
    Bind *socket*; ZeroMQ replaces a file that a killed process left there.

    Whoever calls this holds the lock of the data directory: a living owner would lose its file.

    Raises:
        CannotStart: If the address cannot be used.
    """
    try:
        socket.bind(address)
    except zmq.ZMQError as exc:
        socket.close(0)
        raise CannotStart(f"cannot listen on {address}: {exc}") from exc


def leave(address: str) -> None:
    """
    Remove the file of a socket that was bound to *address*, and the short directory made for it.

    ZeroMQ would do so in a thread of its own, which seldom lives long enough in a process that
    ends. Call it with the lock of the data directory still held. Twice is harmless.
    """
    path = Path(address.removeprefix(_SCHEME))
    path.unlink(missing_ok=True)
    if path.parent.name.startswith(_SHORT):
        with suppress(OSError):  # the other socket's file is in it yet
            path.parent.rmdir()


class Inbox:
    """
    Reads one socket from the event loop, a batch at a time.

    ZeroMQ's descriptor tells that something *may* have changed, once; so everything that is there
    is read before each wait. Sending on the same socket can swallow that one signal: call `look`
    after it.
    """

    def __init__(self, socket: zmq.Socket[bytes], *, batch: int = 1000) -> None:
        self._socket = socket
        self._batch = batch
        self._waiter: asyncio.Future[None] | None = None
        self._watched: int | None = None  # the descriptor that the loop watches now

    async def batch(self) -> list[list[bytes]] | None:
        """Wait until there is something and return it, oldest first; None once it is closed."""
        loop = asyncio.get_running_loop()
        while not self._socket.closed:
            messages = self.read()
            if messages:
                return messages
            self._waiter = loop.create_future()
            self._watched = int(self._socket.getsockopt(zmq.FD))
            loop.add_reader(self._watched, self._wake)
            try:
                await self._waiter
            finally:
                self._unwatch()
                self._waiter = None
        return None

    def read(self) -> list[list[bytes]]:
        """Return what is there, up to one batch; never waits."""
        messages: list[list[bytes]] = []
        receive = self._socket.recv_multipart
        try:
            while len(messages) < self._batch:
                messages.append(receive(zmq.NOBLOCK))
        except zmq.Again:
            pass
        return messages

    def look(self) -> None:
        """Wake up whoever waits in `batch` if there is something."""
        if (
            self._waiter is not None
            and not self._socket.closed
            and int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN
        ):
            self._wake()

    def close(self) -> None:
        """Close the socket and wake up whoever waits in `batch`. Twice is harmless."""
        # ZeroMQ closes the descriptor in its own thread, and its number can be somebody else's at
        # once; the loop must have let go of it.
        self._unwatch()
        self._socket.close(0)
        self._wake()

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
        # In a directory for temporary files anybody may have been there first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise CannotStart(f"{directory} belongs to somebody else; remove it")
        if stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
            directory.chmod(0o700)
    except OSError as exc:
        raise CannotStart(f"cannot make the directory {directory}: {exc}") from exc

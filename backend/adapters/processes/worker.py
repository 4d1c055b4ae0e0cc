"""One worker process, seen from the executor: its start, its messages, its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

from backend.adapters.processes.frames import EXIT_MEMORY, HEAD, frame_of
from backend.core import json
from backend.core.errors import Unavailable
from backend.ports.processes import ProcessLimits

PROGRAM: Final = "backend.adapters.processes.program"
#: How long a process that was asked to end may clean up.
GRACE_S: Final = 0.5
_PIECE_BYTES: Final = 64 * 1024
_MEGABYTE: Final = 1024 * 1024


class Gone(Exception):
    """The process has ended."""


class Worker:
    """
    See the module. Every one that was started is ended by `end`.

    Attributes:
        rests: Whether its last call came to its end, so that it can take the next.
        calls: How many it has taken.
        size_bytes: How large it was after its last call.
        ending: Its one `end`, once that has begun.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: ProcessLimits,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._reading = asyncio.Lock()
        self.rests = True
        self.calls = 0
        self.size_bytes = 0
        self.idle_since_s = 0.0
        self.ending: asyncio.Task[str] | None = None

    @classmethod
    async def start(cls, limits: ProcessLimits, environment: Mapping[str, str]) -> Self:
        """
        Start one. Its output goes nowhere: blocks speak by what they yield.

        Must be called from the thread that lives as long as this process: the kernel ends the
        worker together with the thread that started it.

        Raises:
            Unavailable: If the system gives no process.
        """
        ours, theirs = socket.socketpair()
        try:
            process = _started(theirs, limits, environment)
        except OSError as exc:
            ours.close()
            raise Unavailable(f"no worker process can be started: {exc.strerror}") from exc
        finally:
            theirs.close()
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_PIECE_BYTES)
        except BaseException:
            ours.close()
            process.kill()
            process.wait()
            raise
        return cls(process, reader, writer, limits)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet, as far as has been heard."""
        return not self._reader.at_eof() and self._reader.exception() is None

    async def send(self, message: Any) -> None:
        """Hand it a call. Raises NotJson, TooLarge; that it has ended tells the answer."""
        frame = frame_of(message, self._limits.value_bytes)
        self.rests = False
        self.calls += 1
        with suppress(ConnectionError):
            self._writer.write(frame)
            await self._writer.drain()

    async def receive(self) -> Mapping[str, Any]:
        """Return its next message, and whatever it says about itself. Raises Gone."""
        try:
            async with self._reading:
                head = await self._reader.readexactly(HEAD.size)
                text = await self._reader.readexactly(HEAD.unpack(head)[0])
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise Gone from exc
        message: Mapping[str, Any] = json.loads(text)
        if "output" not in message:
            self.rests = True
            self.size_bytes = message["size_bytes"]
        return message

    async def end(self) -> str:
        """Ask it to end, kill it after a while with all that it has started; return how it ended."""
        # Nobody has waited for it yet, so that its number is nobody else's.
        os.kill(self._process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._drain()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        code = await asyncio.to_thread(self._process.wait)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        return self._how(code)

    async def _drain(self) -> None:
        """Read until its end, after whoever reads now."""
        async with self._reading:
            with suppress(ConnectionError):
                while await self._reader.read(_PIECE_BYTES):
                    pass

    def _how(self, code: int) -> str:
        if code == EXIT_MEMORY:
            most = self._limits.memory_bytes / _MEGABYTE
            return f"it needs more than {most:g} MB of memory (setting BLOCK_PROCESS_MEMORY_MB)"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            return f"its process was killed by {name}"
        return f"its process ended with exit code {code}"


def _started(
    theirs: socket.socket, limits: ProcessLimits, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    descriptor = theirs.fileno()
    numbers = (descriptor, os.getpid(), limits.memory_bytes, limits.value_bytes)
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own program
        # Safe path: what lies in the working directory is nothing to it.
        [sys.executable, "-P", "-m", PROGRAM, *map(str, numbers)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        pass_fds=(descriptor,),
        # A group of its own: Ctrl-C on the terminal is the supervisor's, and `end` reaches all
        # that a block has started.
        start_new_session=True,
    )

"""One tool server on this machine that runs: its start, its messages, its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from backend.core import json
from backend.core.credentials import Secret
from backend.core.errors import AgentServerError, WebFailed, WebTooLarge
from backend.core.ids import UserId
from backend.core.redaction import Redactor

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_PIECE_BYTES: Final = 64 * 1024
_MEGABYTE: Final = 1024 * 1024
#: How long a server may go on by itself when it is not needed any more.
GRACE_S: Final = 0.3
#: Until its keeper has killed all, on a very busy machine.
_END_S: Final = 10.0
#: Of what it writes beside its answers, the last is told where it fails.
_SAID_BYTES: Final = 2_000


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    """
    A server that the administrator has defined.

    Attributes:
        command: The program, by its whole path, and its arguments.
        environment: All that it is told of it.
        folder: Where it works.
        users: Who may use it; None: everybody.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, Secret] = field(default_factory=dict)
    folder: str = "/"
    users: frozenset[UserId] | None = None

    def is_for(self, user_id: UserId) -> bool:
        """Say whether *user_id* may use it."""
        return self.users is None or user_id in self.users


@dataclass(frozen=True, kw_only=True)
class LocalLimits:
    """
    How much servers may take.

    Attributes:
        count: That live at once; whoever wants a further one waits.
        memory_bytes: Of one with all that it has started.
        output_bytes: That one says in one visit.
    """

    count: int = 8
    memory_bytes: int = 1024 * _MEGABYTE
    output_bytes: int = 8 * _MEGABYTE


class LocalVisit:
    """
    See the module. Every one that was started is ended by `end`.

    Attributes:
        broken: Why it cannot be used any more, once that is known.
    """

    def __init__(
        self,
        server: LocalServer,
        limits: LocalLimits,
        process: subprocess.Popen[bytes],
        sockets: tuple[socket.socket, socket.socket, socket.socket],
    ) -> None:
        self._server = server
        self._limits = limits
        self._process = process
        self._talk, self._aside, self._control = sockets
        self._said = bytearray()
        self._left = limits.output_bytes
        self._told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.broken: AgentServerError | None = None

    @classmethod
    async def start(cls, server: LocalServer, limits: LocalLimits) -> Self:
        """
        Start *server*, from the thread that lives longest.

        Raises:
            WebFailed: If the system gives no process.
        """
        pairs = [socket.socketpair() for _ in range(3)]
        ours = (pairs[0][0], pairs[1][0], pairs[2][0])
        try:
            process = _started(pairs[0][1], pairs[1][1], pairs[2][1])
        except OSError as exc:
            _close(*ours)
            raise WebFailed(f"no tool server can be started: {exc.strerror}") from exc
        finally:
            _close(*(theirs for _, theirs in pairs))
        visit = cls(server, limits, process, ours)
        try:
            await visit._begin()
        except BaseException:
            await asyncio.shield(visit.end())
            raise
        return visit

    @asynccontextmanager
    async def transport(self) -> AsyncIterator["TransportStreams"]:
        """Give the streams of messages that a client of the protocol wants; once."""
        import anyio  # noqa: PLC0415 - comes with the library of the protocol
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 - heavy

        told, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, asked = anyio.create_memory_object_stream[SessionMessage](0)
        reader, writer = await asyncio.open_unix_connection(
            sock=self._talk, limit=self._limits.output_bytes
        )

        async def read() -> None:
            async with told:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    async for message in self._messages(reader):
                        await told.send(message)

        async def write() -> None:
            async with asked:
                with suppress(ConnectionError):  # that it has ended is told by its end
                    async for message in asked:
                        text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                        writer.write(text.encode() + b"\n")
                        await writer.drain()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            try:
                yield incoming, outgoing
            finally:
                tasks.cancel_scope.cancel()
                incoming.close()
                outgoing.close()
                writer.close()  # by this the server knows that it is to end

    async def end(self) -> None:
        """End it with all that it has started, and wait for that."""
        loop = asyncio.get_running_loop()
        self._talk.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await asyncio.shield(self._told)
        for one in (self._aside, self._control):
            loop.remove_reader(one)
        _close(self._aside, self._control)  # its keeper sees this, and kills what is left
        if not await asyncio.to_thread(self._has_ended):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)
        self._told.cancel()

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        for one in (self._talk, self._aside, self._control):
            one.setblocking(False)
        loop.add_reader(self._aside, self._hear)
        loop.add_reader(self._control, self._note_end)
        server = self._server
        order = {
            "command": list(server.command),
            "env": {name: value.reveal() for name, value in server.environment.items()},
            "folder": server.folder,
            "memory_bytes": self._limits.memory_bytes,
        }
        with suppress(ConnectionError):  # that it has ended is told by its end
            await loop.sock_sendall(self._control, json.dumps(order) + b"\n")

    async def _messages(self, reader: asyncio.StreamReader) -> AsyncIterator[Any]:
        """Yield what it says; `broken` says why that has come to an end."""
        from mcp.shared.message import SessionMessage  # noqa: PLC0415 - heavy
        from mcp_types import jsonrpc_message_adapter  # noqa: PLC0415 - heavy

        while self.broken is None:
            try:
                line = await reader.readline()
            except ConnectionError:
                line = b""
            except ValueError:
                self._left = -1  # one line that is longer than all may be
                line = b"\n"
            self._left -= len(line)
            if self._left < 0:
                most = self._limits.output_bytes / 1024
                self.broken = WebTooLarge(
                    f"{self._name} says more than {most:g} KB (setting MCP_SERVER_OUTPUT_KB)"
                )
            elif not line:
                self.broken = await self._why_ended()
            else:
                # A greeting and the like is no message, and does no harm.
                with suppress(ValueError):
                    said = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    yield SessionMessage(said)

    async def _why_ended(self) -> AgentServerError:
        told = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                told = await asyncio.shield(self._told)
        self._hear()
        told = told or {}
        if "over" in told:
            most = self._limits.memory_bytes / _MEGABYTE
            return WebFailed(
                f"{self._name} was ended: it needs more than {most:g} MB of memory"
                " (setting MCP_SERVER_MEMORY_MB)"
            )
        if "failed" in told:
            return WebFailed(f"{self._name} cannot be started: {told['failed']}")
        words = Redactor(self._server.environment.values()).text(
            bytes(self._said).decode("utf-8", "replace").strip()
        )
        how = f" with code {told['code']}" if "code" in told else ""
        return WebFailed(f"{self._name} ended{how}{': ' if words else ''}{words}")

    @property
    def _name(self) -> str:
        return f"the tool server {self._server.name!r}"

    def _hear(self) -> None:
        """Take what it writes aside, for the case that it fails."""
        try:
            piece = self._aside.recv(_PIECE_BYTES)
        except OSError:
            return
        if not piece:
            asyncio.get_running_loop().remove_reader(self._aside)
        self._said += piece
        del self._said[:-_SAID_BYTES]

    def _note_end(self) -> None:
        """Take what its keeper tells: one line, when nothing is left of the server."""
        try:
            line = self._control.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            line = b""
        asyncio.get_running_loop().remove_reader(self._control)
        if not self._told.done():
            self._told.set_result(json.loads(line) if line else None)

    def _has_ended(self) -> bool:
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return False
        return True


def _started(
    talk: socket.socket, aside: socket.socket, control: socket.socket
) -> subprocess.Popen[bytes]:
    """Start the keeper. What it starts it is told by *control*: arguments can be read by all."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own program
        [sys.executable, "-I", "-S", str(_KEEPER), str(control.fileno())],
        stdin=talk.fileno(),
        stdout=talk.fileno(),
        stderr=aside.fileno(),
        env={},
        cwd="/",
        pass_fds=(control.fileno(),),
        # A group of its own: Ctrl-C on the terminal is the supervisor's.
        start_new_session=True,
    )


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        one.close()

"""Sandboxes of bubblewrap: a process in namespaces of its own, with limits, watched from outside."""

import asyncio
import itertools
import os
import signal
import socket
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from backend.adapters.sandbox import jail, seccomp
from backend.adapters.sandbox.rooms import GRACE_S, TIME_SETTING, over
from backend.core import json
from backend.core.errors import NotConfigured, ProcessEnded, Unavailable
from backend.core.json import NotJson
from backend.ports.sandbox import CodeOutcome, CodeStep, SandboxLimits

_HEAD: Final = struct.Struct(">I")
_PIECE_BYTES: Final = 64 * 1024
#: Memory is looked at so often; the kernel bounds each process in between.
_LOOK_S: Final = 0.1
_MEGABYTE: Final = 1024 * 1024
#: On a very busy machine.
_START_S: Final = 20.0
_LANGUAGES: Final = ("python", "bash")


class Bubblewrap:
    """See backend.adapters.sandbox.rooms.Maker. Start from the thread that lives longest."""

    def __init__(self, limits: SandboxLimits) -> None:
        self._limits = limits
        self._numbers = itertools.count(os.getpid() * 64)
        self._filter = seccomp.program()

    async def start(self, life_s: float) -> "JailSession":
        """See the protocol. The kernel ends it together with the thread that started it."""
        ours, theirs = socket.socketpair()
        out, err = os.pipe(), os.pipe()
        try:
            process = self._started(theirs.fileno(), out[1], err[1], life_s)
        except OSError as exc:
            ours.close()
            _close(out[0], err[0])
            raise Unavailable(f"no sandbox can be started: {exc.strerror}") from exc
        except BaseException:
            ours.close()
            _close(out[0], err[0])
            raise
        finally:
            theirs.close()
            _close(out[1], err[1])
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_PIECE_BYTES)
        session = JailSession(process, reader, writer, (out[0], err[0]), self._limits)
        session.watch()
        try:
            await session.ready()
        except BaseException:
            await asyncio.shield(session.end())
            raise
        return session

    async def close(self) -> None:
        """See the protocol. They share nothing."""

    def _started(self, channel: int, out: int, err: int, life_s: float) -> subprocess.Popen[bytes]:
        passed = [channel]
        filtered = None
        try:
            if self._filter is not None:
                filtered, end = os.pipe()
                passed.append(filtered)
                with os.fdopen(end, "wb") as pipe:  # far smaller than what a pipe holds
                    pipe.write(self._filter)
            user = jail.user_of(next(self._numbers))
            words = jail.command(
                self._limits, channel=channel, seccomp=filtered, life_s=life_s, user=user
            )
            return subprocess.Popen(  # noqa: S603 - a list, made here; the code is no part of it
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={},
                cwd="/",
                pass_fds=passed,
                start_new_session=True,
            )
        finally:
            if filtered is not None:
                os.close(filtered)


class JailSession:
    """See backend.adapters.sandbox.rooms.Session."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pipes: tuple[int, int],
        limits: SandboxLimits,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._pipes = pipes
        self._limits = limits
        self._printed = (bytearray(), bytearray())
        self._broken: ProcessEnded | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ended: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id of bubblewrap itself, whose end is that of all inside."""
        return self._process.pid

    def watch(self) -> None:
        """Begin to look at what it prints, and at its memory."""
        loop = asyncio.get_running_loop()
        for number, pipe in enumerate(self._pipes):
            os.set_blocking(pipe, False)
            loop.add_reader(pipe, self._read, number)
        self._watching = loop.create_task(self._watch_memory())

    async def ready(self) -> None:
        """Wait until it is all there. Raises Unavailable with what bubblewrap says, if it is not."""
        try:
            async with asyncio.timeout(_START_S):
                await self._told()
        except TimeoutError as exc:
            raise Unavailable(f"a sandbox did not start within {_START_S:g} s") from exc
        except ProcessEnded as exc:
            raise Unavailable(f"no sandbox can be started: {exc}") from exc

    async def run(self, step: CodeStep, *, time_s: float) -> CodeOutcome:
        """See the protocol."""
        if step.language not in _LANGUAGES:
            raise NotConfigured(
                f"the sandbox of this server runs {' and '.join(_LANGUAGES)}, not {step.language}: "
                "give e2b credentials for that"
            )
        for printed in self._printed:
            printed.clear()
        try:
            async with asyncio.timeout(time_s):
                answer = await self._asked(step)
        except TimeoutError as exc:
            self._break(over(f"it needs more than {time_s:.3g} s", TIME_SETTING))
            raise self._end_words() from exc
        for number in range(len(self._pipes)):
            self._read(number)
        if self._broken is not None:
            raise self._broken
        return self._outcome(answer)

    async def end(self) -> None:
        """See the protocol."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_task(self._end())
        await asyncio.shield(self._ended)

    async def _asked(self, step: CodeStep) -> Any:
        # Halves of characters have no place in JSON.
        code = step.code.encode("utf-8", "replace").decode()
        body = json.dumps({"code": code, "language": step.language})
        with suppress(ConnectionError):  # that it has ended tells the answer
            self._writer.write(_HEAD.pack(len(body)) + body)
            await self._writer.drain()
        return await self._told()

    async def _told(self) -> Any:
        """Return the next thing that it says. Raises ProcessEnded."""
        try:
            (size,) = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            # Base64 and JSON make more of it; what is far larger does not come from our program.
            if size > 8 * self._limits.output_bytes + _PIECE_BYTES:
                self._break(self._too_much())
                raise self._end_words()
            return json.loads(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise self._end_words() from exc
        except NotJson as exc:
            self._break(ProcessEnded("the sandbox answered nonsense"))
            raise self._end_words() from exc

    def _outcome(self, answer: Any) -> CodeOutcome:
        """Return what was told, trusting none of it."""
        if not isinstance(answer, dict):
            raise ProcessEnded("the sandbox answered nonsense")
        stdout, stderr = (bytes(printed).decode("utf-8", "replace") for printed in self._printed)
        error = answer.get("error")
        results = answer.get("results")
        results = results if isinstance(results, list) else []
        if len(json.dumps(results)) > self._limits.output_bytes:
            raise self._too_much()
        if error is not None and answer.get("status") and stderr.strip():
            error = f"{error}: {stderr.strip()[-2000:]}"
        return CodeOutcome(
            stdout=stdout,
            stderr=stderr,
            results=tuple(one for one in results[:1] if isinstance(one, dict)),
            error=None if error is None else str(error)[-64 * 1024 :],
        )

    def _read(self, number: int) -> None:
        """Take what was printed; over the limit all ends."""
        printed, pipe = self._printed[number], self._pipes[number]
        while self._broken is None:
            try:
                piece = os.read(pipe, _PIECE_BYTES)
            except (BlockingIOError, OSError):
                return
            if not piece:
                asyncio.get_running_loop().remove_reader(pipe)
                return
            printed += piece
            if sum(map(len, self._printed)) > self._limits.output_bytes:
                self._break(self._too_much())

    def _too_much(self) -> ProcessEnded:
        most = self._limits.output_bytes / 1024
        return over(f"its output is larger than {most:g} KB", "CODE_SANDBOX_OUTPUT_KB")

    async def _watch_memory(self) -> None:
        most = self._limits.memory_bytes
        while await asyncio.to_thread(_resident, self.pid) <= most:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(_LOOK_S)
        what = f"it needs more than {most / _MEGABYTE:g} MB of memory"
        self._break(over(what, "CODE_SANDBOX_MEMORY_MB"))

    def _break(self, why: ProcessEnded) -> None:
        """End it at once, for a reason that whoever waits is told."""
        if self._broken is None:
            self._broken = why
            self._kill()

    def _end_words(self) -> ProcessEnded:
        if self._broken is None:
            self._read(1)
            said = bytes(self._printed[1]).decode("utf-8", "replace").strip()[-500:]
            self._broken = ProcessEnded(
                f"the sandbox ended before its code did{said and ': '}{said}"
            )
        return self._broken

    def _kill(self) -> None:
        # Nobody has waited for it yet, so that its number is nobody else's.
        if self._process.returncode is not None:
            return
        inner = _children(self.pid)
        for pid in inner or [self.pid]:
            # The first process of its namespace: the kernel ends all others before it is gone, and
            # bubblewrap waits for it.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    async def _end(self) -> None:
        loop = asyncio.get_running_loop()
        self._kill()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if not await asyncio.to_thread(self._has_ended):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)
        for pipe in self._pipes:
            loop.remove_reader(pipe)
        _close(*self._pipes)
        self._writer.close()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._writer.wait_closed()

    def _has_ended(self) -> bool:
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return False
        return True


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _resident(pid: int) -> int:
    """Return the bytes of memory of *pid* and of all that it has started; 0 if it has ended."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        with suppress(OSError, ValueError):
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            total += pages * os.sysconf("SC_PAGE_SIZE")
        waiting += _children(one)
    return total


def _children(pid: int) -> list[int]:
    """Return what *pid* has started and what has not ended."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found

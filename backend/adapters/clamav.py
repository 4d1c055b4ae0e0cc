"""Virus scans by clamd, over TCP: the operator's own, named in the settings, or one on this machine."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from backend.core.errors import BadRequest, Unavailable

_CONNECT_S: Final = 2.0
#: For one piece to be taken, and for the verdict.
_ANSWER_S: Final = 60.0
_LONGEST_ANSWER: Final = 4096
_REMEMBERED_S: Final = 60.0
_END: Final = b"\0\0\0\0"


@dataclass(kw_only=True)
class _Talk:
    """A session with clamd: it numbers the commands, and each answer names the one it is for."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    asked: int = 0

    def ask(self, command: bytes) -> None:
        self.asked += 1
        self.writer.write(b"z" + command + b"\0")

    async def answer(self) -> str:
        """Return the answer to the last command without its number; another's counts as none."""
        found = await self.reader.readuntil(b"\0")
        number, _, text = found[:-1].decode("utf-8", "replace").strip().partition(": ")
        return text if number == str(self.asked) else ""

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


class ClamdScanner:
    """
    See VirusScanner.

    Where the operator has named a clamd, a file that it cannot look at is refused. Else one on
    this machine is used if it answers, and nothing is looked at where there is none.
    """

    def __init__(self, host: str, port: int) -> None:
        self._is_named = bool(host)
        self._host = host or "127.0.0.1"
        self._port = port
        self._said = ""
        self._said_at_s = -_REMEMBERED_S

    async def checked(self, content: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        talk = await self._begin()
        if talk is None:
            async for piece in content:
                yield piece
            return
        try:
            async for piece in content:
                await self._send(talk, len(piece).to_bytes(4, "big") + piece if piece else b"")
                yield piece
            await self._send(talk, _END)
            self._judge(await self._answer(talk))
        finally:
            await talk.close()

    async def said(self) -> str:
        if time.monotonic() - self._said_at_s >= _REMEMBERED_S:
            self._said = await self._looked_at()
            self._said_at_s = time.monotonic()
        return self._said

    async def _looked_at(self) -> str:
        try:
            talk = await self._connected()
        except Unavailable as exc:
            if self._is_named:
                return f"no file is taken: {exc}"
            return f"off: no clamd answers at {self._host}:{self._port}"
        await talk.close()
        return f"on, by clamd at {self._host}:{self._port}"

    async def _begin(self) -> _Talk | None:
        """Begin a scan; None where there is nobody who could."""
        try:
            talk = await self._connected()
        except Unavailable:
            if self._is_named:
                raise
            return None
        talk.ask(b"INSTREAM")
        return talk

    async def _connected(self) -> _Talk:
        """Return a session with what has answered like clamd; anybody may have that port."""
        talk = await self._opened()
        try:
            talk.writer.write(b"zIDSESSION\0")
            talk.ask(b"PING")
            async with asyncio.timeout(_CONNECT_S):
                await talk.writer.drain()
                answer = await talk.answer()
            if answer == "PONG":
                return talk
            reason = "it does not answer like clamd"
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            reason = str(exc) or "it does not answer in time"
        except BaseException:
            talk.writer.close()
            raise
        await talk.close()
        raise Unavailable(
            f"the virus scanner at {self._host}:{self._port} cannot be used: {reason}"
        )

    async def _opened(self) -> _Talk:
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, limit=_LONGEST_ANSWER
                )
        except OSError as exc:
            reason = exc.strerror or str(exc) or "no answer in time"
            raise Unavailable(
                f"the virus scanner at {self._host}:{self._port} cannot be reached: {reason}"
            ) from exc
        return _Talk(reader=reader, writer=writer)

    async def _send(self, talk: _Talk, data: bytes) -> None:
        try:
            talk.writer.write(data)
            async with asyncio.timeout(_ANSWER_S):
                await talk.writer.drain()
        except OSError as exc:
            # It says why before it hangs up, when a file is too large for it.
            self._judge(await self._answer(talk))
            raise Unavailable("the virus scanner hung up before the end of the file") from exc

    async def _answer(self, talk: _Talk) -> str:
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await talk.answer()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as exc:
            raise Unavailable("the virus scanner gave no answer about the file") from exc

    def _judge(self, answer: str) -> None:
        verdict = answer.removeprefix("stream: ")
        if verdict == "OK":
            return
        if verdict.endswith(" FOUND"):
            name = verdict.removesuffix(" FOUND")[:200]
            raise BadRequest(f"the file was not taken: the virus scanner found {name!r} in it")
        if "size limit exceeded" in verdict.lower():
            raise BadRequest("the file is larger than the virus scanner looks at")
        raise Unavailable(f"the virus scanner could not look at the file: {verdict[:200]!r}")

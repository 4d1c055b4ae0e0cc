"""A line to an IMAP server (RFC 3501): commands out, answers in, each within bounds."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NoReturn

from backend.core.errors import BadRequest, TooLarge, WebFailed, WebRefused

#: Of one line of an answer, without what comes as a literal.
LINE_BYTES: Final = 256 * 1024
_MAX_ANSWERS: Final = 10_000  #: to one command
_SHOWN: Final = 200
_LITERAL: Final = re.compile(rb"\{(\d{1,12})\}$")
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_WORDS_ASIDE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One untagged answer: its text, in which each literal is left out, and the literals."""

    text: bytes
    literals: Sequence[bytes] = field(default=(), repr=False)


class ImapLine:
    """
    Commands, one after the other. A line that has failed is of no further use.

    Args:
        max_bytes: Of the literals of one answer; what is longer is not read.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_bytes: int
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.max_bytes = max_bytes
        self._number = 0

    async def greeting(self) -> None:
        """Read the server's first words. Raises WebFailed if they are no welcome."""
        text = (await self._answer()).text
        if not text.upper().startswith((b"* OK", b"* PREAUTH")):
            # Not its words: whoever listens there need not be a mail server.
            raise WebFailed("the mail server did not let us begin")

    async def command(self, *parts: str | bytes) -> list[Answer]:
        """
        Send a command and return the untagged answers to it.

        Args:
            parts: Put together with spaces. Bytes are sent as a literal: they may hold anything.

        Raises:
            BadRequest: If the server says NO; with its words.
            WebFailed: If it says BAD or BYE, or something that is no answer.
            TooLarge: If an answer is longer than it may be.
        """
        tag = self._tag()
        line = tag
        for part in parts:
            if isinstance(part, bytes):
                await self._send(f"{line} {{{len(part)}}}\r\n".encode())
                await self._go_ahead(tag)
                self._writer.write(part)
                line = ""
            else:
                line += f" {part}"
        await self._send(f"{line}\r\n".encode())
        return await self._until(tag)

    async def idle(self, *, limit_s: float) -> bool:
        """Wait until the server tells that mail has come; False after *limit_s*."""
        tag = self._tag()
        await self._send(f"{tag} IDLE\r\n".encode())
        await self._go_ahead(tag)
        is_news = False
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not is_news:
                    text = (await self._answer()).text.upper()
                    if text.startswith((b"* BYE", tag.encode())):
                        raise WebFailed("the mail server has ended the connection")
                    is_news = text.endswith((b" EXISTS", b" RECENT"))
        if is_news:
            await self._send(b"DONE\r\n")
            await self._until(tag)
        # Else a line may have been cut in the middle: whoever waited in vain opens a new one.
        return is_news

    def close(self) -> None:
        """End it, whatever is under way."""
        self._writer.close()

    def _tag(self) -> str:
        self._number += 1
        return f"a{self._number}"

    async def _send(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as exc:
            raise _broke(exc) from exc

    async def _go_ahead(self, tag: str) -> None:
        for _ in range(_MAX_ANSWERS):
            text = (await self._answer()).text
            if text.startswith(b"+"):
                return
            if text.startswith(f"{tag} ".encode()):
                _refused(text, tag)
        raise WebFailed("the mail server talks without end")

    async def _until(self, tag: str) -> list[Answer]:
        answers: list[Answer] = []
        for _ in range(_MAX_ANSWERS):
            answer = await self._answer()
            if answer.text.startswith(f"{tag} ".encode()):
                if answer.text[len(tag) + 1 :].upper().startswith(b"OK"):
                    return [*answers, answer]
                _refused(answer.text, tag)
            if answer.text.upper().startswith(b"* BYE"):
                raise WebFailed(f"the mail server ended it: {words(answer.text)}")
            answers.append(answer)
        raise WebFailed("the mail server talks without end")

    async def _answer(self) -> Answer:
        text, literals, left = b"", list[bytes](), self.max_bytes
        try:
            while True:
                line = (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
                found = _LITERAL.search(line)
                if found is None:
                    return Answer(text=text + line, literals=literals)
                text += line[: found.start()]
                size = int(found[1])
                left -= size
                if left < 0 or len(text) > LINE_BYTES:
                    raise TooLarge("the mail server sends more than was asked for")
                literals.append(await self._reader.readexactly(size))
        except asyncio.LimitOverrunError as exc:
            raise TooLarge("the mail server sends a line without end") from exc
        except (OSError, EOFError, ssl.SSLError) as exc:
            raise _broke(exc) from exc


def quoted(text: str) -> str | bytes:
    """Return *text* as a command takes it: quoted, or as a literal if it holds more than ASCII."""
    if not _PLAIN.fullmatch(text):
        return text.encode()
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(text: bytes) -> str:
    """Return what a server says, so that it can be shown: one line, and not too long."""
    return _WORDS_ASIDE.sub(" ", text.decode("utf-8", "replace"))[:_SHOWN]


def require_encrypted(*, encrypted: bool, trusted: bool) -> None:
    """Refuse to show a password where others could read it."""
    if not encrypted and not trusted:
        raise WebRefused(
            "this mail server offers no encryption (STARTTLS), so it gets no password; use port "
            "993, or let an operator allow it with TRUST_ENDPOINTS_FOR_REQUESTS"
        )


def _broke(exc: Exception) -> WebFailed:
    return WebFailed(f"the line to the mail server broke: {type(exc).__name__}")


def _refused(text: bytes, tag: str) -> NoReturn:
    said = text[len(tag) + 1 :]
    if said.upper().startswith(b"NO"):
        raise BadRequest(f"the mail server refuses: {words(said[2:]).strip()}")
    raise WebFailed("the mail server does not understand what is asked")

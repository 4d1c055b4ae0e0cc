"""Mailboxes over IMAP, at servers that users name: dials only what the gate has checked."""

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from backend.adapters.mail.dial import dial, require_port
from backend.adapters.mail.imap_line import (
    LINE_BYTES,
    Answer,
    ImapLine,
    quoted,
    require_encrypted,
    words,
)
from backend.adapters.web.gate import Gate
from backend.adapters.web.trust import TrustList, canonical
from backend.core.errors import BadRequest, TooLarge, WebFailed, WebTimedOut
from backend.ports.mail import MailServer
from backend.ports.mailbox import MailHead

#: Where IMAP servers listen.
IMAP_PORTS: Final = frozenset({143, 993})
_ENCRYPTED_PORT: Final = 993
_HEAD_BYTES: Final = 64 * 1024
_HEADS: Final = "BODY.PEEK[HEADER.FIELDS (FROM SUBJECT MESSAGE-ID)]"
_UID: Final = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d{1,12})\b")
_VALIDITY: Final = re.compile(rb"\[UIDVALIDITY (\d{1,10})\]", re.IGNORECASE)
_NEXT: Final = re.compile(rb"\[UIDNEXT (\d{1,10})\]", re.IGNORECASE)
_QUOTED_BODY: Final = re.compile(rb'BODY\[\] "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_LARGEST_UID: Final = 2**32 - 1


class GuardedMailboxes:
    """
    See backend.ports.mailbox.Mailboxes.

    Args:
        trust: The operator's list. A server on it may be private, and may do without encryption.
        tls: Instead of the system's certificates.
        limit_s: For one command and its answer.
    """

    def __init__(
        self,
        gate: Gate,
        trust: TrustList,
        *,
        tls: ssl.SSLContext | None = None,
        limit_s: float = 60.0,
    ) -> None:
        self._gate = gate
        self._trust = trust
        self._tls = tls
        self._limit_s = limit_s

    @asynccontextmanager
    async def open(self, server: MailServer, name: str) -> AsyncIterator["ImapMailbox"]:
        host = canonical(server.host)
        trusted = self._trust.covers("imap", host, server.port)
        require_port(self._trust, "imap", host, server.port, IMAP_PORTS)
        try:
            async with asyncio.timeout(self._limit_s):
                line = await self._line(host, server.port, trusted=trusted)
        except TimeoutError as exc:
            raise WebTimedOut(
                f"the mail server {host} took longer than {self._limit_s:g} s"
            ) from exc
        box = ImapMailbox(line, limit_s=self._limit_s)
        try:
            await box.begin(server, name)
            yield box
        finally:
            await box.end()

    async def _line(self, host: str, port: int, *, trusted: bool) -> ImapLine:
        raw = await dial(self._gate, host, port, trusted=trusted)
        try:
            encrypted = port == _ENCRYPTED_PORT
            if not encrypted:
                # Before the streams: what a stranger puts behind the answer must not be taken
                # for words of the server once the line is encrypted.
                encrypted = await _start_tls(raw)
            require_encrypted(encrypted=encrypted, trusted=trusted)
            reader, writer = await asyncio.open_connection(
                sock=raw,
                limit=LINE_BYTES,
                ssl=await self._context() if encrypted else None,
                server_hostname=host if encrypted else None,
            )
        except (OSError, ssl.SSLError) as exc:
            raw.close()
            raise WebFailed(f"the line to the mail server broke: {type(exc).__name__}") from exc
        except BaseException:
            raw.close()
            raise
        line = ImapLine(reader, writer, max_bytes=_HEAD_BYTES)
        if port == _ENCRYPTED_PORT:
            await line.greeting()
        return line

    async def _context(self) -> ssl.SSLContext:
        # When it is first needed: the system's certificates are two megabytes, and they are read
        # from the disk.
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


class ImapMailbox:
    """See backend.ports.mailbox.Mailbox."""

    def __init__(self, line: ImapLine, *, limit_s: float) -> None:
        self._line = line
        self._limit_s = limit_s
        self.can_wait = False
        self.validity = 0
        self.next_uid = 1

    async def begin(self, server: MailServer, name: str) -> None:
        """Log in and open *name* to be read."""
        try:
            await self._command(
                "LOGIN", quoted(server.username.reveal()), quoted(server.password.reveal())
            )
        except BadRequest as exc:
            raise BadRequest(
                f"the mail server refused the login: {str(exc).partition(': ')[2]}"
            ) from exc
        # Some say only then what they can.
        said = b" ".join(one.text for one in await self._command("CAPABILITY")).upper()
        self.can_wait = b" IDLE" in said
        try:
            answers = await self._command("EXAMINE", quoted(_utf7(name)))
        except BadRequest as exc:
            raise BadRequest(f"the mailbox {name[:60]!r} cannot be opened: {exc}") from exc
        text = b" ".join(one.text for one in answers)
        validity, following = _VALIDITY.search(text), _NEXT.search(text)
        self.validity = int(validity[1]) if validity else 0
        self.next_uid = int(following[1]) if following else await self._after_last()

    async def heads(self, since_uid: int, *, most: int) -> Sequence[MailHead]:
        found = await self._uids(since_uid)
        if not found:
            return []
        wanted = ",".join(map(str, found[:most]))
        answers = await self._command("UID FETCH", wanted, f"(UID RFC822.SIZE {_HEADS})")
        heads = [head for answer in answers if (head := _head(answer)) is not None]
        return sorted((head for head in heads if head.uid >= since_uid), key=lambda head: head.uid)

    async def fetch(self, uid: int, *, max_bytes: int) -> bytes | None:
        self._line.max_bytes = max_bytes
        try:
            answers = await self._command("UID FETCH", str(uid), "(UID BODY.PEEK[])")
        finally:
            self._line.max_bytes = _HEAD_BYTES
        for answer in answers:
            number = _UID.search(answer.text)
            if number is None or int(number[1]) != uid:
                continue
            if answer.literals:
                return answer.literals[0]
            if (short := _QUOTED_BODY.search(answer.text)) is not None:
                return re.sub(rb"\\(.)", rb"\1", short[1])
        return None

    async def wait(self, *, limit_s: float) -> bool:
        return await self._line.idle(limit_s=limit_s)

    async def end(self) -> None:
        """Take leave, briefly, and close the line."""
        with suppress(BadRequest, WebFailed, TooLarge, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._line.command("LOGOUT")
        self._line.close()

    async def _after_last(self) -> int:
        return max(await self._uids(1), default=0) + 1

    async def _uids(self, since_uid: int) -> list[int]:
        """Return the uids from *since_uid* on; the last mail is always found, whatever its uid."""
        answers = await self._command("UID SEARCH", f"UID {since_uid}:*")
        found = [
            int(number)
            for answer in answers
            if answer.text.upper().startswith(b"* SEARCH")
            for number in answer.text.split()[2:]
            if number.isdigit()
        ]
        return sorted({uid for uid in found if since_uid <= uid <= _LARGEST_UID})

    async def _command(self, *parts: str | bytes) -> list[Answer]:
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._line.command(*parts)
        except TimeoutError as exc:
            raise WebTimedOut(f"the mail server took longer than {self._limit_s:g} s") from exc


async def _start_tls(raw: socket.socket) -> bool:
    """Greet and ask for encryption, in clear; say whether the server goes over to it."""
    loop = asyncio.get_running_loop()
    greeting = await _line_of(raw)
    if not greeting.upper().startswith((b"* OK", b"* PREAUTH")):
        raise WebFailed("the mail server did not let us begin")
    await loop.sock_sendall(raw, b"t1 STARTTLS\r\n")
    while not (line := await _line_of(raw)).startswith(b"t1 "):
        pass
    return line[3:].upper().startswith(b"OK")


async def _line_of(raw: socket.socket) -> bytes:
    """Return one line, and take not a byte more from the line."""
    loop = asyncio.get_running_loop()
    line = b""
    while not line.endswith(b"\n"):
        byte = await loop.sock_recv(raw, 1)
        if not byte or len(line) > _HEAD_BYTES:
            raise WebFailed(f"the mail server says no more than {words(line)!r}")
        line += byte
    return line


def _head(answer: Answer) -> MailHead | None:
    uid, size = _UID.search(answer.text), _SIZE.search(answer.text)
    if uid is None or size is None:
        return None
    header = answer.literals[0] if answer.literals else b""
    return MailHead(uid=int(uid[1]), size_bytes=int(size[1]), header=header)


def _utf7(name: str) -> str:
    """Return the name of a mailbox as IMAP writes it (RFC 3501, 5.1.3)."""
    out, run = [], ""
    for character in [*name, ""]:
        if character and not "\x20" <= character <= "\x7e":
            run += character
            continue
        if run:
            code = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(f"&{code.decode()}-")
            run = ""
        out.append("&-" if character == "&" else character)
    return "".join(out)

"""A small IMAP server on loopback: one user, mailboxes of mails, as much of RFC 3501 as is asked for."""

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

USER, PASSWORD = "ann@example.com", 'pass "word"'
_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass
class Box:
    """A mailbox: mails by uid."""

    validity: int = 7
    mails: dict[int, bytes] = field(default_factory=dict)
    next_uid: int = 1

    def add(self, mail: bytes) -> int:
        uid = self.next_uid
        self.mails[uid] = mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self.next_uid += 1
        return uid


class ImapServer:
    """
    The server. `commands` are all that were given, in order.

    Args:
        words: What a client is told of abilities.
        start_tls: What it offers beside its plain words; None: nothing.
        says: Instead of any answer to FETCH: for servers that mean no good.
    """

    def __init__(
        self,
        *,
        words: str = "IMAP4rev1 IDLE",
        tls: ssl.SSLContext | None = None,
        says: bytes = b"",
        start_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.boxes = {"INBOX": Box()}
        self.commands: list[str] = []
        self.words = words
        self.says = says
        self.port = 0
        self.waits = asyncio.Event()  #: some client waits for mail
        self._tls = tls
        self.start_tls = start_tls
        self._idle: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> "ImapServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await self._server.wait_closed()

    def deliver(self, mail: bytes, box: str = "INBOX") -> int:
        """Put a mail into a box and tell who waits."""
        uid = self.boxes[box].add(mail)
        for writer in self._idle:
            writer.write(f"* {len(self.boxes[box].mails)} EXISTS\r\n".encode())
        return uid

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        writer.write(b"* OK ready\r\n")
        session = _Session(self)
        try:
            while line := await _command(reader, writer):
                if not await session.answer(line, reader, writer):
                    break
        except (OSError, EOFError):
            pass
        finally:
            self._open.discard(writer)
            with suppress(OSError):
                writer.close()

    async def wait(
        self, tag: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"+ idling\r\n")
        self._idle.add(writer)
        self.waits.set()
        try:
            line = await reader.readline()
            assert line in (b"DONE\r\n", b"")
        finally:
            self._idle.discard(writer)
        writer.write(f"{tag} OK done\r\n".encode())


class _Session:
    def __init__(self, server: ImapServer) -> None:
        self._server = server
        self._box = Box()

    async def answer(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        tag, name, *arguments = _arguments(line)
        command = name.upper()
        if command == "UID":
            command = f"UID {arguments.pop(0).upper()}"
        self._server.commands.append(command)
        if command == "STARTTLS" and self._server.start_tls is not None:
            self._say(writer, f"{tag} OK begin")
            await writer.start_tls(self._server.start_tls)
            return True
        if command == "IDLE":
            await self._server.wait(tag, reader, writer)
            return True
        answers: dict[str, Callable[[], str]] = {
            "LOGIN": lambda: "" if arguments == [USER, PASSWORD] else "NO wrong password",
            "CAPABILITY": lambda: self._say(writer, f"* CAPABILITY {self._server.words}"),
            "EXAMINE": lambda: self._examine(arguments[0], writer),
            "UID SEARCH": lambda: self._search(arguments, writer),
            "UID FETCH": lambda: self._fetch(arguments, line, writer),
            "LOGOUT": lambda: self._say(writer, "* BYE"),
        }
        known = answers.get(command)
        refusal = known() if known is not None else "BAD no such command"
        self._say(writer, f"{tag} {refusal or 'OK done'}")
        await writer.drain()
        return command != "LOGOUT"

    def _say(self, writer: asyncio.StreamWriter, line: str) -> str:
        writer.write(f"{line}\r\n".encode())
        return ""

    def _examine(self, name: str, writer: asyncio.StreamWriter) -> str:
        box = self._server.boxes.get(name)
        if box is None:
            return "NO no such mailbox"
        self._box = box
        writer.write(
            f"* {len(box.mails)} EXISTS\r\n* OK [UIDVALIDITY {box.validity}] valid\r\n"
            f"* OK [UIDNEXT {box.next_uid}] next\r\n".encode()
        )
        return ""

    def _search(self, arguments: list[str], writer: asyncio.StreamWriter) -> str:
        since = int(arguments[1].partition(":")[0])
        found = [uid for uid in self._box.mails if uid >= since]
        # As the standard has it: the last mail is always in a range that ends with *.
        found = found or list(self._box.mails)[-1:]
        return self._say(writer, f"* SEARCH {' '.join(map(str, found))}")

    def _fetch(self, arguments: list[str], line: bytes, writer: asyncio.StreamWriter) -> str:
        if self._server.says:
            writer.write(self._server.says)
            return ""
        for uid in map(int, arguments[0].split(",")):
            mail = self._box.mails.get(uid)
            if mail is None:
                continue
            head = mail.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            is_head = b"HEADER.FIELDS" in line
            part = head if is_head else mail
            name = "BODY[HEADER.FIELDS (FROM SUBJECT MESSAGE-ID)]" if is_head else "BODY[]"
            writer.write(
                f"* 1 FETCH (UID {uid} RFC822.SIZE {len(mail)} {name} {{{len(part)}}}\r\n".encode()
            )
            writer.write(part + b")\r\n")
        return ""


async def _command(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return a whole command; each literal in it as a quoted text."""
    whole = b""
    while True:
        line = await reader.readline()
        found = _LITERAL.search(line)
        if found is None:
            return whole + line
        writer.write(b"+ go ahead\r\n")
        literal = await reader.readexactly(int(found[1]))
        whole += line[: found.start()] + b'"' + literal.replace(b'"', b'\\"') + b'"'


def _arguments(line: bytes) -> list[str]:
    return [
        (re.sub(rb"\\(.)", rb"\1", quoted) if quoted or not plain else plain).decode()
        for quoted, plain in _ARGUMENT.findall(line.strip())
    ]

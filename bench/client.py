"""A small HTTP client for load: keep-alive, one connection each, little CPU of its own."""

import asyncio
from typing import Any, Self

import orjson


class Client:
    """One connection. Not for anything but a server of ours on loopback."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"

    @classmethod
    async def open(cls, port: int, token: str) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), token)

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        """
        Return the JSON answer; raises RuntimeError unless the status is 2xx.

        Args:
            key: An Idempotency-Key, for what may be asked twice and must be done once.
        """
        content = b"" if body is None else orjson.dumps(body)
        once = f"Idempotency-Key: {key}\r\n" if key else ""
        head = (
            f"{method} {path} HTTP/1.1\r\n{self._head}{once}"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        received = await self._reader.readuntil(b"\r\n\r\n")
        fields = received.decode("latin-1").split("\r\n")
        status = int(fields[0].split(" ", 2)[1])
        answer = await self._body(fields)
        if not 200 <= status < 300:
            raise RuntimeError(f"{method} {path}: {status} {answer[:500]!r}")
        return orjson.loads(answer) if answer else None

    async def _body(self, fields: list[str]) -> bytes:
        lower = [field.lower() for field in fields]
        for field in lower:
            if field.startswith("content-length:"):
                return await self._reader.readexactly(int(field.partition(":")[2]))
        if "transfer-encoding: chunked" not in lower:
            return b""
        body = b""
        while length := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(length + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        await self._writer.wait_closed()

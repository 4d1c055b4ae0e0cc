"""Calls from one service of the installation to another, over its internal port."""

import asyncio
from typing import Final

from backend.core import json
from backend.core.errors import Unavailable

_LIMIT_S: Final = 300.0
_MOST_BYTES: Final = 1024 * 1024


class InternalCaller:
    """Asks one service. HTTP by hand: one request, one answer, always to a port of ours."""

    def __init__(self, host: str, port: int, *, key: str) -> None:
        self._host = host
        self._port = port
        self._key = key

    async def call(self, name: str) -> str:
        """
        Return the result of the call *name*.

        Raises:
            Unavailable: If the service does not answer, or says that it failed.
        """
        try:
            async with asyncio.timeout(_LIMIT_S):
                status, body = await self._ask(name)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, IndexError, ValueError) as exc:
            raise Unavailable(f"the service on port {self._port} does not answer: {exc}") from exc
        answer = json.loads(body)
        if status != 200:  # noqa: PLR2004 - HTTP's word for "done"
            raise Unavailable(f"{name} failed: {answer}")
        return str(answer.get("result"))

    async def _ask(self, name: str) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST /calls/{name} HTTP/1.1\r\nHost: {self._host}\r\n"
                f"Authorization: Bearer {self._key}\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n"
            )
            writer.write(head.encode())
            await writer.drain()
            answer = b""
            while chunk := await reader.read(_MOST_BYTES):
                answer += chunk
                if len(answer) > _MOST_BYTES:
                    raise ValueError(f"its answer is over {_MOST_BYTES} bytes")
        finally:
            writer.close()
        headers, _, body = answer.partition(b"\r\n\r\n")
        return int(headers.split(b" ", 2)[1]), body

"""Calls from one service of the installation to another, over its internal port."""

import asyncio
from typing import Any, Final

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

    async def call(self, name: str, said: Any = None, *, limit_s: float = _LIMIT_S) -> Any:
        """
        Return the result of the call *name*, JSON.

        Args:
            said: What the service is told with it, JSON.

        Raises:
            Unavailable: If the service does not answer, or says that it failed.
        """
        try:
            async with asyncio.timeout(limit_s):
                status, body = await self._ask(name, b"" if said is None else json.dumps(said))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, IndexError, ValueError) as exc:
            raise Unavailable(f"the service on port {self._port} does not answer: {exc}") from exc
        try:
            answer = json.loads(body)
        except json.NotJson as exc:
            raise Unavailable(f"the service on port {self._port} answers nonsense") from exc
        if status != 200:  # noqa: PLR2004 - HTTP's word for "done"
            raise Unavailable(f"{name} failed: {answer}")
        return answer.get("result")

    async def _ask(self, name: str, said: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST /calls/{name} HTTP/1.1\r\nHost: {self._host}\r\n"
                f"Authorization: Bearer {self._key}\r\nContent-Length: {len(said)}\r\n"
                "Connection: close\r\n\r\n"
            )
            writer.write(head.encode() + said)
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

"""Work that only its client waits for: it ends when the client goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """
    Return what *work* gives; cancel it, and wait for its end, when the client closes its connection.

    The body of *request* has been read.

    Raises:
        ClientDisconnect: If the client is gone; nobody is there who could read an answer.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        # Both at once: what was done is done, and whoever asked may have shut only one side.
        if working.done():
            return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait({working, leaving})
    raise ClientDisconnect


async def _left(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

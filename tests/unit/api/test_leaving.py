"""Work that only its client waits for ends with the client; what has ended is handed on."""

import asyncio
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect, Request

from backend.api.leaving import while_connected


class Client:
    """A request whose client leaves when `leave` is called."""

    def __init__(self) -> None:
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    @property
    def request(self) -> Request:
        return cast("Request", self)


async def test_what_is_done_is_handed_on_and_nobody_listens_any_more() -> None:
    client = Client()

    assert await while_connected(client.request, asyncio.sleep(0, result=7)) == 7

    assert len(asyncio.all_tasks()) == 1


async def test_an_error_is_the_callers() -> None:
    async def fails() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await while_connected(Client().request, fails())


async def test_work_is_cancelled_when_its_client_leaves_and_has_ended_then() -> None:
    client, ended = Client(), asyncio.Event()

    async def works() -> None:
        try:
            client.leave()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    with pytest.raises(ClientDisconnect):
        await while_connected(client.request, works())

    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1


async def test_who_is_cancelled_takes_the_work_along() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def works() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(while_connected(Client().request, works()))
    await began.wait()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()

"""Services whose work beside their answers ends: they must end too, and be started again."""

import asyncio
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend import wiring, wiring_database, wiring_notices, wiring_scheduler
from backend.adapters.storage.keeper import Keeper
from backend.adapters.storage.migrate import migrate
from backend.api.ws.hub import Hub
from backend.engine.jobs import Jobs
from backend.engine.postman import Postman
from backend.engine.ticker import Ticker
from backend.services.api_keys import ApiKeyService
from backend.settings import Settings, load_settings

LIMIT_S = 20.0
Serve = Callable[[Settings, wiring.Started, asyncio.Event], Awaitable[None]]


class ReadyWord:
    """Hears that a service is ready."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener: socket.socket | None = listener
        self.heard = asyncio.Event()

    def __call__(self, address: str = "") -> None:
        assert address
        self.heard.set()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made, _ = load_settings({"agpt_data_dir": str(tmp_path / "data")})
    migrate(wiring.database_path(made))
    return made


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@asynccontextmanager
async def serving(
    serve: Serve, settings: Settings, listener: socket.socket
) -> AsyncIterator[tuple["asyncio.Task[None]", asyncio.Event]]:
    """A service at work; it must end by itself, or when it is told to."""
    started, stopping = ReadyWord(listener), asyncio.Event()
    served = asyncio.ensure_future(serve(settings, started, stopping))
    async with asyncio.timeout(LIMIT_S):
        await asyncio.wait(
            [served, asyncio.ensure_future(started.heard.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        yield served, stopping
        await asyncio.wait([served])


@pytest.mark.parametrize(
    ("serve", "part", "work"),
    [
        (wiring_database.serve_database, Keeper, "serve"),
        (wiring_scheduler.serve_scheduler, Ticker, "serve"),
        (wiring_scheduler.serve_scheduler, Jobs, "serve"),
        (wiring_notices.serve_notifications, Postman, "serve"),
        (wiring.serve_rest, ApiKeyService, "keep_noting"),
        (wiring.serve_websocket, Hub, "run"),
        (wiring.serve_websocket, Hub, "check_tokens"),
    ],
    ids=["keeper", "ticker", "jobs", "postman", "uses", "bus", "tokens"],
)
async def test_a_service_ends_with_the_error_of_the_work_that_it_does_beside(
    serve: Serve,
    part: type,
    work: str,
    settings: Settings,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody would see otherwise that its work is not done any more: it would look well."""
    broken = asyncio.Event()

    async def breaks(*_: object) -> None:
        await broken.wait()
        raise LookupError("a defect")

    monkeypatch.setattr(part, work, breaks)
    async with serving(serve, settings, listener) as (served, stopping):
        assert not served.done()

        broken.set()

    with pytest.raises(LookupError, match="a defect"):
        await served
    assert stopping.is_set()


async def test_a_database_that_is_none_any_more_ends_its_service(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring_database, "_CHECKPOINT_S", 0.01)
    path = wiring.database_path(settings)
    async with serving(wiring_database.serve_database, settings, listener) as (served, _):
        garbage = path.with_name("garbage")
        garbage.write_bytes(b"no database " * 1000)

        garbage.replace(path)
        path.with_name(path.name + "-wal").write_bytes(bytes(1024 * 1024))

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        await served


@pytest.mark.parametrize(
    "serve",
    [
        wiring_database.serve_database,
        wiring_scheduler.serve_scheduler,
        wiring_notices.serve_notifications,
        wiring.serve_websocket,
    ],
)
async def test_a_service_that_is_told_to_stop_ends_without_an_error(
    serve: Serve, settings: Settings, listener: socket.socket
) -> None:
    async with serving(serve, settings, listener) as (served, stopping):
        stopping.set()

    await served

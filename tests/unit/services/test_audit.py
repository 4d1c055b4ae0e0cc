"""Recordings: what is written when, for those who are refused, fail, or only look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.database import Database
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.sqlite import SqliteDatabase
from backend.core.audit import Actor, By, Outcome
from backend.core.errors import BadRequest, NotAllowed
from backend.ports.audit import AuditLog, AuditQuery, current
from backend.services.audit import AuditService, add_facts, name_actor, name_object, reveal
from backend.testing.clock import FakeClock

ANN = Actor(who="ann", by=By.KEY, by_id="key")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "agpt.db")
    made = SqliteDatabase(tmp_path / "agpt.db", synchronous="OFF")
    yield made
    await made.close()


@pytest.fixture
def log(database: Database) -> AuditLog:
    return SqlAuditLog(database)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def service(log: AuditLog, clock: FakeClock) -> AuditService:
    return AuditService(log=log, clock=clock)


async def told(log: AuditLog) -> list[tuple[str, str, Outcome]]:
    rows = await log.listed(AuditQuery())
    return [(row.entry.verb, row.entry.object_id, row.entry.outcome) for row in rows[::-1]]


async def change(database: Database) -> None:
    await database.write(lambda _: "something")


async def test_what_changed_nothing_has_no_row_unless_it_lies_elsewhere(
    service: AuditService, log: AuditLog
) -> None:
    async with service.recording(ANN, "delete", "graph", "1"):
        pass
    async with service.recording(ANN, "delete", "file", "2", always=True):
        pass

    assert await told(log) == [("delete", "2", Outcome.DONE)]


async def test_a_refusal_is_recorded_once_a_minute(
    service: AuditService, log: AuditLog, clock: FakeClock
) -> None:
    async def refused(verb: str) -> None:
        with pytest.raises(NotAllowed):
            async with service.recording(ANN, verb, "user", "bob"):
                raise NotAllowed

    for _ in range(3):
        await refused("disable")
    clock.pass_time(seconds=61)
    await refused("disable")
    await refused("")

    assert await told(log) == [("disable", "bob", Outcome.REFUSED)] * 2


async def test_an_error_after_a_change_is_a_row_of_its_own(
    service: AuditService, log: AuditLog, database: Database
) -> None:
    async def fail(object_id: str, *works: Awaitable[None]) -> None:
        async with service.recording(ANN, "delete", "graph", object_id):
            for work in works:
                await work
            raise BadRequest

    with pytest.raises(BadRequest):
        await fail("1", change(database))
    with pytest.raises(BadRequest):
        await fail("2")

    assert await told(log) == [("delete", "1", Outcome.DONE), ("delete", "1", Outcome.FAILED)]


async def test_of_changes_at_once_one_has_the_row(
    service: AuditService, log: AuditLog, database: Database
) -> None:
    async with service.recording(ANN, "delete", "graph", "1"):
        await asyncio.gather(*(change(database) for _ in range(5)))

    assert await told(log) == [("delete", "1", Outcome.DONE)]


async def test_what_goes_on_after_its_request_is_not_recorded_as_a_part_of_it(
    service: AuditService, log: AuditLog, database: Database
) -> None:
    """A task keeps the context in which it was begun."""
    go_on = asyncio.Event()

    async def later() -> None:
        await go_on.wait()
        await change(database)

    async with service.recording(ANN, "delete", "graph", "1"):
        task = asyncio.create_task(later())
    go_on.set()
    await task

    assert current() is None
    assert await told(log) == []


async def test_secrets_that_are_shown_are_recorded_when_all_went_well(
    service: AuditService, log: AuditLog, clock: FakeClock
) -> None:
    async def shown(**more: float) -> None:
        async with service.recording(ANN, "", ""):
            reveal("credentials", "1", **more)

    async def failed() -> None:
        async with service.recording(ANN, "", ""):
            reveal("credentials", "never answered")
            raise BadRequest

    with pytest.raises(BadRequest):
        await failed()
    await shown()
    await shown()
    await shown(again_after_s=60)
    clock.pass_time(seconds=59)
    await shown(again_after_s=60)
    clock.pass_time(seconds=2)
    await shown(again_after_s=60)

    assert await told(log) == [("read_secret", "1", Outcome.DONE)] * 4


async def test_a_request_says_what_only_it_knows(
    service: AuditService, log: AuditLog, database: Database
) -> None:
    nobody = Actor(who="", by=By.NOTHING, address="192.0.2.1")
    async with service.recording(nobody, "login", "session"):
        name_actor("ann", By.SESSION, "s-1")
        name_object("s-1", new=True)
        add_facts(method="password")
        await change(database)

    [row] = await log.listed(AuditQuery())
    assert (row.entry.actor.who, row.entry.actor.by_id) == ("ann", "s-1")
    assert row.entry.actor.address == "192.0.2.1"
    assert row.entry.object_id == "s-1"
    assert row.entry.facts == {"new": True, "method": "password"}


def test_outside_of_a_recording_nobody_listens() -> None:
    name_actor("ann", By.SESSION)
    name_object("1")
    add_facts(a=1)
    reveal("credentials", "1")

    assert current() is None


async def test_what_is_recorded_by_itself(service: AuditService, log: AuditLog) -> None:
    await service.record(ANN, "login", "session", outcome=Outcome.REFUSED, method="password")

    [row] = await log.listed(AuditQuery())
    assert (row.entry.outcome, row.entry.facts) == (Outcome.REFUSED, {"method": "password"})

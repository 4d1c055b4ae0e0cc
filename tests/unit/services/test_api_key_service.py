"""API keys: what the service adds to what storage does."""

import asyncio

import pytest

import backend.services.api_keys
from backend.core.api_keys import TRANSITIONS, ApiKeyRecord, ApiKeyStatus, secret_of
from backend.core.errors import Unavailable
from backend.core.ids import ApiKeyId, UserId
from backend.core.permissions import Permission
from backend.services.api_keys import NewApiKey
from tests.contract.rest_server import ANN, RestServer

NEW = NewApiKey(name="n", scopes=[Permission.IDENTITY])


async def test_a_key_is_known_among_those_that_begin_alike(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = server.context.doors.api_keys
    texts = iter(["abcX" + "x" * 39, "abcY" + "y" * 39])
    monkeypatch.setattr("secrets.token_urlsafe", lambda _: next(texts))
    first, second = await keys.create(ANN, NEW), await keys.create(ANN, NEW)

    found = [await keys.known(one.text) for one in (first, second)]

    assert [one and one.id for one in found] == [first.record.id, second.record.id]
    assert await keys.known("agpt_abcZ" + "z" * 39) is None


async def test_uses_that_cannot_be_written_are_written_the_next_time(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, clock = server.context.doors.api_keys, server.clock
    shown = await keys.create(ANN, NEW)
    await keys.known(shown.text)

    async def away(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as broken:
        broken.setattr("backend.adapters.storage.api_keys.SqlApiKeys.note_uses", away)
        await keys.note_uses()
    await keys.note_uses()

    [row] = await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT last_used_us FROM api_keys").all()
    )
    assert row.last_used_us == clock.now_us()


async def test_uses_are_written_by_themselves_after_a_while(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend.services.api_keys, "NOTE_EVERY_S", 0.0)
    keys = server.context.doors.api_keys
    shown = await keys.create(ANN, NEW)
    written = asyncio.Event()
    note = keys.note_uses

    async def noted() -> None:
        await note()
        written.set()

    monkeypatch.setattr(keys, "note_uses", noted)
    task = asyncio.create_task(keys.keep_noting())
    await keys.known(shown.text)

    async with asyncio.timeout(10):
        await written.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    [row] = await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT last_used_us FROM api_keys").all()
    )
    assert row.last_used_us == server.clock.now_us()


def test_only_what_is_revoked_stays_for_ever() -> None:
    for status in ApiKeyStatus:
        last = status is ApiKeyStatus.REVOKED
        assert TRANSITIONS[status] == ({status} if last else set(ApiKeyStatus))


@pytest.mark.parametrize("status", [ApiKeyStatus.SUSPENDED, ApiKeyStatus.REVOKED])
def test_a_key_that_is_not_active_opens_nothing(status: ApiKeyStatus) -> None:
    text = "agpt_" + "k" * 43
    made = ApiKeyRecord(
        id=ApiKeyId("k"),
        user_id=UserId("u"),
        name="n",
        secret=secret_of(text, "00" * 16),
        scopes=(),
        status=status,
        created_us=0,
    )

    assert not made.opens(text, 1)

"""The vault: sealed for one user and record, opened by any key, sealed anew while others write."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from backend.adapters.storage import SqlStorage, open_storage, webhooks
from backend.adapters.storage.credentials import SqlCredentials
from backend.adapters.storage.migrate import migrate
from backend.adapters.vault import FernetVault
from backend.core.credentials import ApiKeyCredentials, Secret
from backend.core.errors import SecretUnreadable
from backend.core.ids import CredentialsId, UserId, WebhookId
from backend.core.records import WebhookRecord
from backend.services.sealed import Sealer
from backend.services.vault_keeper import STEP, VaultKeeper
from backend.testing.clock import FakeClock

ANN, BOB = UserId("ann"), UserId("bob")
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
MANY = 3 * STEP + 5


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    migrate(tmp_path / "agpt.db")
    storage = open_storage(tmp_path / "agpt.db", synchronous="OFF")
    yield storage
    await storage.close()


@pytest.fixture
def store(storage: SqlStorage) -> SqlCredentials:
    return SqlCredentials(storage.database)


def credentials(number: int, *, key: str = "k") -> ApiKeyCredentials:
    return ApiKeyCredentials(
        id=CredentialsId(f"{number:04}"), provider="openai", api_key=Secret(f"{key}-{number}")
    )


async def fill(store: SqlCredentials, count: int, *keys: str) -> None:
    sealer, clock = Sealer(FernetVault(keys)), FakeClock()
    for number in range(count):
        record = sealer.record(ANN, credentials(number), now_us=clock.now_us())
        await store.of(ANN).add(record, most=10_000)


def keeper(store: SqlCredentials, *keys: str) -> VaultKeeper:
    return VaultKeeper(store=store, vault=FernetVault(keys))


def test_a_value_opens_for_its_user_and_record_alone() -> None:
    vault = FernetVault([NEW])
    sealed = vault.seal({"a": 1}, user_id=ANN, record_id="r")

    assert vault.open(sealed, user_id=ANN, record_id="r") == {"a": 1}
    for user_id, record_id in ((BOB, "r"), (ANN, "other")):
        with pytest.raises(SecretUnreadable, match="another user or record"):
            vault.open(sealed, user_id=user_id, record_id=record_id)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "größer"])
def test_what_is_no_sealed_value_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretUnreadable):
        FernetVault([NEW]).open(sealed, user_id=ANN, record_id="r")


def test_old_keys_open_and_the_newest_seals() -> None:
    sealed = FernetVault([OLD]).seal({}, user_id=ANN, record_id="r")
    both = FernetVault([NEW, OLD])

    assert both.open(sealed, user_id=ANN, record_id="r") == {}
    assert not both.is_newest(sealed)
    assert both.is_newest(both.seal({}, user_id=ANN, record_id="r"))


def test_no_key_is_in_what_a_vault_shows() -> None:
    assert NEW not in repr(FernetVault([NEW]))


async def test_rotation_seals_everything_with_the_newest_key(store: SqlCredentials) -> None:
    await fill(store, MANY, OLD)

    report = await keeper(store, NEW, OLD).rotate()

    assert (report.newest, report.older, report.unreadable) == (MANY, 0, [])
    [record] = await store.of(ANN).some([CredentialsId("0000")])
    opened = Sealer(FernetVault([NEW])).open(record)
    assert opened == credentials(0)


async def test_what_does_not_open_is_named_and_stays(store: SqlCredentials) -> None:
    await fill(store, 2, OLD)
    before = await store.sealed(None, limit=10)

    report = await keeper(store, NEW).rotate()

    assert report.unreadable == ["credentials #0000", "credentials #0001"]
    assert await store.sealed(None, limit=10) == before


async def test_what_somebody_changes_meanwhile_is_kept(
    store: SqlCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that knows only the old key first renews tokens between our look and our write."""
    await fill(store, 3, OLD)
    both = Sealer(FernetVault([OLD, NEW]))
    again = store.seal_again
    done: list[bool] = []

    async def after_a_change(pairs: object) -> object:
        if not done:
            [record] = await store.of(ANN).some([CredentialsId("0001")])
            changed = both.record(ANN, credentials(1, key="renewed"), now_us=2, before=record)
            done.append(await store.of(ANN).replace(changed))
        return await again(pairs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "seal_again", after_a_change)

    report = await keeper(store, NEW, OLD).rotate()

    assert done == [True]
    assert (report.newest, report.older) == (3, 0)
    [record] = await store.of(ANN).some([CredentialsId("0001")])
    assert Sealer(FernetVault([NEW])).open(record) == credentials(1, key="renewed")


@pytest.mark.slow
async def test_a_rotation_that_is_killed_is_begun_again(
    store: SqlCredentials, tmp_path: Path
) -> None:
    await fill(store, MANY, OLD)
    code = (
        "import asyncio, os, signal, sys\n"
        "from tests.unit.services.test_vault import SqlCredentials, keeper, open_storage\n"
        "store = SqlCredentials(open_storage(sys.argv[1]).database)\n"
        "again, steps = store.seal_again, []\n"
        "async def dies(pairs):\n"
        "    done = await again(pairs)\n"
        "    steps.append(1)\n"
        "    if len(steps) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return done\n"
        "store.seal_again = dies\n"
        "asyncio.run(keeper(store, sys.argv[2], sys.argv[3]).rotate())\n"
    )
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(tmp_path / "agpt.db"), NEW, OLD],
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert killed.returncode == -signal.SIGKILL

    half = await keeper(store, NEW, OLD).check()
    whole = await keeper(store, NEW, OLD).rotate()

    assert (half.newest, half.older, half.unreadable) == (2 * STEP, MANY - 2 * STEP, [])
    assert (whole.newest, whole.older, whole.unreadable) == (MANY, 0, [])


async def test_a_row_with_other_credentials_in_it_does_not_open(store: SqlCredentials) -> None:
    await fill(store, 1, NEW)
    [record] = await store.of(ANN).listed()

    with pytest.raises(SecretUnreadable, match="other credentials"):
        Sealer(FernetVault([NEW])).open(replace(record, provider="github"))


async def hook(storage: SqlStorage, name: str, secret: str) -> WebhookId:
    """Keep a webhook whose secret is *secret*, as it is."""
    made = WebhookId(name)
    webhook = WebhookRecord(
        id=made, user_id=ANN, provider="generic_webhook", webhook_type="plain", sealed=secret
    )
    await storage.database.write(lambda c: webhooks.add(c, ANN, webhook))
    return made


async def secret_of(storage: SqlStorage, name: WebhookId, *keys: str) -> str:
    found = await storage.of(ANN).webhook(name)
    assert found is not None
    return Sealer(FernetVault(keys)).open_webhook(found)


async def test_secrets_of_webhooks_that_are_kept_in_clear_are_sealed_once(
    storage: SqlStorage, store: SqlCredentials
) -> None:
    names = [await hook(storage, f"{number:04}", f"clear {number}") for number in range(STEP + 1)]

    sealed = [await keeper(store, NEW).seal_webhooks() for _ in range(2)]

    assert sealed == [STEP + 1, 0]
    assert [await secret_of(storage, name, NEW) for name in names[:2]] == ["clear 0", "clear 1"]
    kept = await store.sealed(None, limit=100)
    assert not [row for row in kept if "clear" in row.sealed]


async def test_a_rotation_covers_the_secrets_of_webhooks(
    storage: SqlStorage, store: SqlCredentials
) -> None:
    clear = await hook(storage, "clear", "a" * 64)
    old = Sealer(FernetVault([OLD]))
    sealed = old.seal_webhook("old", user_id=ANN, webhook_id=WebhookId("old"))
    await hook(storage, "old", sealed)
    lost = FernetVault([Fernet.generate_key().decode()])
    foreign = Sealer(lost).seal_webhook("x", user_id=ANN, webhook_id=WebhookId("lost"))
    await hook(storage, "lost", foreign)

    before = await keeper(store, NEW, OLD).check()
    after = await keeper(store, NEW, OLD).rotate()

    assert (before.newest, before.older) == (0, 2)
    assert (after.newest, after.older, after.unreadable) == (2, 0, ["webhooks #lost"])
    assert await secret_of(storage, clear, NEW) == "a" * 64
    assert await secret_of(storage, WebhookId("old"), NEW) == "old"
    assert foreign in [row.sealed for row in await store.sealed(None, limit=100)]


async def test_a_secret_in_clear_opens_nothing_and_one_opens_for_its_webhook_alone(
    storage: SqlStorage,
) -> None:
    """Who can write the database could else choose with what deliveries are signed."""
    sealer = Sealer(FernetVault([NEW]))
    moved = sealer.seal_webhook("s", user_id=ANN, webhook_id=WebhookId("another"))

    for name, secret in (("clear", "a" * 64), ("moved", moved)):
        with pytest.raises(SecretUnreadable):
            await secret_of(storage, await hook(storage, name, secret), NEW)

"""The spec of credentials in storage: what every adapter must do."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest

from backend.core.credentials import CredentialsKind, CredentialsRecord, SealedRow, SignIn, Uses
from backend.core.errors import BadRequest, Conflict
from backend.core.graph import Graph
from backend.core.ids import (
    CredentialsId,
    GraphId,
    PresetId,
    ScheduleId,
    UserId,
    WebhookId,
)
from backend.core.records import PresetRecord, ScheduleRecord, WebhookRecord
from backend.ports.credentials import CredentialsStore
from backend.ports.storage import Storage

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
GRAPH: Final = Graph(id=GraphId("graph"), name="Sample", description="")
MOST: Final = 10
NOBODY: Final = CredentialsId("nobody's")


def record(name: str, *, user: UserId = ANN, created_us: int = 1) -> CredentialsRecord:
    """Return credentials with a value in each field."""
    return CredentialsRecord(
        id=CredentialsId(name),
        user_id=user,
        provider="github",
        kind=CredentialsKind.OAUTH2,
        title="Für größere",
        username="ann-at-github",
        host="api.example",
        scopes=("repo", "user"),
        sealed=f"sealed {name} of {user}",
        created_us=created_us,
        updated_us=created_us,
    )


def sign_in(key: str, *, user: UserId = ANN, expires_us: int = 100) -> SignIn:
    """Return that somebody is away at GitHub."""
    return SignIn(
        key=key,
        user_id=user,
        provider="github",
        scopes=("repo",),
        sealed=f"sealed {key} of {user}",
        expires_us=expires_us,
    )


class CredentialsSpec:
    """Give fixtures `storage`, migrated and empty, and `store` over it; every test must pass."""

    async def test_credentials_come_back_as_they_were_given(self, store: CredentialsStore) -> None:
        full = record("full")
        bare = replace(record("bare"), title=None, username=None, host=None, scopes=None)
        for one in (full, bare):
            await store.of(ANN).add(one, most=MOST)

        assert [await store.of(ANN).get(one.id) for one in (full, bare)] == [full, bare]
        assert await store.of(ANN).get(NOBODY) is None

    async def test_the_oldest_is_listed_first_and_one_provider_alone(
        self, store: CredentialsStore
    ) -> None:
        mine = store.of(ANN)
        late, early = record("a", created_us=2), record("b", created_us=1)
        other = replace(record("c", created_us=3), provider="openai")
        for one in (other, late, early):
            await mine.add(one, most=MOST)

        assert await mine.listed() == [early, late, other]
        assert await mine.listed("github") == [early, late]
        assert await mine.listed("gitlab") == []

    async def test_some_are_read_at_once_and_those_that_are_not_there_left_out(
        self, store: CredentialsStore
    ) -> None:
        mine = store.of(ANN)
        for name in ("a", "b", "c"):
            await mine.add(record(name), most=MOST)

        found = await mine.some([CredentialsId("c"), NOBODY, CredentialsId("a")])

        assert {one.id for one in found} == {"a", "c"}
        assert await mine.some([]) == []

    async def test_an_id_that_is_taken_stays_whose_it_is(self, store: CredentialsStore) -> None:
        await store.of(ANN).add(record("a"), most=MOST)

        with pytest.raises(Conflict):
            await store.of(ANN).add(replace(record("a"), sealed="other"), most=MOST)

        assert await store.of(ANN).get(CredentialsId("a")) == record("a")

    async def test_the_bound_is_one_users(self, store: CredentialsStore) -> None:
        for name in ("a", "b"):
            await store.of(ANN).add(record(name), most=2)

        with pytest.raises(BadRequest):
            await store.of(ANN).add(record("c"), most=2)

        await store.of(BOB).add(record("c", user=BOB), most=2)
        assert len(await store.of(ANN).listed()) == 2

    async def test_another_user_has_an_id_of_the_same_name_and_nothing_of_the_first(
        self, store: CredentialsStore
    ) -> None:
        """Not to read, not to change, not to remove, not to hold."""
        await store.of(ANN).add(record("a"), most=MOST)
        bobs, name = store.of(BOB), CredentialsId("a")

        assert await bobs.get(name) is None
        assert await bobs.listed() == []
        assert not await bobs.replace(replace(record("a"), revision=2))
        assert not await bobs.remove(name)
        assert not await bobs.lease(name, "bob", now_us=1, until_us=9)
        await bobs.add(record("a", user=BOB), most=MOST)
        await bobs.remove(name)
        assert await store.of(ANN).get(name) == record("a")

    async def test_a_change_counts_from_the_revision_before_it_only(
        self, store: CredentialsStore
    ) -> None:
        mine, name = store.of(ANN), CredentialsId("a")
        await mine.add(record("a"), most=MOST)
        second = replace(record("a"), title="new", scopes=(), sealed="s", revision=2, updated_us=5)

        assert await mine.replace(second)
        assert not await mine.replace(replace(second, title="too late"))
        assert not await mine.replace(replace(second, title="too early", revision=4))
        assert not await mine.replace(replace(second, id=NOBODY, revision=3))

        assert await mine.get(name) == second

    async def test_of_changes_at_once_one_is_made(self, store: CredentialsStore) -> None:
        mine = store.of(ANN)
        await mine.add(record("a"), most=MOST)
        changes = [replace(record("a"), title=str(n), revision=2) for n in range(5)]

        made = await asyncio.gather(*(mine.replace(change) for change in changes))

        assert made.count(True) == 1
        assert await mine.get(CredentialsId("a")) == changes[made.index(True)]

    async def test_one_renews_at_a_time_until_the_lease_is_over(
        self, store: CredentialsStore
    ) -> None:
        mine, name = store.of(ANN), CredentialsId("a")
        await mine.add(record("a"), most=MOST)

        held = await asyncio.gather(
            *(mine.lease(name, str(n), now_us=1, until_us=10) for n in range(5))
        )

        assert held.count(True) == 1
        assert not await mine.lease(name, "next", now_us=9, until_us=20)
        assert await mine.lease(name, "next", now_us=10, until_us=20)
        assert not await mine.lease(NOBODY, "next", now_us=1, until_us=9)

    async def test_a_lease_is_ended_by_its_holder_or_by_the_change(
        self, store: CredentialsStore
    ) -> None:
        mine, name = store.of(ANN), CredentialsId("a")
        await mine.add(record("a"), most=MOST)
        assert await mine.lease(name, "first", now_us=1, until_us=10)

        await mine.end_lease(name, "somebody else")
        assert not await mine.lease(name, "second", now_us=2, until_us=10)
        await mine.end_lease(name, "first")
        assert await mine.lease(name, "second", now_us=2, until_us=10)
        await mine.replace(replace(record("a"), revision=2))
        assert await mine.lease(name, "third", now_us=2, until_us=10)

    async def test_removed_credentials_are_named_by_nothing(
        self, store: CredentialsStore, storage: Storage
    ) -> None:
        """Their webhook is gone, and the preset that it started waits for another."""
        mine, name = store.of(ANN), CredentialsId("a")
        await mine.add(record("a"), most=MOST)
        await add_preset(storage, "with", credentials_id="a")
        await add_preset(storage, "without", credentials_id="")

        assert await mine.remove(name)
        assert not await mine.remove(name)

        assert await mine.get(name) is None
        changed = await storage.of(ANN).preset(PresetId("with"))
        other = await storage.of(ANN).preset(PresetId("without"))
        assert changed is not None
        assert (changed.webhook, changed.is_active) == (None, False)
        assert other is not None
        assert (other.webhook is None, other.is_active) == (False, True)
        assert (await mine.uses(name)).webhooks == 0

    async def test_who_would_miss_credentials_is_told(
        self, store: CredentialsStore, storage: Storage
    ) -> None:
        """By their id, not by where else the text stands."""
        mine = store.of(ANN)
        for name in ("a", "a%", "b"):
            await mine.add(record(name), most=MOST)
        await add_preset(storage, "first", credentials_id="a")
        await add_preset(storage, "second", credentials_id="", reference="a")
        await add_preset(storage, "third", credentials_id="", reference="a%")
        await add_preset(storage, "gone", credentials_id="", reference="a")
        await storage.of(ANN).delete_preset(PresetId("gone"), now_us=9)

        assert await mine.uses(CredentialsId("a")) == Uses(presets=("second",), webhooks=1)
        assert await mine.uses(CredentialsId("a%")) == Uses(presets=("third",))
        assert not await mine.uses(CredentialsId("b"))

        for name, times in (
            ("soon", {"next_us": 9}),
            ("paused", {"paused_because": "by its owner"}),
            ("ended", {}),
        ):
            await storage.of(ANN).add_schedule(schedule(name, reference="b", **times))

        assert await mine.uses(CredentialsId("b")) == Uses(schedules=("paused", "soon"))
        assert not await store.of(BOB).uses(CredentialsId("a"))
        assert not await store.of(BOB).uses(CredentialsId("b"))

    async def test_a_sign_in_is_taken_once(self, store: CredentialsStore) -> None:
        mine, kept = store.of(ANN), sign_in("key")
        await mine.add_sign_in(kept, now_us=1, most=MOST)

        taken = await asyncio.gather(
            *(mine.take_sign_in("key", "github", now_us=99) for _ in range(5))
        )

        assert [one for one in taken if one is not None] == [kept]

    async def test_a_sign_in_is_given_to_its_user_for_its_provider_while_it_counts(
        self, store: CredentialsStore
    ) -> None:
        mine, kept = store.of(ANN), sign_in("key")
        await mine.add_sign_in(kept, now_us=1, most=MOST)

        assert await store.of(BOB).take_sign_in("key", "github", now_us=2) is None
        assert await mine.take_sign_in("key", "gitlab", now_us=2) is None
        assert await mine.take_sign_in("other", "github", now_us=2) is None
        assert await mine.take_sign_in("key", "github", now_us=100) is None
        assert await mine.take_sign_in("key", "github", now_us=99) == kept

    async def test_the_oldest_sign_ins_of_a_user_make_room(self, store: CredentialsStore) -> None:
        mine = store.of(ANN)
        await store.of(BOB).add_sign_in(sign_in("bob's", user=BOB), now_us=1, most=2)
        for number in range(3):
            await mine.add_sign_in(sign_in(str(number), expires_us=100 + number), now_us=1, most=2)

        found = [await mine.take_sign_in(str(n), "github", now_us=2) for n in range(3)]

        assert [one is not None for one in found] == [False, True, True]
        assert await store.of(BOB).take_sign_in("bob's", "github", now_us=2) is not None

    async def test_what_is_over_is_forgotten_whose_ever_it_is(
        self, store: CredentialsStore
    ) -> None:
        await store.of(BOB).add_sign_in(sign_in("old", user=BOB, expires_us=5), now_us=1, most=2)

        await store.of(ANN).add_sign_in(sign_in("new"), now_us=5, most=2)

        assert [row.id for row in await store.sealed(None, limit=9)] == ["new"]

    @pytest.mark.parametrize("limit", [1, 2])
    async def test_all_that_is_sealed_is_gone_through_in_parts(
        self, store: CredentialsStore, storage: Storage, limit: int
    ) -> None:
        await fill(store, storage)
        whole = await store.sealed(None, limit=99)

        parts: list[SealedRow] = []
        for _ in range(len(whole) + 1):
            found = await store.sealed(parts[-1] if parts else None, limit=limit)
            assert len(found) <= limit
            parts += found

        assert parts == whole
        assert {(row.user_id, row.id, row.sealed) for row in whole} == {
            (ANN, "a", "sealed a of ann"),
            (ANN, "b", "sealed b of ann"),
            (BOB, "a", "sealed a of bob"),
            (ANN, "key", "sealed key of ann"),
            (ANN, "key 2", "sealed key 2 of ann"),
            (ANN, "hook of p", "sealed p"),
        }
        [hook] = await store.webhook_secrets(None, limit=9)
        assert (hook.id, await store.webhook_secrets(hook, limit=9)) == ("hook of p", [])

    async def test_a_value_is_sealed_again_where_it_is_as_it_was(
        self, store: CredentialsStore, storage: Storage
    ) -> None:
        """Otherwise what somebody else has written meanwhile would be lost."""
        await fill(store, storage)
        rows = await store.sealed(None, limit=99)
        changed, *others = rows
        mine = replace(record("a"), sealed="meanwhile", revision=2)
        assert (changed.user_id, changed.id) == (ANN, "a")
        await store.of(ANN).replace(mine)

        left = await store.seal_again([(row, f"again {row.sealed}") for row in rows])

        assert left == [changed]
        assert await store.of(ANN).get(mine.id) == mine
        for row in others:
            again = replace(row, sealed=f"again {row.sealed}")
            assert await store.sealed_now(row) == again

    async def test_a_sealed_value_that_is_gone_is_none(
        self, store: CredentialsStore, storage: Storage
    ) -> None:
        await fill(store, storage)
        rows = await store.sealed(None, limit=99)
        await store.of(ANN).remove(CredentialsId("b"))
        [gone] = [row for row in rows if row.id == "b"]

        assert await store.sealed_now(gone) is None
        assert await store.seal_again([(gone, "again")]) == [gone]


async def fill(store: CredentialsStore, storage: Storage) -> None:
    """Keep a sealed value in each place that has some."""
    for user, name in ((ANN, "b"), (BOB, "a"), (ANN, "a")):
        await store.of(user).add(record(name, user=user), most=MOST)
    for key in ("key", "key 2"):
        await store.of(ANN).add_sign_in(sign_in(key), now_us=1, most=MOST)
    await add_preset(storage, "p", credentials_id="")


def schedule(name: str, *, reference: str, **times: Any) -> ScheduleRecord:
    """Return a schedule of Ann's that names *reference*."""
    return ScheduleRecord(
        id=ScheduleId(name),
        user_id=ANN,
        graph_id=GRAPH.id,
        graph_version=GRAPH.version,
        name=name,
        agent_name=GRAPH.name,
        cron="@hourly",
        timezone="UTC",
        inputs={},
        credentials={"a": {"id": reference, "provider": "a", "type": "api_key", "title": "a"}},
        **times,
    )


async def add_preset(
    storage: Storage, name: str, *, credentials_id: str, reference: str = "nothing"
) -> None:
    """Keep a preset of Ann's that names *reference*, with a webhook made with *credentials_id*."""
    mine = storage.of(ANN)
    if await mine.graph(GRAPH.id) is None:
        await mine.add_graphs([GRAPH], now_us=1)
    webhook = WebhookRecord(
        id=WebhookId(f"hook of {name}"),
        user_id=ANN,
        provider="github",
        webhook_type="repo",
        sealed=f"sealed {name}",
        credentials_id=credentials_id,
        created_us=1,
    )
    await mine.add_preset(
        PresetRecord(
            id=PresetId(name),
            user_id=ANN,
            graph_id=GRAPH.id,
            graph_version=GRAPH.version,
            name=name,
            description="",
            # The id stands elsewhere in it, too: as a title, and as the name of the pin.
            inputs={},
            credentials={"a": {"id": reference, "provider": "a", "type": "api_key", "title": "a"}},
            webhook_id=webhook.id,
            webhook=webhook,
            created_us=1,
        )
    )

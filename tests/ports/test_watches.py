"""The states of watches over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.watches import SqlWatches
from backend.core.ids import PresetId, UserId, WebhookId
from backend.core.records import PresetChanges, PresetRecord
from backend.core.watches import Looked
from backend.ports.watches import Watches
from backend.testing.storage import GRAPH, HOOK, PRESET
from backend.testing.watches import ANN, BOB, FIRST, HIS, NOTICE, SECOND, WatchesSpec


def watched(name: WebhookId, user: UserId, at_us: int) -> PresetRecord:
    hook = replace(HOOK, id=name, user_id=user, provider="feed", created_us=at_us)
    preset_id = PresetId(f"preset {name}")
    return replace(PRESET, id=preset_id, user_id=user, webhook_id=name, webhook=hook)


class TestSqlWatches(WatchesSpec):
    @pytest.fixture
    async def storage(self, tmp_path: Path) -> AsyncIterator[SqlStorage]:
        migrate(tmp_path / "agpt.db")
        made = open_storage(tmp_path / "agpt.db", synchronous="OFF")
        for user, graph in ((ANN, GRAPH), (BOB, replace(GRAPH, id=PRESET.graph_id))):
            await made.of(user).save_user(email=f"{user}@example.com", name=None, now_us=1)
            if user == ANN:
                await made.of(user).add_graphs([graph], now_us=1)
        his = replace(GRAPH, id=type(GRAPH.id)("his graph"))
        await made.of(BOB).add_graphs([his], now_us=1)
        await made.of(ANN).add_preset(watched(FIRST, ANN, 1))
        await made.of(ANN).add_preset(watched(SECOND, ANN, 2))
        await made.of(BOB).add_preset(replace(watched(HIS, BOB, 3), graph_id=his.id))
        yield made
        await made.close()

    @pytest.fixture
    def watches(self, storage: SqlStorage) -> Watches:
        return SqlWatches(storage.database)

    async def test_a_watch_goes_with_its_preset(
        self, storage: SqlStorage, watches: Watches
    ) -> None:
        assert await storage.of(ANN).delete_preset(PresetId(f"preset {FIRST}"), now_us=9)

        assert await watches.standing(FIRST) is None
        assert await watches.count(ANN) == 1

    async def test_what_is_given_up_starts_nothing_until_its_owner_says_so(
        self, storage: SqlStorage, watches: Watches
    ) -> None:
        preset_id = PresetId(f"preset {FIRST}")
        await watches.take("a", now_us=1, until_us=10, limit=1)
        looked = Looked(next_us=9_000, looked_us=5, failures=30, error="gone")

        await watches.give_up(FIRST, "a", looked, [NOTICE])

        given_up = await storage.of(ANN).preset(preset_id)
        other = await storage.of(ANN).preset(PresetId(f"preset {SECOND}"))
        assert given_up is not None
        assert other is not None
        assert (given_up.is_active, other.is_active) == (False, True)
        changes = PresetChanges(is_active=True)
        after = await storage.of(ANN).change_preset(preset_id, changes, now_us=20)
        assert after.webhook is not None
        assert after.webhook.standing is not None
        standing = after.webhook.standing
        assert (standing.failures, standing.error, standing.next_us) == (0, "", 20)

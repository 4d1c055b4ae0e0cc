"""The loop of watches: when it looks, what it remembers, and when it gives up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.watches import SqlWatches
from backend.core import json
from backend.core.errors import BadRequest, ServiceLimited, WebFailed
from backend.core.records import PresetChanges
from backend.core.watches import Standing, WatchKind
from backend.testing.clock import FakeClock
from backend.testing.storage import ANN, HOOK, PRESET
from tests.unit.engine.watching import Items, Scripted, storage_with, watcher_of

FEED = {"url": "https://example.com/feed.xml", "interval": 100}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    made = await storage_with(tmp_path, WatchKind.FEED, FEED)
    yield made
    await made.close()


async def standing(storage: SqlStorage) -> Standing:
    found = await SqlWatches(storage.database).standing(HOOK.id)
    assert found is not None
    return found


async def test_a_watch_is_looked_at_when_it_is_due_and_not_before(storage: SqlStorage) -> None:
    clock, items, looker = FakeClock(), Items(), Scripted(["a"], ["b"])
    watcher = watcher_of(storage, clock, looker, WatchKind.FEED, items)

    assert await watcher.look_at_due() == 1
    clock.pass_time(seconds=99)
    assert await watcher.look_at_due() == 0
    clock.pass_time(seconds=1)
    assert await watcher.look_at_due() == 1

    assert items.keys == ["a", "b"]
    assert looker.states == [{}, {"n": 1}]


async def test_failures_make_it_rarer_and_a_success_makes_up_for_them(storage: SqlStorage) -> None:
    clock, items = FakeClock(), Items()
    looker = Scripted(WebFailed("away"), WebFailed("still away"), [], [])
    watcher = watcher_of(storage, clock, looker, WatchKind.FEED, items)

    pauses, errors = [], []
    for _ in range(3):
        await watcher.look_at_due()
        now = await standing(storage)
        pauses.append((now.next_us - clock.now_us()) / 1e6)
        errors.append((now.failures, now.error))
        clock.set_us(now.next_us)

    assert pauses == [200, 400, 100]
    assert errors == [(1, "away"), (2, "still away"), (0, "")]


async def test_who_asks_to_wait_is_left_alone_so_long(storage: SqlStorage) -> None:
    clock = FakeClock()
    looker = Scripted(ServiceLimited("busy", retry_after_s=5_000.0))

    await watcher_of(storage, clock, looker, WatchKind.FEED, Items()).look_at_due()

    assert (await standing(storage)).next_us - clock.now_us() == 5_000 * 1_000_000


@pytest.mark.parametrize(
    ("error", "tries"), [(WebFailed("away"), 3), (BadRequest("wrong password"), 2)]
)
async def test_after_enough_failures_it_is_switched_off_and_its_owner_told(
    storage: SqlStorage, error: Exception, tries: int
) -> None:
    clock = FakeClock()
    looker = Scripted(*[error] * tries, [])
    watcher = watcher_of(storage, clock, looker, WatchKind.FEED, Items())

    for _ in range(tries + 2):
        await watcher.look_at_due()
        clock.set_us((await standing(storage)).next_us)

    preset = await storage.of(ANN).preset(PRESET.id)
    assert preset is not None
    assert not preset.is_active
    assert len(looker.looks) == 1
    assert (await standing(storage)).error == str(error)
    [(kind, data)] = await storage.database.read(
        lambda c: c.exec_driver_sql("SELECT type, data FROM notices").all()
    )
    assert (kind, json.loads(data)["reason"]) == ("CONTINUOUS_AGENT_ERROR", str(error))
    changes = PresetChanges(is_active=True)
    await storage.of(ANN).change_preset(PRESET.id, changes, now_us=clock.now_us())
    await watcher.look_at_due()
    assert looker.looks == []


async def test_a_defect_of_ours_fails_one_watch_and_not_the_loop(storage: SqlStorage) -> None:
    looker = Scripted(RuntimeError("oops"))

    await watcher_of(storage, FakeClock(), looker, WatchKind.FEED, Items()).look_at_due()

    assert (await standing(storage)).error == "an error of this server: RuntimeError"


async def test_what_was_handed_over_before_a_crash_is_handed_over_again_with_its_key(
    storage: SqlStorage,
) -> None:
    """The key makes it the same item: whoever takes it knows."""
    clock, items, looker = FakeClock(), Items(), Scripted(["a", "b"], ["a", "b"])
    items.dies_at = 2
    watcher = watcher_of(storage, clock, looker, WatchKind.FEED, items)

    await watcher.look_at_due()
    clock.set_us((await standing(storage)).next_us)
    await watcher.look_at_due()

    assert items.keys == ["a", "b", "a", "b"]
    assert looker.states == [{}, {}]


async def test_two_loops_look_once(storage: SqlStorage) -> None:
    clock, items, looker = FakeClock(), Items(), Scripted(["a"])
    one = watcher_of(storage, clock, looker, WatchKind.FEED, items)
    other = watcher_of(storage, clock, looker, WatchKind.FEED, items)

    assert [await one.look_at_due(), await other.look_at_due()] == [1, 0]


async def test_a_watch_whose_preset_rests_is_not_looked_at(storage: SqlStorage) -> None:
    changes = PresetChanges(is_active=False)
    await storage.of(ANN).change_preset(PRESET.id, changes, now_us=2)
    looker = Scripted(["a"])

    await watcher_of(storage, FakeClock(), looker, WatchKind.FEED, Items()).look_at_due()

    assert looker.states == []

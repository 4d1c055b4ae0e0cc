"""A watch of Ann's on real storage, and what tests look with."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.watches import SqlWatches
from backend.core.ids import UserId, WebhookId
from backend.core.records import WebhookRecord
from backend.core.watch_settings import WatchSettings
from backend.core.watches import WatchKind
from backend.engine.glances import Glance, Item, Looker
from backend.engine.watches import Watcher, WatchRules
from backend.testing.clock import FakeClock
from backend.testing.storage import ANN, GRAPH, HOOK, PRESET

RULES = WatchRules(least_s=60.0, tries=3, refusals=2)


async def storage_with(place: Path, kind: WatchKind, config: Mapping[str, Any]) -> SqlStorage:
    """Return storage in which Ann's preset has a webhook of this kind."""
    migrate(place / "agpt.db")
    made = open_storage(place / "agpt.db", synchronous="OFF")
    await made.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await made.of(ANN).add_graphs([GRAPH], now_us=1)
    hook = replace(HOOK, provider=kind.value, config=config, credentials_id="mine")
    await made.of(ANN).add_preset(replace(PRESET, webhook=hook))
    return made


class Items:
    """Takes items; `dies_at` is the number of the one at which it fails, once."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, Mapping[str, Any]]] = []
        self.dies_at = 0

    async def take(
        self, _webhook: WebhookRecord, event: str, payload: Mapping[str, Any], key: str
    ) -> None:
        self.taken.append((event, key, payload))
        if len(self.taken) == self.dies_at:
            raise SystemError("the process is killed here")

    @property
    def keys(self) -> list[str]:
        return [key for _, key, _ in self.taken]


def watcher_of(
    storage: SqlStorage, clock: FakeClock, looker: Looker, kind: WatchKind, items: Items
) -> Watcher:
    return Watcher(
        watches=SqlWatches(storage.database),
        storage=storage,
        items=items,
        lookers={kind: looker},
        clock=clock,
        rules=RULES,
        chance=lambda: 0.5,
    )


async def look(
    looker: Looker,
    settings: WatchSettings,
    state: dict[str, Any],
    *,
    user: str = "ann",
    now_us: int = 10**15,
    most: int | None = None,
) -> list[Item]:
    """Return what one look yields; after *most* items nobody asks for more, as if killed."""

    async def save() -> None:
        saved.append(dict(state))

    saved = [dict(state)]
    glance = Glance(
        webhook_id=WebhookId("hook"),
        user_id=UserId(user),
        settings=settings,
        credentials_id="mine",
        state=state,
        now_us=now_us,
        save=save,
    )
    found: list[Item] = []
    async for item in looker.look(glance):
        found.append(item)
        if len(found) == most:
            state.clear()
            state.update(saved[-1])
            break
    return found


class Scripted:
    """A looker that yields what it is told, or raises it."""

    def __init__(self, *looks: list[str] | Exception) -> None:
        self.looks = list(looks)
        self.states: list[dict[str, Any]] = []

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        self.states.append(dict(glance.state))
        now = self.looks.pop(0)
        if isinstance(now, Exception):
            raise now
        for key in now:
            yield Item(event="test", payload={"key": key}, key=key)
        glance.state["n"] = int(glance.state.get("n", 0)) + 1

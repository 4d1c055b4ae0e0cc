"""Looks after the watches: whose time has come is taken, looked at, and let go until its next.

The table is the truth: any number of schedulers share it, each watch is held by one of them at a
time, and what one of them has begun another goes on with. What makes it exactly once is not the
hold but the items: each is on disk under a key of its own before the watch says that it saw it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog

from backend.core import notices
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    NotConfigured,
    NotFound,
    SecretUnreadable,
    ServiceLimited,
    TooLarge,
    Unavailable,
    WebClientError,
)
from backend.core.json import NotJson
from backend.core.records import NoticeRecord, PresetRecord, WebhookRecord
from backend.core.watch_settings import WatchSettings, read_settings
from backend.core.watches import Looked, Watch, WatchKind, pause_us
from backend.engine.glances import Glance, Item, Looker
from backend.ports.clock import Clock
from backend.ports.storage import SystemStorage
from backend.ports.watches import TriggerItems, Watches

log = structlog.get_logger()

#: Watches are added by other processes: look again at least so often.
LOOK_S: Final = 2.0
#: So long a watch stays with who holds it, unless he says again that he does.
LEASE_S: Final = 15.0
#: Failures in a row that no waiting mends, and a watch is given up.
REFUSALS: Final = 5
_SECOND_US: Final = 1_000_000
#: A watch that starts nothing is asked for so often whether it does.
_NOBODY_WAITS_S: Final = 300.0
_REMEDY: Final = (
    "Mend what the reason says, then switch the trigger on again (is_active of its preset): it "
    "goes on from where it stopped."
)


class LeaseLost(AgentServerError):
    """Somebody else holds this watch now, or it is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchRules:
    """
    Bounds of the watching.

    Attributes:
        least_s: Others' servers are not asked more often.
        at_once: Looks at the same time.
        look_limit_s: For one look.
        tries: So many failures in a row, and it is given up.
        refusals: Likewise for what no waiting mends: a password that is wrong.
    """

    least_s: float = 60.0
    at_once: int = 8
    look_limit_s: float = 300.0
    tries: int = 30
    refusals: int = REFUSALS


@dataclass
class WatchFigures:
    """For /metrics."""

    looks: int = 0
    failures: int = 0
    items: int = 0
    given_up: int = 0


class Watcher:
    """See the module. `serve` must run."""

    def __init__(
        self,
        *,
        watches: Watches,
        storage: SystemStorage,
        items: TriggerItems,
        lookers: Mapping[WatchKind, Looker],
        clock: Clock,
        rules: WatchRules,
        chance: Callable[[], float],
    ) -> None:
        """Take *chance*, which gives numbers from 0 to 1."""
        self._watches = watches
        self._storage = storage
        self._items = items
        self._lookers = lookers
        self._clock = clock
        self._rules = rules
        self._chance = chance
        self._holder = clock.new_id()
        self._free = asyncio.Event()
        self._active = 0
        self.figures = WatchFigures()

    async def serve(self) -> None:
        """Look at what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._free.clear()
                try:
                    await self._begin_due(group)
                    pause_s = await self._until_next()
                except Unavailable as exc:
                    log.warning("watches_wait", error=str(exc))
                    pause_s = LOOK_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._free.wait()

    async def look_at_due(self) -> int:
        """Look at everything that is due, once, and return how much it was."""
        taken = await self._taken(self._rules.at_once)
        async with asyncio.TaskGroup() as group:
            for watch in taken:
                group.create_task(self._look_at(watch))
        return len(taken)

    async def _begin_due(self, group: asyncio.TaskGroup) -> None:
        room = self._rules.at_once - self._active
        next_us = await self._watches.next_us() if room else None
        if next_us is None or next_us > self._clock.now_us():
            return  # nothing is written while nothing is due
        for watch in await self._taken(room):
            self._active += 1
            group.create_task(self._look_at(watch)).add_done_callback(self._ended)

    def _ended(self, _: object) -> None:
        self._active -= 1
        self._free.set()

    async def _taken(self, limit: int) -> list[Watch]:
        now_us = self._clock.now_us()
        until_us = now_us + round(LEASE_S * _SECOND_US)
        return await self._watches.take(self._holder, now_us=now_us, until_us=until_us, limit=limit)

    async def _until_next(self) -> float:
        next_us = await self._watches.next_us()
        if next_us is None or self._active >= self._rules.at_once:
            return LOOK_S
        return min(max((next_us - self._clock.now_us()) / _SECOND_US, 0.01), LOOK_S)

    async def _look_at(self, watch: Watch) -> None:
        self.figures.looks += 1
        try:
            async with self._held(watch):
                await self._look(watch)
        except LeaseLost:
            log.info("watch_lost", webhook_id=watch.webhook_id)
        except Unavailable as exc:
            log.warning("watch_not_noted", webhook_id=watch.webhook_id, error=str(exc))

    @asynccontextmanager
    async def _held(self, watch: Watch) -> AsyncGenerator[None]:
        """Hold *watch* on; who is told to stop lets it go, so that nobody waits for the lease."""
        holding = asyncio.create_task(self._hold_on(watch))
        try:
            yield
        except asyncio.CancelledError:
            now_us = self._clock.now_us()
            looked = Looked(next_us=now_us, looked_us=now_us, failures=watch.failures)
            with suppress(AgentServerError):
                await self._watches.finish(watch.webhook_id, self._holder, looked)
            raise
        finally:
            holding.cancel()
            await asyncio.wait([holding])

    async def _hold_on(self, watch: Watch) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            until_us = self._clock.now_us() + round(LEASE_S * _SECOND_US)
            with suppress(Unavailable):  # there is time for another try
                await self._watches.hold_on(watch.webhook_id, self._holder, until_us=until_us)

    async def _look(self, watch: Watch) -> None:
        found = await self._storage.triggered_by(watch.webhook_id)
        if found is None or not found[1]:
            await self._rest(watch)
            return
        webhook = found[0]
        state = dict(watch.state)
        every_s = self._rules.least_s
        try:
            kind = WatchKind(webhook.provider)
            settings = read_settings(kind, webhook.config, least_s=0.0)
            least_s = 0.0 if kind is WatchKind.FOLDER else self._rules.least_s
            every_s = max(settings.every_s, least_s)
            glance = self._glance(watch, webhook, settings, state)
            async with asyncio.timeout(self._rules.look_limit_s):
                await self._hand_over(webhook, self._lookers[kind], glance)
        except LeaseLost:
            raise
        except TimeoutError:
            await self._failed(watch, state, every_s, Unavailable("the look took too long"), found)
        except AgentServerError as exc:
            await self._failed(watch, state, every_s, exc, found)
        except Exception as exc:
            # The border of the loop: one watch that trips over something keeps no other waiting.
            log.exception("watch_broke", webhook_id=watch.webhook_id)
            error = Unavailable(f"an error of this server: {type(exc).__name__}")
            await self._failed(watch, state, every_s, error, found)
        else:
            again_s = every_s if glance.again_s is None else min(glance.again_s, every_s)
            await self._finish(watch, pause_us(again_s, spread=self._chance()), state)

    def _glance(
        self,
        watch: Watch,
        webhook: WebhookRecord,
        settings: WatchSettings,
        state: dict[str, Any],
    ) -> Glance:
        async def save() -> None:
            if not await self._watches.save(watch.webhook_id, self._holder, state):
                raise LeaseLost

        return Glance(
            webhook_id=watch.webhook_id,
            user_id=watch.user_id,
            settings=settings,
            credentials_id=webhook.credentials_id,
            state=state,
            now_us=self._clock.now_us(),
            save=save,
        )

    async def _hand_over(self, webhook: WebhookRecord, looker: Looker, glance: Glance) -> None:
        found = cast("AsyncGenerator[Item]", looker.look(glance))
        async with aclosing(found):  # what it has open must not wait for the garbage collector
            async for item in found:
                try:
                    await self._items.take(webhook, item.event, item.payload, item.key)
                except (TooLarge, NotJson) as exc:
                    # One that can never be taken must not keep those behind it.
                    log.warning("watched_item_refused", webhook_id=webhook.id, error=str(exc))
                self.figures.items += 1

    async def _rest(self, watch: Watch) -> None:
        """Let a watch go that nobody waits for; it goes on where it was when somebody does."""
        pause = round(_NOBODY_WAITS_S * _SECOND_US)
        await self._finish(watch, pause, None, failures=watch.failures, error=None)

    async def _finish(
        self, watch: Watch, pause: int, state: Mapping[str, Any] | None, **more: Any
    ) -> None:
        now_us = self._clock.now_us()
        looked = Looked(next_us=now_us + pause, looked_us=now_us, state=state, **more)
        if not await self._watches.finish(watch.webhook_id, self._holder, looked):
            raise LeaseLost

    async def _failed(
        self,
        watch: Watch,
        state: Mapping[str, Any],
        every_s: float,
        error: AgentServerError,
        found: tuple[WebhookRecord, Any],
    ) -> None:
        failures = watch.failures + 1
        self.figures.failures += 1
        log.warning("watch_failed", webhook_id=watch.webhook_id, error=str(error))
        if failures >= (self._rules.refusals if _is_refusal(error) else self._rules.tries):
            await self._give_up(watch, state, error, found[1])
            return
        after_s = error.retry_after_s if isinstance(error, ServiceLimited) else None
        pause = pause_us(every_s, failures=failures, retry_after_s=after_s, spread=self._chance())
        await self._finish(watch, pause, state, failures=failures, error=str(error))

    async def _give_up(
        self,
        watch: Watch,
        state: Mapping[str, Any],
        error: AgentServerError,
        presets: list[PresetRecord],
    ) -> None:
        self.figures.given_up += 1
        now_us = self._clock.now_us()
        looked = Looked(
            next_us=now_us + round(_NOBODY_WAITS_S * _SECOND_US),
            looked_us=now_us,
            state=state,
            failures=watch.failures + 1,
            error=str(error),
        )
        told = [_notice(preset, str(error), now_us) for preset in presets]
        log.warning("watch_given_up", webhook_id=watch.webhook_id, error=str(error))
        if not await self._watches.give_up(watch.webhook_id, self._holder, looked, told):
            raise LeaseLost


def _is_refusal(error: AgentServerError) -> bool:
    """Say whether no waiting mends it; what a page answers today may be another thing tomorrow."""
    if isinstance(error, WebClientError):
        return False
    return isinstance(error, BadRequest | NotFound | NotConfigured | SecretUnreadable)


def _notice(preset: PresetRecord, reason: str, now_us: int) -> NoticeRecord:
    return notices.schedule_paused(
        notices.About(
            user_id=preset.user_id,
            agent_name=preset.name,
            graph_id=preset.graph_id,
            now_us=now_us,
        ),
        key=f"{preset.id}:{now_us}",
        schedule_id=preset.id,
        schedule_name=preset.name,
        reason=reason,
        remedy=_REMEDY,
        what="watch",
    )

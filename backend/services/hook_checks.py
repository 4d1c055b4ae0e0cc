"""Webhooks that somebody has deleted at their provider: found, and told to their owners."""

from typing import Final

import structlog

from backend.core.errors import AgentServerError
from backend.core.notices import About, schedule_paused
from backend.core.records import NoticeRecord, PresetChanges, PresetRecord, WebhookRecord
from backend.ports.clock import Clock
from backend.ports.notices import NoticeQueue
from backend.ports.storage import Storage
from backend.services.registrations import Registrations

log = structlog.get_logger(__name__)

_PAGE: Final = 100
_REMEDY: Final = (
    "Switch the trigger on again (is_active of its preset): its provider is told of it anew."
)


class HookChecks:
    """Asks providers whether they still have what they were told of."""

    def __init__(
        self, *, storage: Storage, registrations: Registrations, notices: NoticeQueue, clock: Clock
    ) -> None:
        self._storage = storage
        self._registrations = registrations
        self._notices = notices
        self._clock = clock

    async def look(self) -> str:
        """
        Ask about each registered webhook once; return what was found, in words.

        What a provider has no more starts nothing: its presets are made inactive, and their owner
        is told, once. Where a provider does not say, the next look asks again.
        """
        asked = gone = silent = 0
        last: WebhookRecord | None = None
        while True:
            some = await self._storage.registered_webhooks(
                after=None if last is None else last.id, limit=_PAGE
            )
            for webhook in some:
                asked += 1
                try:
                    is_there = await self._registrations.is_there(webhook)
                except AgentServerError as exc:
                    log.info("webhook_not_checked", webhook_id=webhook.id, error=str(exc))
                    silent += 1
                    continue
                if not is_there:
                    gone += 1
                    await self._let_go(webhook)
            if len(some) < _PAGE:
                break
            last = some[-1]
        return f"{asked} asked about, {gone} deleted at their provider, {silent} without an answer"

    async def _let_go(self, webhook: WebhookRecord) -> None:
        found = await self._storage.triggered_by(webhook.id)
        presets = () if found is None else found[1]
        log.warning("webhook_gone_at_provider", webhook_id=webhook.id, presets=len(presets))
        for preset in presets:
            # First: who dies in between finds it again, and the notice has the same id.
            await self._notices.add([self._notice(webhook, preset)])
            await self._storage.of(preset.user_id).change_preset(
                preset.id, PresetChanges(is_active=False, detach=True), now_us=self._clock.now_us()
            )

    def _notice(self, webhook: WebhookRecord, preset: PresetRecord) -> NoticeRecord:
        return schedule_paused(
            About(
                user_id=preset.user_id,
                agent_name=preset.name,
                graph_id=preset.graph_id,
                now_us=self._clock.now_us(),
            ),
            key=f"{webhook.id}:{preset.id}",
            schedule_id=preset.id,
            schedule_name=preset.name,
            reason=f"{webhook.provider} has the webhook of {webhook.resource} no more: somebody "
            "deleted it there, or switched it off",
            remedy=_REMEDY,
            what="trigger",
        )

"""Fetches what providers keep for webhooks of ours, and only ring about."""

from collections.abc import AsyncIterator
from typing import Final, Protocol

from backend.core.ids import UserId, WebhookId
from backend.core.watches import WatchKind, key_of
from backend.engine.glances import Glance, Item
from backend.ports.registrars import Pulled

#: Answers of one look; the next look goes on at once.
_MOST: Final = 20


class Keeping(Protocol):
    """Asks providers; see backend.services.registrations."""

    async def pull(self, user_id: UserId, webhook_id: WebhookId, first: int) -> Pulled:
        """Return what is kept for a webhook, from the number *first* on."""


class PullLooker:
    """
    What happened since the webhook was registered, each thing once.

    State: *next*, the number of the first that was not handed over.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        """See Looker."""
        state = glance.state
        for _ in range(_MOST):
            first = int(state.get("next", 1))
            pulled = await self._keeping.pull(glance.user_id, glance.webhook_id, first)
            for one in pulled.changes:
                key = key_of(WatchKind.AIRTABLE, glance.webhook_id, one.number)
                yield Item(event=one.event, payload=one.payload, key=key)
            if pulled.next > first:
                state["next"] = pulled.next
                await glance.save()
            if not pulled.has_more or pulled.next <= first:
                return
        glance.again_s = 0.0

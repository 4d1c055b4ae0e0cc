"""Somebody who signs what they send to a webhook, as each provider does."""

import json
from typing import Any, Final

from sqlalchemy import update

from backend.adapters.storage.tables import webhooks
from backend.core.signatures import SCHEMES, Scheme, sign
from tests.contract.rest_server import Json, RestServer
from tests.contract.triggered import deliver, new_trigger

BODIES: Final[dict[str, Json]] = {
    "github": {"action": "opened", "number": 7},
    "slack": {"type": "event_callback", "event_id": "Ev1"},
    "stripe": {"type": "invoice.paid", "id": "evt_1"},
    "shopify": {"id": 7},
}
EVENTS: Final[dict[str, dict[str, str]]] = {
    "github": {"x-github-event": "issues"},
    "shopify": {"x-shopify-topic": "orders/create"},
}


class Sender:
    """Somebody who signs what they send to one webhook."""

    def __init__(self, server: RestServer, preset: Json, provider: str) -> None:
        self.server = server
        self.webhook: Json = preset["webhook"]
        self.scheme: Scheme = SCHEMES[provider]
        self.body = json.dumps(BODIES[provider]).encode()
        self.more = EVENTS.get(provider, {})

    def headers(self, body: bytes, *, age_s: int = 0) -> dict[str, str]:
        now = self.server.clock.now_us() // 1_000_000
        made = sign(self.scheme, self.webhook["secret"], body, timestamp=now - age_s, id_="msg")
        return {**made, **self.more}

    async def send(self, body: bytes | None = None, *, age_s: int = 0, **headers: str) -> int:
        sent = self.body if body is None else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.raw({**self.headers(sent, age_s=age_s), **named}, sent)

    async def raw(self, headers: Any, body: bytes | None = None) -> int:
        sent = self.body if body is None else body
        answered = await deliver(self.server, self.webhook["url"], content=sent, headers=headers)
        return answered.status_code


async def sender_of(server: RestServer, provider: str, **changes: Any) -> Sender:
    """Return who sends to a webhook that is stored with *provider*, as registering will leave it."""
    preset = await new_trigger(server)
    await server.storage.database.write(
        lambda c: c.execute(
            update(webhooks)
            .where(webhooks.c.id == preset["webhook_id"])
            .values(provider=provider, **changes)
        )
    )
    url = preset["webhook"]["url"].replace("generic_webhook", provider)
    preset["webhook"] = {**preset["webhook"], "provider": provider, "url": url}
    return Sender(server, preset, provider)

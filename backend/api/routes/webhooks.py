"""Webhooks: where deliveries come in, and trying one (spec/contract.md 10.3)."""

from typing import Final

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import RUNS, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.core.ids import WebhookId
from backend.services.webhooks import Delivery

_TAGS: Final = ("v1", "integrations")
_SIGNATURE: Final = "x-hub-signature-256"
#: By which a sender names a delivery; the first that is there counts.
_DELIVERY_IDS: Final = ("idempotency-key", "x-github-delivery")


def add_webhook_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "POST",
        f"{PREFIX}/integrations/{{provider}}/webhooks/{{webhook_id}}/ingress",
        receive,
        operation="postV1WebhookIngressGeneric",
        tags=_TAGS,
        route_class=PublicRoute,
        audit=RUNS,
    )
    routes.add(
        "POST",
        f"{PREFIX}/integrations/webhooks/{{webhook_id}}/ping",
        ping,
        operation="postV1WebhookPing",
        tags=_TAGS,
        audit=NotAudited("asks a provider to try; what it delivers is a run"),
    )


async def receive(request: Request, provider: str, webhook_id: str) -> Response:
    """Start what a delivery starts. No token: the address is known to its sender alone."""
    headers, webhooks = request.headers, context_of(request).webhooks
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        webhooks.check_size(len(body))
    await webhooks.receive(
        provider,
        WebhookId(webhook_id),
        Delivery(
            body=bytes(body),
            signature=headers.get(_SIGNATURE),
            delivery_id=next((headers[name] for name in _DELIVERY_IDS if name in headers), None),
        ),
    )
    return answer(None)


async def ping(request: Request, webhook_id: str) -> Response:
    """Say whether the provider could be asked to try a webhook of the caller's."""
    pinged = await context_of(request).webhooks.ping(
        caller_of(request).user_id, WebhookId(webhook_id)
    )
    return answer(pinged)

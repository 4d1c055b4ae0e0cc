"""Webhooks: where deliveries come in, and trying one (spec/contract.md 10.3)."""

from typing import Final

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import RUNS, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, PublicRoute, Routes
from backend.core.errors import TooLarge
from backend.core.ids import WebhookId
from backend.services.delivery_keys import Delivery

_TAGS: Final = ("v1", "integrations")


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
    webhooks = context_of(request).webhooks
    address = request.client.host if request.client else ""
    webhooks.admit(address)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            webhooks.check_size(len(body))
    except TooLarge as exc:
        unread = Delivery(body=b"", headers=_headers_of(request), address=address)
        webhooks.refuse_large(WebhookId(webhook_id), unread, exc)
        raise
    # As it came: whatever a header calls it, it is JSON or nothing, and is signed as it came.
    delivery = Delivery(body=bytes(body), headers=_headers_of(request), address=address)
    return answer(await webhooks.receive(provider, WebhookId(webhook_id), delivery))


def _headers_of(request: Request) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    return headers


async def ping(request: Request, webhook_id: str) -> Response:
    """Say whether the provider could be asked to try a webhook of the caller's."""
    pinged = await context_of(request).webhooks.ping(
        caller_of(request).user_id, WebhookId(webhook_id)
    )
    return answer(pinged)

"""Webhooks and what was sent to them, for their owners. Ours, beside the contract."""

import re
from typing import Annotated, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import RUNS
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire.deliveries import delivery_details, delivery_form, webhook_use_form
from backend.core.deliveries import DeliveryId, DeliveryPlace
from backend.core.errors import BadRequest
from backend.core.ids import WebhookId
from backend.services.deliveries import MAX_PAGE

_TAGS: Final = ("v1", "integrations")
_WEBHOOKS: Final = f"{PREFIX}/integrations/webhooks"
_DELIVERIES: Final = f"{_WEBHOOKS}/{{webhook_id}}/deliveries"
_ONE: Final = f"{_DELIVERIES}/{{delivery_id}}"
#: Where a page ended: the time of its last delivery, in microseconds, and that one's id.
_CURSOR: Final = re.compile(r"([0-9]{1,18})\.([A-Za-z0-9-]{1,80})", re.ASCII)


def add_delivery_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add
    add("GET", _WEBHOOKS, list_webhooks, operation="getV1List webhooks", tags=_TAGS)
    add("GET", _DELIVERIES, list_deliveries, operation="getV1List webhook deliveries", tags=_TAGS)
    add("GET", _ONE, get_delivery, operation="getV1Get webhook delivery", tags=_TAGS)
    add(
        "POST",
        f"{_ONE}/replay",
        replay_delivery,
        operation="postV1Replay webhook delivery",
        tags=_TAGS,
        audit=RUNS,
    )


async def list_webhooks(request: Request) -> Response:
    """Return the caller's webhooks with the presets that they start; no secrets."""
    webhooks = context_of(request).webhooks
    found = await webhooks.deliveries.webhooks(caller_of(request).user_id)
    forms = [webhook_use_form(use, webhooks.url_of(use.webhook)) for use in found]
    return answer({"webhooks": forms})


async def list_deliveries(
    request: Request,
    webhook_id: str,
    *,
    cursor: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> Response:
    """Return deliveries to a webhook, newest first; *cursor* is where the last page ended."""
    found = await context_of(request).webhooks.deliveries.page(
        caller_of(request).user_id, WebhookId(webhook_id), after=_place(cursor), limit=limit
    )
    is_full = len(found) == limit
    more = f"{found[-1].received_us}.{found[-1].id}" if is_full else None
    return answer({"deliveries": [delivery_form(one) for one in found], "next_cursor": more})


async def get_delivery(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Return a delivery with what was sent."""
    found = await context_of(request).webhooks.deliveries.get(
        caller_of(request).user_id, WebhookId(webhook_id), DeliveryId(delivery_id)
    )
    return answer(delivery_details(found))


async def replay_delivery(request: Request, webhook_id: str, delivery_id: str) -> Response:
    """Start a delivery again, as a new one."""
    made = await context_of(request).webhooks.deliveries.replay(
        caller_of(request).user_id, WebhookId(webhook_id), DeliveryId(delivery_id)
    )
    return answer(delivery_form(made))


def _place(cursor: str) -> DeliveryPlace | None:
    if not cursor:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadRequest("cursor is the next_cursor of a page before")
    return DeliveryPlace(int(match[1]), DeliveryId(match[2]))

"""Answers about webhooks and deliveries, as OpenAPI shows them. Part of shapes.py, apart for its size."""

from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel

from backend.core.deliveries import DeliveryStatus


class WebhookPreset(BaseModel):
    """A preset that a webhook starts."""

    id: str
    name: str
    graph_id: str
    is_active: bool


class WebhookSummary(BaseModel):
    """A webhook without its secret."""

    id: str
    provider: str
    webhook_type: str
    resource: str
    events: list[str]
    credentials_id: str | None
    provider_webhook_id: str | None
    url: str
    created_at: datetime
    refused_count: int
    presets: list[WebhookPreset]


class WebhookList(BaseModel):
    """All webhooks of a user."""

    webhooks: list[WebhookSummary]


class DeliveryRun(BaseModel):
    """What became of a delivery at one preset."""

    preset_id: str
    graph_exec_id: str | None
    error: str | None


class WebhookDelivery(BaseModel):
    """A delivery, and where it stands."""

    id: str
    webhook_id: str
    provider: str
    event: str
    status: DeliveryStatus
    reason: str | None
    received_at: datetime
    size_bytes: int
    address: str | None
    headers: dict[str, str]
    runs: list[DeliveryRun]
    replay_of: str | None
    tries: int


class WebhookDeliveryDetails(WebhookDelivery):
    """A delivery with what was sent; null if it was refused."""

    payload: dict[str, Any] | str | None


class WebhookDeliveryPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[WebhookDelivery]
    next_cursor: str | None


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List webhooks": WebhookList,
    "getV1List webhook deliveries": WebhookDeliveryPage,
    "getV1Get webhook delivery": WebhookDeliveryDetails,
    "postV1Replay webhook delivery": WebhookDelivery,
}

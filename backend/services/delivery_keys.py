"""By what a delivery is known again, and what of it is read, kept and told."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core import json
from backend.core.errors import BadRequest
from backend.core.json import depth_over
from backend.core.signatures import Checked, Headers, one
from backend.core.webhook_providers import Provider

MAX_DELIVERY_ID: Final = 255
MAX_PAYLOAD_DEPTH: Final = 120
#: By which a sender names a delivery; the first that is there counts.
_DELIVERY_IDS: Final = ("idempotency-key", "x-github-delivery")
#: What helps an owner to understand a delivery. None that proves who sent it, and no cookies.
_KEPT_HEADERS: Final = (
    "content-type",
    "user-agent",
    "idempotency-key",
    "x-github-event",
    "x-github-delivery",
    "x-github-hook-id",
    "x-slack-retry-num",
    "x-slack-retry-reason",
    "x-shopify-topic",
    "webhook-id",
)
_MAX_HEADER: Final = 200


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """
    What somebody sent to the address of a webhook.

    Attributes:
        headers: Names in lower case, and values, as they came.
        address: From where.
    """

    body: bytes
    headers: Headers = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """By what a delivery is known again: *run* makes the ids of its runs, *all* are noted."""

    run: str | None
    all: tuple[str, ...] = ()


def payload_of(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that was sent. Raises BadRequest if it is none."""
    try:
        payload = json.loads(body)
    except json.NotJson as exc:
        raise BadRequest(f"The body must be a JSON object: {exc}") from exc
    if not isinstance(payload, dict):
        raise BadRequest("The body must be a JSON object; put other values into one.")
    if depth_over(payload, MAX_PAYLOAD_DEPTH):
        raise BadRequest(f"The body is nested deeper than {MAX_PAYLOAD_DEPTH} levels.")
    return payload


def kept_headers(headers: Headers) -> dict[str, str]:
    """Return those of a delivery's headers that are kept with it."""
    return {name: headers[name][0][:_MAX_HEADER] for name in _KEPT_HEADERS if headers.get(name)}


def keys_of(
    sender: Provider, delivery: Delivery, payload: Mapping[str, Any], checked: Checked | None
) -> Keys:
    """
    Return by what a delivery is known again.

    A header that names it is not signed: whoever has seen a delivery could give it another name.
    So what is signed decides, where it must be signed.

    Raises:
        BadRequest: If its name is too long.
    """
    named = next(
        (one(delivery.headers, name) for name in _DELIVERY_IDS if name in delivery.headers), None
    )
    if named and len(named) > MAX_DELIVERY_ID:
        raise BadRequest(f"The id of a delivery has at most {MAX_DELIVERY_ID} characters.")
    if checked is None or sender.is_open:
        # Here the same body may come twice and mean it.
        return Keys(run=named, all=(key_of("id", named),)) if named else Keys(run=None)
    in_body = payload.get(sender.id_field) if sender.id_field else None
    in_body = str(in_body) if isinstance(in_body, str | int) else ""
    own = checked.signed_id or in_body
    run = key_of("own", own) if own else key_of("digest", checked.digest)
    return Keys(run=run, all=(run, key_of("id", named)) if named else (run,))


def key_of(kind: str, text: str) -> str:
    """Return what stands for *text*, whatever its length."""
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"

"""Who sends to webhooks, as data: how each signs, names its events and its deliveries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from backend.core.errors import BadRequest
from backend.core.signatures import SCHEMES, TELEGRAM, Headers, Layout, Scheme, Signed, one

_EVENT: Final = re.compile(r"[A-Za-z0-9_./:-]{1,100}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """
    A sender.

    Attributes:
        scheme: How it signs; what has no right signature is refused.
        is_open: Its owner may choose that whoever knows the address may deliver, and another
            scheme.
        event_header: Where it names the event, which it must; *event_field* likewise in the body.
        action_field: In the body; what stands there belongs to the event's name.
        event: The name of all its events.
        ping: The event by which it tries an address. It starts nothing.
        kinds: Fields of the body of which one is there, and names the event.
        parts: Of what is there then; the first that it has belongs to the event's name.
        inner_field: Of the body; an object whose own *event_field* names the event, if it is there.
        id_field: Of the body: names a delivery, and stays the same when it is sent again.
        event_prefix: Stands before what *event_field* says, which is in lower case then.
        names: What the body calls an event, and how presets choose it; others keep their names.
        resource_at: Ways into the body; where the first that is there says something, that is what
            it is about, and a webhook of another thing does not want it.
        fields: Of the body: all must be there, and nothing else is given on; empty: all is.
    """

    scheme: Scheme
    is_open: bool = False
    event_header: str = ""
    event_field: str = ""
    action_field: str = ""
    event: str = ""
    ping: str = ""
    kinds: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    inner_field: str = ""
    id_field: str = ""
    event_prefix: str = ""
    fields: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    resource_at: tuple[tuple[str, ...], ...] = ()


#: The events of websets, and how the block chooses them.
EXA_EVENTS: Final[Mapping[str, str]] = {
    **{f"webset.{name}": f"webset_{name}" for name in ("created", "deleted", "paused", "idle")},
    **{
        f"webset.{part}.{name}": f"{part}_{name}"
        for part, names in (
            ("search", ("created", "completed", "canceled", "updated")),
            ("item", ("created", "enriched")),
            ("export", ("created", "completed")),
        )
        for name in names
    },
    "import.created": "import_created",
    "import.completed": "import_completed",
}

#: By the provider of a stored webhook. Who is not here cannot be checked, and is refused.
PROVIDERS: Final[Mapping[str, Provider]] = {
    "generic_webhook": Provider(scheme=SCHEMES["github"], is_open=True, event="plain"),
    "github": Provider(
        scheme=SCHEMES["github"],
        event_header="x-github-event",
        action_field="action",
        ping="ping",
    ),
    "slack": Provider(
        scheme=SCHEMES["slack"],
        event_field="type",
        inner_field="event",
        ping="url_verification",
        id_field="event_id",
    ),
    "telegram": Provider(
        scheme=TELEGRAM,
        kinds=("message", "edited_message", "channel_post", "callback_query", "message_reaction"),
        parts=("text", "photo", "voice", "audio", "document", "video", "sticker", "location"),
        id_field="update_id",
    ),
    # Neither of them signs: who knows the address may deliver, unless its owner says how it is signed.
    "compass": Provider(scheme=SCHEMES["github"], is_open=True, event="transcription"),
    "slant3d": Provider(
        scheme=SCHEMES["github"],
        is_open=True,
        event_field="status",
        event_prefix="order.",
        fields=("orderId", "status", "trackingNumber", "carrierCode"),
    ),
    "exa": Provider(
        scheme=Scheme(
            header="exa-signature", prefix="v1=", signed=Signed.DOTTED, layout=Layout.PAIRS
        ),
        event_field="type",
        id_field="id",
        names=EXA_EVENTS,
        resource_at=(("data", "websetId"), ("data", "id")),
    ),
    # It says only that something has changed: what, is asked for (core/watches.py, RINGING).
    "airtable": Provider(
        scheme=Scheme(header="x-airtable-content-mac", prefix="hmac-sha256=", is_key_base64=True),
        event="notification",
    ),
    "stripe": Provider(scheme=SCHEMES["stripe"], event_field="type", id_field="id"),
    "shopify": Provider(scheme=SCHEMES["shopify"], event_header="x-shopify-topic"),
}


def fields_of(provider: Provider, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Return what of a delivery is given on.

    Raises:
        BadRequest: If something is missing that the provider always sends.
    """
    if not provider.fields:
        return payload
    missing = [name for name in provider.fields if name not in payload]
    if missing:
        raise BadRequest(f"The body has no {', '.join(missing)}.")
    return {name: payload[name] for name in provider.fields}


def is_about(provider: Provider, payload: Mapping[str, Any], resource: str) -> bool:
    """Say whether a delivery can be about *resource*; empty: anything is."""
    for way in provider.resource_at if resource else ():
        found: Any = payload
        for name in way:
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, str) and found:
            return found == resource
    return True


def event_of(provider: Provider, headers: Headers, payload: Mapping[str, Any]) -> str:
    """
    Return the name of a delivery's event.

    Raises:
        BadRequest: If the provider names its events and this one has none.
    """
    if provider.event:
        return provider.event
    if provider.kinds:
        return _kind(provider, payload)
    where = provider.event_header or provider.event_field
    found = one(headers, where) if provider.event_header else payload.get(where)
    if not isinstance(found, str) or not _EVENT.fullmatch(found):
        raise BadRequest(f"{where} must name the event.")
    if found in provider.names:
        return provider.names[found]
    if provider.event_prefix:
        return f"{provider.event_prefix}{found.lower()}"
    inner = payload.get(provider.inner_field) if provider.inner_field else None
    named = inner.get(where) if isinstance(inner, Mapping) else None
    if isinstance(named, str) and _EVENT.fullmatch(named):
        return named
    action = payload.get(provider.action_field) if provider.action_field else None
    if isinstance(action, str) and _EVENT.fullmatch(action):
        return f"{found}.{action}"
    return found


def _kind(provider: Provider, payload: Mapping[str, Any]) -> str:
    kind = next((name for name in provider.kinds if name in payload), None)
    if kind is None:
        return "other"
    inside = payload[kind]
    part = next(
        (name for name in provider.parts if isinstance(inside, Mapping) and name in inside), ""
    )
    return f"{kind}.{part}" if part else kind

"""Channels of notices, and notices as they are read in the app. Ours, beside the contract."""

from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited, NotAudited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import notifications as wire
from backend.api.wire.text import Id
from backend.core.ids import ChannelId

_NOTICES: Final = f"{PREFIX}/notifications"
_CHANNELS: Final = f"{_NOTICES}/channels"
_CHANNEL: Final = f"{_CHANNELS}/{{channel_id}}"
_TAGS: Final = ("v1", "notifications")
_MOST_CURSOR: Final = 500

ChannelOfPath = Annotated[Id, Path()]


def add_notification_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", _NOTICES, list_notices, operation="getV1List notifications", tags=_TAGS)
    routes.add(
        "POST",
        f"{_NOTICES}/read",
        mark_read,
        operation="postV1Mark notifications read",
        tags=_TAGS,
        audit=NotAudited("who has read what is no change of what is there"),
    )
    routes.add(
        "GET",
        _CHANNELS,
        list_channels,
        operation="getV1List notification channels",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        _CHANNELS,
        add_channel,
        operation="postV1Add notification channel",
        tags=_TAGS,
        status=201,
        audit=Audited("create", "notification_channel"),
    )
    routes.add("GET", _CHANNEL, get_channel, operation="getV1Get notification channel", tags=_TAGS)
    routes.add(
        "PATCH",
        _CHANNEL,
        change_channel,
        operation="patchV1Change notification channel",
        tags=_TAGS,
        audit=Audited("change", "notification_channel", "channel_id"),
    )
    routes.add(
        "DELETE",
        _CHANNEL,
        remove_channel,
        operation="deleteV1Remove notification channel",
        tags=_TAGS,
        status=204,
        audit=Audited("delete", "notification_channel", "channel_id"),
    )
    routes.add(
        "POST",
        f"{_CHANNEL}/test",
        test_channel,
        operation="postV1Test notification channel",
        tags=_TAGS,
        audit=NotAudited("it sends a message of no meaning, and nothing changes"),
    )


async def list_notices(
    request: Request,
    *,
    unread: bool = False,
    cursor: Annotated[str | None, Query(max_length=_MOST_CURSOR)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
) -> Response:
    """Return the caller's notices, the newest first; `next_cursor` asks for those after them."""
    page = await context_of(request).notices.inbox.page(
        caller_of(request).user_id, cursor=cursor, unread_only=unread, limit=limit
    )
    return answer(
        {
            "notifications": [wire.entry_form(entry) for entry in page.entries],
            "unread_count": page.unread,
            "next_cursor": page.next_cursor,
        }
    )


async def mark_read(request: Request, body: wire.ReadBody) -> Response:
    """Note that the caller has read some notices, or all up to a moment; return what is unread."""
    inbox, user_id = context_of(request).notices.inbox, caller_of(request).user_id
    if body.ids is not None:
        unread = await inbox.mark(user_id, body.ids)
    else:
        unread = await inbox.mark_until(user_id, body.until_us())
    return answer({"unread_count": unread})


async def list_channels(request: Request) -> Response:
    """Return the caller's channels, the oldest first."""
    found = await context_of(request).notices.channels.listed(caller_of(request).user_id)
    return answer({"channels": [wire.channel_form(one) for one in found]})


async def add_channel(request: Request, body: wire.ChannelBody) -> Response:
    """Make a channel; the secret of a webhook's signatures is answered now and never again."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    made = await context.notices.channels.add(
        user_id,
        body.kind,
        body.config,
        name=body.name,
        types=None if body.types is None else tuple(body.types),
        runs=body.runs,
    )
    return answer(wire.channel_form(made), status=201)


async def get_channel(request: Request, channel_id: ChannelOfPath) -> Response:
    """Return a channel, and how it goes."""
    user_id = caller_of(request).user_id
    found = await context_of(request).notices.channels.get(user_id, ChannelId(channel_id))
    return answer(wire.channel_form(found))


async def change_channel(
    request: Request, channel_id: ChannelOfPath, body: wire.ChannelChangesBody
) -> Response:
    """Change what is named; turned on, or led elsewhere, it starts anew."""
    changed = await context_of(request).notices.channels.change(
        caller_of(request).user_id,
        ChannelId(channel_id),
        config=body.config,
        name=body.name,
        types=None if body.types is None else tuple(body.types),
        runs=body.runs,
        enabled=body.enabled,
    )
    return answer(wire.channel_form(changed))


async def remove_channel(request: Request, channel_id: ChannelOfPath) -> Response:
    """Remove a channel with all that waits for it."""
    await context_of(request).notices.channels.remove(
        caller_of(request).user_id, ChannelId(channel_id)
    )
    return Response(status_code=204)


async def test_channel(request: Request, channel_id: ChannelOfPath) -> Response:
    """Send a message through a channel now, and return what the service said."""
    outcome = await context_of(request).notices.channels.test(
        caller_of(request).user_id, ChannelId(channel_id)
    )
    return answer(wire.outcome_form(outcome))

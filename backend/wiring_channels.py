"""Wires how people are told beside mail: channels, and the list in the app. Part of wiring_notices.py."""

import secrets
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.settings import Settings
from backend.telemetry import Metrics

if TYPE_CHECKING:
    from backend.ports.bus import EventPublisher
    from backend.ports.clock import Clock
    from backend.ports.web import WebClient
    from backend.services.channel_calls import ChannelCalls
    from backend.services.inbox import InboxService
    from backend.services.notice_channels import ChannelService


def channel_works(
    settings: Settings,
    storage: SqlStorage,
    metrics: Metrics,
    publisher: "EventPublisher",
    stack: AsyncExitStack,
) -> list[Coroutine[Any, Any, None]]:
    """Return what routes notices, tells sockets, and sends through channels; until cancelled."""
    from backend.adapters.storage.notice_sends import SqlSendQueue
    from backend.adapters.web import GuardedWebClient
    from backend.engine.notice_router import NoticeRouter
    from backend.engine.notice_sender import NoticeSender

    clock, queue = SystemClock(), SqlSendQueue(storage.database)
    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    router = NoticeRouter(queue, publisher, clock)
    sender = NoticeSender(queue, channel_calls(settings, web), clock, tell=router.tell)
    metrics.gauge("messages_sent", "Messages that channels took").set_function(lambda: sender.sent)
    metrics.gauge("messages_failed", "Messages given up").set_function(lambda: sender.failed)
    return [publisher.serve(_nothing), router.serve(), sender.serve()]


def _nothing() -> None:
    """Wait for no socket: who is not there yet reads the list."""


def channel_calls(settings: Settings, web: "WebClient") -> "ChannelCalls":
    """Return what sends messages through channels; *web* stays the caller's."""
    from backend.services.channel_calls import ChannelCalls
    from backend.services.sealed import Sealer
    from backend.wiring_credentials import open_vault

    return ChannelCalls(
        web=web,
        sealer=Sealer(open_vault(settings)),
        clock=SystemClock(),
        base_urls=settings.provider_base_urls,
    )


def channels_of(settings: Settings, storage: SqlStorage, web: "WebClient") -> "ChannelService":
    """Return how owners see and change their channels; *web* stays the caller's."""
    from backend.adapters.storage.notice_channels import SqlNoticeChannels
    from backend.services.notice_channels import ChannelService
    from backend.services.rates import RateLimit
    from backend.services.sealed import Sealer
    from backend.wiring_credentials import open_vault

    clock = SystemClock()
    return ChannelService(
        channels=SqlNoticeChannels(storage.database),
        sealer=Sealer(open_vault(settings)),
        calls=channel_calls(settings, web),
        clock=clock,
        new_id=lambda: str(uuid.uuid4()),
        new_secret=lambda: secrets.token_bytes(32),
        tests=RateLimit(
            "tests of channels", tokens=10, refill_s=60.0, monotonic_s=clock.monotonic_s
        ),
    )


def inbox_of(storage: SqlStorage, clock: "Clock") -> "InboxService":
    """Return what people read in the app."""
    from backend.adapters.storage.notice_inbox import SqlInbox
    from backend.services.inbox import InboxService

    return InboxService(inbox=SqlInbox(storage.database), clock=clock)

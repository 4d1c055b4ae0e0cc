"""Webhooks that their providers are told of: registered before they are needed, taken back after.

A row stands before the provider is asked, and until it has heard that nobody needs a webhook any
more. So what a crash leaves at a provider is found, by the address that no other webhook has.
"""

import asyncio
import contextlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from backend.core.block import BlockType
from backend.core.credentials import Credentials
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    NotConfigured,
    NotFound,
    ProviderSilent,
    Unavailable,
)
from backend.core.ids import CredentialsId, UserId, WebhookId
from backend.core.records import WebhookRecord, WebhookState
from backend.core.triggers import Trigger
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.registrars import Hook, Pulled, PullingRegistrar, WebhookRegistrar
from backend.ports.storage import Storage
from backend.ports.watches import Watches
from backend.services.credentials import CredentialsService
from backend.services.sealed import Sealer

log = structlog.get_logger(__name__)

_SECOND_US: Final = 1_000_000
#: Whoever registers a webhook has saved it long before, or died.
_UNFINISHED_S: Final = 600
_LOOK_S: Final = 10.0
_AT_ONCE: Final = 10
_FIRST_PAUSE_S: Final = 60
_LONGEST_PAUSE_S: Final = 6 * 3600
#: About two days. A provider that has said no for so long will not listen.
_TRIES: Final = 16
_SECRET_BYTES: Final = 32
_PING: Final = "ping"
_PING_LIMIT_S: Final = 10.0
_PING_LOOK_S: Final = 0.1
_PIN: Final = re.compile(r"\{(\w+)\}")


class Registrations:
    """Registered webhooks of all users. `serve` must run."""

    def __init__(
        self,
        *,
        storage: Storage,
        deliveries: Deliveries,
        registrars: Mapping[str, WebhookRegistrar],
        credentials: CredentialsService,
        sealer: Sealer,
        clock: Clock,
        base_url: str,
        watches: Watches,
    ) -> None:
        """Take *base_url*, where providers reach this server; empty: nowhere."""
        self._storage = storage
        self._deliveries = deliveries
        self._registrars = registrars
        self._credentials = credentials
        self._sealer = sealer
        self._clock = clock
        self._base_url = base_url
        self._watches = watches
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that a webhook may not be needed any more."""
        self._wake.set()

    @staticmethod
    def is_needed(trigger: Trigger) -> bool:
        """Say whether the provider of *trigger* must be told."""
        return trigger.block.block_type is BlockType.WEBHOOK

    async def webhook_for(
        self,
        user_id: UserId,
        trigger: Trigger,
        inputs: Mapping[str, Any],
        reference: Mapping[str, Any] | None,
    ) -> WebhookRecord:
        """
        Return a webhook at which the provider sends what *inputs* choose, registered.

        One of the same user and credentials that brings all of it is taken again. A new one has a
        row already, which whoever saves a preset with it makes READY; otherwise it is taken back.

        Args:
            reference: The credentials with which the provider is asked.

        Raises:
            NotConfigured: If providers cannot reach this server, or this one is not known here.
            BadRequest: If something is missing, or the provider says no, with its words.
            Unavailable: If the provider does not answer; nothing is left there for long.
        """
        registrar = self._registrar(trigger)
        wanted = _wanted(trigger, registrar, inputs)
        credentials = await self._lent(user_id, wanted.provider, reference)
        wanted = replace(wanted, user_id=user_id, credentials_id=credentials.id)
        known = await self._storage.of(user_id).webhooks_with(credentials.id)
        for one in known:
            if _brings(one, wanted):
                return one
        if registrar.has_one and known:
            events = tuple(sorted({*known[0].events, *wanted.events}))
            more = replace(known[0], events=events)
            await registrar.register(self._hook(more), credentials)
            return more
        return await self._registered(registrar, self._new(wanted), credentials)

    async def abandon(self, webhook: WebhookRecord) -> None:
        """Let a new webhook be taken back whose preset could not be saved."""
        if webhook.state is WebhookState.REGISTERING:
            await self._storage.put_off_webhook(webhook.id, due_us=0)
            self.wake()

    async def ping(self, webhook: WebhookRecord) -> bool:
        """
        Ask the provider of *webhook* to try it, and wait until it has; False if it cannot.

        Raises:
            ProviderSilent: If nothing came in time.
            BadRequest, Unavailable: If the provider does not take the wish.
        """
        registrar = self._registrars.get(webhook.provider)
        if registrar is None or not webhook.is_registered or not registrar.can_ping:
            return False
        credentials = await self._own(webhook)
        since_us = self._clock.now_us()
        await registrar.ping(self._hook(webhook), credentials)
        deadline = self._clock.monotonic_s() + _PING_LIMIT_S
        while not await self._deliveries.last_of(webhook.id, _PING, since_us=since_us):
            if self._clock.monotonic_s() >= deadline:
                raise ProviderSilent(
                    f"{webhook.provider} was asked to try the webhook, and nothing came within "
                    f"{_PING_LIMIT_S:g} seconds: can it reach {self._base_url}?"
                )
            await asyncio.sleep(_PING_LOOK_S)
        return True

    async def is_there(self, webhook: WebhookRecord) -> bool:
        """
        Ask the provider whether it still has *webhook*; True of one that it was never told of.

        Raises:
            NotFound: If its credentials are not there any more.
            BadRequest, Unavailable: If the provider does not say.
        """
        registrar = self._registrars.get(webhook.provider)
        if registrar is None or not webhook.is_registered or not self._base_url:
            return True
        return await registrar.is_there(self._hook(webhook), await self._own(webhook))

    async def ring(self, webhook: WebhookRecord) -> None:
        """Let be looked at once at what the provider of *webhook* keeps for it."""
        await self._watches.wake(webhook.id, now_us=self._clock.now_us())

    async def pull(self, user_id: UserId, webhook_id: WebhookId, first: int) -> Pulled:
        """
        Return what a provider keeps for a webhook, from the number *first* on.

        Raises:
            NotFound: If the webhook or its credentials are not there any more.
            NotConfigured: If its provider keeps nothing.
            BadRequest, Unavailable: If the provider does not say.
        """
        webhook = await self._storage.of(user_id).webhook(webhook_id)
        if webhook is None:
            raise NotFound(f"Webhook #{webhook_id} not found.")
        registrar = self._registrars.get(webhook.provider)
        if not isinstance(registrar, PullingRegistrar):
            raise NotConfigured(f"{webhook.provider} keeps nothing for its webhooks.")
        return await registrar.pull(self._hook(webhook), await self._own(webhook), first)

    async def remove_all(self, user_id: UserId, credentials_id: CredentialsId) -> None:
        """Take back all webhooks of credentials that are about to be deleted, as far as that goes."""
        for webhook in await self._storage.of(user_id).webhooks_with(credentials_id):
            try:
                await self._remove(webhook)
            except AgentServerError as exc:
                log.warning("webhook_left_at_provider", webhook_id=webhook.id, error=str(exc))

    async def serve(self) -> None:
        """Take back what nobody needs, until cancelled."""
        while True:
            self._wake.clear()
            try:
                some = await self.work()
            except Unavailable as exc:
                log.warning("webhooks_wait", error=str(exc))
                some = 0
            if not some:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await self._wake.wait()

    async def work(self) -> int:
        """Look after some webhooks that are due; return how many."""
        due = await self._storage.webhooks_due(now_us=self._clock.now_us(), limit=_AT_ONCE)
        for webhook in due:
            await self._look_after(webhook)
        return len(due)

    async def _look_after(self, webhook: WebhookRecord) -> None:
        try:
            await self._remove(webhook)
        except NotFound:
            log.warning("webhook_left_at_provider", webhook_id=webhook.id, error="no credentials")
        except AgentServerError as exc:
            if webhook.tries < _TRIES:
                pause_s = min(_FIRST_PAUSE_S << webhook.tries, _LONGEST_PAUSE_S)
                due_us = self._clock.now_us() + pause_s * _SECOND_US
                await self._storage.put_off_webhook(webhook.id, due_us=due_us)
                return
            log.warning("webhook_left_at_provider", webhook_id=webhook.id, error=str(exc))
        await self._storage.forget_webhook(webhook.id)

    async def _remove(self, webhook: WebhookRecord) -> None:
        registrar = self._registrars.get(webhook.provider)
        if registrar is not None:
            await registrar.remove(self._hook(webhook), await self._own(webhook))

    def _registrar(self, trigger: Trigger) -> WebhookRegistrar:
        config = trigger.block.webhook
        registrar = None if config is None else self._registrars.get(config.provider)
        if registrar is None:
            raise NotConfigured(f"This server cannot set up webhooks for {trigger.block.name} yet.")
        if not self._base_url:
            raise NotConfigured(
                f"{registrar.provider} must know where this server is: set PLATFORM_BASE_URL to an "
                "address that it reaches."
            )
        return registrar

    def _new(self, wanted: WebhookRecord) -> WebhookRecord:
        webhook_id = WebhookId(str(uuid.uuid4()))
        now_us = self._clock.now_us()
        sealed = self._sealer.seal_webhook(
            secrets.token_hex(_SECRET_BYTES), user_id=wanted.user_id, webhook_id=webhook_id
        )
        return replace(
            wanted,
            id=webhook_id,
            sealed=sealed,
            created_us=now_us,
            state=WebhookState.REGISTERING,
            due_us=now_us + _UNFINISHED_S * _SECOND_US,
        )

    async def _registered(
        self, registrar: WebhookRegistrar, new: WebhookRecord, credentials: Credentials
    ) -> WebhookRecord:
        await self._storage.of(new.user_id).add_webhook(new)
        try:
            told = await registrar.register(self._hook(new), credentials)
        except BadRequest:
            await self._storage.forget_webhook(new.id)
            raise
        except Unavailable:
            # It may be there all the same.
            await self.abandon(new)
            raise
        if told.secret:
            sealed = self._sealer.seal_webhook(told.secret, user_id=new.user_id, webhook_id=new.id)
            new = replace(new, sealed=sealed)
        return replace(new, provider_webhook_id=told.provider_id)

    async def _lent(
        self, user_id: UserId, provider: str, reference: Mapping[str, Any] | None
    ) -> Credentials:
        if reference is None:
            raise BadRequest(f"The trigger needs credentials of {provider}.")
        try:
            credentials = await self._credentials.lend(user_id, reference)
        except NotFound as exc:
            raise BadRequest(str(exc)) from exc
        if credentials.provider != provider:
            raise BadRequest(f"Credentials #{credentials.id} are none of {provider}.")
        return credentials

    async def _own(self, webhook: WebhookRecord) -> Credentials:
        credentials_id = CredentialsId(webhook.credentials_id)
        return await self._credentials.read(webhook.user_id, webhook.provider, credentials_id)

    def _hook(self, webhook: WebhookRecord) -> Hook:
        path = f"/api/integrations/{webhook.provider}/webhooks/{webhook.id}/ingress"
        return Hook(
            url=self._base_url + path,
            secret=self._sealer.open_webhook(webhook),
            resource=webhook.resource,
            events=webhook.events,
            provider_id=webhook.provider_webhook_id,
        )


def _wanted(
    trigger: Trigger, registrar: WebhookRegistrar, inputs: Mapping[str, Any]
) -> WebhookRecord:
    """Return what a webhook for *trigger* must be; it has no id, owner or secret yet."""
    config = trigger.block.webhook
    assert config is not None
    values = {**trigger.defaults, **inputs}
    required = trigger.block.input_schema.required

    def value_of(match: "re.Match[str]") -> str:
        value = values.get(match[1])
        if isinstance(value, str) and value.strip():
            return value
        if match[1] in required:
            raise BadRequest(f"The trigger needs {match[1]}.")
        return ""

    resource = registrar.resource_of(_PIN.sub(value_of, config.resource_format))
    trigger.require_events(inputs)
    return WebhookRecord(
        id=WebhookId(""),
        user_id=UserId(""),
        provider=config.provider,
        webhook_type=config.webhook_type,
        sealed="",
        resource=resource,
        events=trigger.events(inputs),
    )


def _brings(one: WebhookRecord, wanted: WebhookRecord) -> bool:
    """Say whether *one* brings all that is *wanted*."""
    return (one.provider, one.webhook_type, one.resource) == (
        wanted.provider,
        wanted.webhook_type,
        wanted.resource,
    ) and set(one.events) >= set(wanted.events)

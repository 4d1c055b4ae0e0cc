"""Tokens of accounts: renewed by one caller at a time, on disk before anybody uses them, given back."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from backend.core.credentials import CredentialsRecord, OAuth2Credentials
from backend.core.errors import (
    AgentServerError,
    NotFound,
    ProviderNotConfigured,
    SignInNeeded,
    Unavailable,
)
from backend.core.ids import CredentialsId, UserId
from backend.core.tool_sign_ins import PROVIDER
from backend.ports.clock import Clock
from backend.ports.credentials import CredentialsStore
from backend.services.oauth_calls import OAuthCalls, OAuthClient, TokenAnswer
from backend.services.sealed import Sealer
from backend.services.tool_sign_ins import client_from

#: Tokens that end sooner are renewed before they are used (spec/contract.md 10.1).
RENEW_BEFORE_S: Final = 300
#: Longer than a provider may take; after it, who was renewing is dead.
LEASE_S: Final = 40
_WAIT_S: Final = 60.0
_FIRST_LOOK_S: Final = 0.01
_SLOWEST_LOOK_S: Final = 0.25


class TokenService:
    """
    Keeps tokens fresh.

    A refresh token counts once at many providers. So only the holder of a lease on the row renews,
    over all processes; the others wait for the row. The new tokens are committed before they are
    used. A holder that dies in between loses its lease after `LEASE_S`, and the next one tries with
    what the row has.
    """

    def __init__(
        self,
        *,
        store: CredentialsStore,
        sealer: Sealer,
        calls: OAuthCalls,
        clients: Mapping[str, OAuthClient],
        clock: Clock,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._calls = calls
        self._clients = clients
        self._clock = clock
        self._renewing: set[asyncio.Task[OAuth2Credentials]] = set()

    async def close(self) -> None:
        """Wait for what is being renewed."""
        if self._renewing:
            await asyncio.wait(self._renewing)

    async def fresh(
        self, record: CredentialsRecord, tokens: OAuth2Credentials
    ) -> OAuth2Credentials:
        """
        Return tokens that will do for a while, renewed if *tokens*, those in *record*, will not.

        Raises:
            SignInNeeded: If they have ended and the provider renews them no more.
            Unavailable: If they have ended and the provider does not answer.
            ProviderNotConfigured: If they have ended and this server is no client of the provider.
        """
        if not self._ends_within(tokens, RENEW_BEFORE_S):
            return tokens
        if tokens.refresh_token is None:
            if self._ends_within(tokens, 0):
                raise SignInNeeded(
                    f"The tokens of #{record.id} have ended and cannot be renewed: connect the "
                    "account again."
                )
            return tokens
        try:
            return await self._renewed(record.user_id, record.id)
        except (Unavailable, ProviderNotConfigured, SignInNeeded):
            # What still counts is used for as long as it does.
            if self._ends_within(tokens, 0):
                raise
            return tokens

    async def revoke(self, tokens: OAuth2Credentials) -> bool:
        """Tell the provider that *tokens* count no more; say whether it agreed."""
        try:
            client = self._client_of(tokens)
        except SignInNeeded:
            return False  # they do not say who would have to hear it
        if client is None:
            return False
        token = tokens.refresh_token or tokens.access_token
        hint = "refresh_token" if tokens.refresh_token else "access_token"
        if client.provider.name == "github":
            token = tokens.access_token
        try:
            return await self._calls.revoke(client, token, hint=hint)
        except AgentServerError:
            return False  # they are deleted here in any case; the answer says that it was not heard

    async def _renewed(self, user_id: UserId, credentials_id: CredentialsId) -> OAuth2Credentials:
        stored = self._store.of(user_id)
        deadline = self._clock.monotonic_s() + _WAIT_S
        holder, pause_s = self._clock.new_id(), _FIRST_LOOK_S
        while True:
            now_us = self._clock.now_us()
            is_mine = await stored.lease(
                credentials_id, holder, now_us=now_us, until_us=now_us + LEASE_S * 1_000_000
            )
            # Looked at after the lease: somebody may have renewed them a moment ago.
            record = await stored.get(credentials_id)
            if record is None:
                raise NotFound(f"Credentials #{credentials_id} not found.")
            tokens = self._sealer.open(record)
            assert isinstance(tokens, OAuth2Credentials)
            if not self._ends_within(tokens, RENEW_BEFORE_S):
                if is_mine:
                    await stored.end_lease(credentials_id, holder)
                return tokens
            if is_mine:
                return await self._renew(record, tokens, holder)
            if self._clock.monotonic_s() >= deadline:
                raise Unavailable(
                    f"The tokens of #{credentials_id} are being renewed for long: try again later."
                )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _SLOWEST_LOOK_S)

    async def _renew(
        self, record: CredentialsRecord, tokens: OAuth2Credentials, holder: str
    ) -> OAuth2Credentials:
        # Not ended with its caller: the provider may have taken the old token already, and then
        # the new one is in an answer that somebody must write down.
        renewing = asyncio.create_task(self._renew_under_lease(record, tokens, holder))
        self._renewing.add(renewing)
        renewing.add_done_callback(self._renewing.discard)
        return await asyncio.shield(renewing)

    async def _renew_under_lease(
        self, record: CredentialsRecord, tokens: OAuth2Credentials, holder: str
    ) -> OAuth2Credentials:
        try:
            return await self._renew_now(record, tokens)
        except BaseException:
            await self._store.of(record.user_id).end_lease(record.id, holder)
            raise

    async def _renew_now(
        self, record: CredentialsRecord, tokens: OAuth2Credentials
    ) -> OAuth2Credentials:
        client = self._client_of(tokens)
        if client is None:
            raise ProviderNotConfigured(not_configured(record.provider))
        assert tokens.refresh_token is not None
        answer = await self._calls.refresh(client, tokens.refresh_token)
        renewed = self._with(tokens, answer)
        now_us = self._clock.now_us()
        fresh = self._sealer.record(record.user_id, renewed, now_us=now_us, before=record)
        # Between the answer and the commit nothing else is done: it is lost if we die there.
        if not await self._store.of(record.user_id).replace(fresh):
            raise NotFound(f"Credentials #{record.id} were changed or deleted meanwhile.")
        return renewed

    def _client_of(self, tokens: OAuth2Credentials) -> OAuthClient | None:
        """Return us as a client of who gave *tokens*; of tool servers, each has one of its own."""
        if tokens.provider == PROVIDER:
            return client_from(tokens.metadata, tokens.client_secret)
        return self._clients.get(tokens.provider)

    def _with(self, tokens: OAuth2Credentials, answer: TokenAnswer) -> OAuth2Credentials:
        now_s = self._clock.now_us() // 1_000_000
        return replace(
            tokens,
            access_token=answer.access_token,
            access_token_expires_at=now_s + answer.expires_in_s if answer.expires_in_s else None,
            # Not every provider gives a new one each time; then the old one still counts.
            refresh_token=answer.refresh_token or tokens.refresh_token,
            scopes=answer.scopes if answer.scopes is not None else tokens.scopes,
        )

    def _ends_within(self, tokens: OAuth2Credentials, seconds: int) -> bool:
        ends_s = tokens.access_token_expires_at
        return ends_s is not None and ends_s - seconds <= self._clock.now_us() / 1_000_000


def not_configured(provider: str) -> str:
    """Return the sentence that says which settings are missing."""
    name = provider.upper()
    return (
        f"This server is no client of {provider}: register it there, then set {name}_CLIENT_ID "
        f"and {name}_CLIENT_SECRET."
    )

"""Accounts at providers: somebody goes there to sign in, and comes back with a code for tokens."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from backend.core.credentials import CredentialsRecord, OAuth2Credentials, Secret, SignIn
from backend.core.errors import BadRequest, NotConfigured, NotFound, ProviderNotConfigured
from backend.core.ids import CredentialsId, UserId
from backend.core.json import Json, JsonObject
from backend.core.providers import OAUTH
from backend.core.tool_sign_ins import PROVIDER
from backend.ports.clock import Clock
from backend.ports.credentials import CredentialsStore
from backend.services.credentials import CredentialsService
from backend.services.oauth_calls import OAuthCalls, OAuthClient, TokenAnswer
from backend.services.sealed import Sealer
from backend.services.tokens import not_configured
from backend.services.tool_sign_ins import ToolSignIns, client_from

#: How long somebody may be away (spec/contract.md 10.2).
AWAY_S: Final = 600
#: Sign-ins that one user may have begun; an older one is forgotten for a new one.
MAX_AWAY: Final = 20
MAX_SCOPES: Final = 200
_CALLBACK: Final = "/auth/integrations/oauth_callback"


class SignInService:
    """Sign-ins of all users; every method names the user who signs in."""

    def __init__(
        self,
        *,
        credentials: CredentialsService,
        store: CredentialsStore,
        sealer: Sealer,
        calls: OAuthCalls,
        clients: Mapping[str, OAuthClient],
        clock: Clock,
        new_token: Callable[[], str],
        frontend_base_url: str,
    ) -> None:
        """
        Take all that a sign-in needs.

        Args:
            new_token: Returns a text that nobody can guess, of 43 to 128 characters.
            frontend_base_url: Where the user interface is; people come back to it.
        """
        self._credentials = credentials
        self._store = store
        self._sealer = sealer
        self._calls = calls
        self._clients = clients
        self._servers = ToolSignIns(calls.web)
        self._clock = clock
        self._new_token = new_token
        self._frontend = frontend_base_url

    async def begin(
        self,
        user_id: UserId,
        provider: str,
        scopes: tuple[str, ...],
        *,
        server_url: str | None = None,
    ) -> tuple[str, str]:
        """
        Return the address at which to sign in, and the state that comes back from there.

        The state is good for `AWAY_S`, once, for this user and provider; only its hash is kept.

        Args:
            server_url: Which tool server is meant, where the provider is those.

        Raises:
            NotFound: If accounts of this provider cannot be connected.
            ProviderNotConfigured: If this server is no client of it.
            NotConfigured: If nobody says where the user interface is.
            BadRequest: If there are too many scopes.
            Besides, for a tool server, as `ToolSignIns.found`.
        """
        if len(scopes) > MAX_SCOPES:
            raise BadRequest(f"at most {MAX_SCOPES} scopes can be asked for")
        client, wanted, facts = await self._asked(provider, scopes, server_url)
        state, verifier = self._new_token(), self._new_token()
        away = _away(verifier, client, facts)
        await self._keep(user_id, provider, wanted, state, away)
        return self._address(client, wanted, state, verifier), state

    async def _asked(
        self, provider: str, scopes: tuple[str, ...], server_url: str | None
    ) -> tuple[OAuthClient, tuple[str, ...], Mapping[str, str]]:
        """Return us as a client, what is asked for, and what is kept of a client that is new."""
        if provider != PROVIDER:
            client = self._client(provider)
            return client, client.provider.scopes(scopes), {}
        found = await self._servers.found(server_url or "", self._redirect_uri())
        return found.client, scopes or found.scopes[:MAX_SCOPES], found.facts

    def _address(
        self, client: OAuthClient, wanted: tuple[str, ...], state: str, verifier: str
    ) -> str:
        from authlib.oauth2.rfc6749.parameters import (  # noqa: PLC0415 - start stays light
            prepare_grant_uri,
        )
        from authlib.oauth2.rfc7636 import (  # noqa: PLC0415 - the same
            create_s256_code_challenge,
        )

        proof = {}
        if client.provider.pkce:
            challenge = create_s256_code_challenge(verifier)
            proof = {"code_challenge": challenge, "code_challenge_method": "S256"}
        url: str = prepare_grant_uri(
            client.provider.authorize_url,
            client.client_id,
            "code",
            redirect_uri=self._redirect_uri(),
            scope=client.provider.scope_separator.join(wanted),
            state=state,
            **proof,
            **client.provider.extra,
        )
        return url

    async def finish(
        self, user_id: UserId, provider: str, *, code: str, state: str
    ) -> CredentialsRecord:
        """
        Exchange *code* for tokens, keep them, and return what may be shown of them.

        Raises:
            BadRequest: If *state* is not one of this user and provider, is over or was used; or
                the provider refuses the code.
            Unavailable: If the provider does not answer, or answers nonsense.
            NotFound, NotConfigured: As `begin` does.
        """
        if provider != PROVIDER:
            self._client(provider)  # refused before the state is used up
        key = _key(state)
        taken = await self._store.of(user_id).take_sign_in(
            key, provider, now_us=self._clock.now_us()
        )
        if taken is None:
            raise BadRequest("This sign-in is not known, or over, or was ended: begin it again.")
        away = self._sealer.open_away(taken.sealed, user_id=user_id, key=key)
        client, verifier = self._back(provider, away), str(away["verifier"])
        answer = await self._calls.exchange(
            client,
            code=code,
            verifier=verifier if client.provider.pkce else None,
            redirect_uri=self._redirect_uri(),
        )
        username = await self._calls.whose(client, answer)
        made = self._made(client, taken, answer, username)
        if provider == PROVIDER:
            made = _of_server(made, client, away)
        return await self._credentials.create(user_id, made)

    def _client(self, provider: str) -> OAuthClient:
        if provider not in OAUTH:
            raise NotFound(f"Accounts of {provider[:100]} cannot be connected here.")
        client = self._clients.get(provider)
        if client is None:
            raise ProviderNotConfigured(not_configured(provider))
        return client

    def _back(self, provider: str, away: JsonObject) -> OAuthClient:
        """Return us as the client that began a sign-in."""
        if provider != PROVIDER:
            return self._client(provider)
        facts, secret = away.get("client"), away.get("client_secret")
        assert isinstance(facts, dict)
        return client_from(facts, Secret(str(secret)) if secret else None)

    def _redirect_uri(self) -> str:
        if not self._frontend:
            raise NotConfigured(
                "FRONTEND_BASE_URL is not set: nobody knows where people come back to."
            )
        return self._frontend + _CALLBACK

    async def _keep(
        self,
        user_id: UserId,
        provider: str,
        scopes: tuple[str, ...],
        state: str,
        away: JsonObject,
    ) -> None:
        self._redirect_uri()  # refused before anything is written
        now_us, key = self._clock.now_us(), _key(state)
        sign_in = SignIn(
            key=key,
            user_id=user_id,
            provider=provider,
            scopes=scopes,
            sealed=self._sealer.seal_away(away, user_id=user_id, key=key),
            expires_us=now_us + AWAY_S * 1_000_000,
        )
        await self._store.of(user_id).add_sign_in(sign_in, now_us=now_us, most=MAX_AWAY)

    def _made(
        self, client: OAuthClient, taken: SignIn, answer: TokenAnswer, username: str | None
    ) -> OAuth2Credentials:
        now_s = self._clock.now_us() // 1_000_000
        kept = client.provider.kept
        return OAuth2Credentials(
            id=CredentialsId(self._clock.new_id()),
            provider=taken.provider,
            title=username,
            username=username,
            access_token=answer.access_token,
            access_token_expires_at=now_s + answer.expires_in_s if answer.expires_in_s else None,
            refresh_token=answer.refresh_token,
            scopes=answer.scopes if answer.scopes is not None else taken.scopes,
            metadata={name: answer.said[name] for name in kept if name in answer.said},
        )


def _away(verifier: str, client: OAuthClient, facts: Mapping[str, str]) -> JsonObject:
    """Return what is needed when somebody is back."""
    if not facts:
        return {"verifier": verifier}
    secret = client.client_secret.reveal()
    return {"verifier": verifier, "client": dict[str, Json](facts), "client_secret": secret}


def _of_server(made: OAuth2Credentials, client: OAuthClient, away: JsonObject) -> OAuth2Credentials:
    """Return the tokens of a tool server with what renews them."""
    facts = away["client"]
    assert isinstance(facts, dict)
    return replace(
        made,
        title=urlsplit(str(facts["server_url"])).netloc,
        metadata=facts,
        client_secret=client.client_secret or None,
    )


def _key(state: str) -> str:
    """Return by what a sign-in is found: who reads the database cannot end it."""
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()

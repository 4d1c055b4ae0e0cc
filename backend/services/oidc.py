"""Signing in at a provider of identities: OpenID Connect, authorization code with PKCE."""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import structlog

from backend.core.accounts import AccountRecord, normal_email
from backend.core.errors import AgentServerError, BadRequest, LoginRefused, NotFound, WebFailed
from backend.core.ids import UserId
from backend.ports.clock import Clock
from backend.ports.identities import Identities, OnTheWay
from backend.ports.web import RawBody, WebClient, WebLimits
from backend.services.key_set import ALGORITHMS, KeySet, origin_of
from backend.services.local_tokens import hash_of
from backend.services.sessions import Place, SessionService, SignedIn

log = structlog.get_logger(__name__)

#: Who has not come back by then begins again.
ON_THE_WAY_S: Final = 600
_MOST_ON_THE_WAY: Final = 10_000
_DISCOVERY_AGE_S: Final = 3600.0
_CLOCK_SKEW_S: Final = 60
_MAX_TEXT: Final = 255
_SCOPE: Final = "openid email profile"
_LIMITS: Final = WebLimits(timeout_s=10.0, max_bytes=1024 * 1024, max_redirects=0)
_NOT_SET_UP: Final = (
    "Signing in at a provider is not set up here (settings OIDC_ISSUER, OIDC_CLIENT_ID)"
)
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, kw_only=True)
class OidcClient:
    """This server as a client of the provider *issuer*."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What a provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    auth_method: str
    keys: KeySet


class OidcService:
    """See the module. Without a client nothing is set up, and everything says so."""

    def __init__(
        self,
        *,
        client: OidcClient | None,
        identities: Identities,
        sessions: SessionService,
        web: WebClient,
        clock: Clock,
    ) -> None:
        self._client = client
        self._identities = identities
        self._sessions = sessions
        self._web = web
        self._clock = clock
        self._provider: tuple[Provider, float] | None = None

    async def start(self) -> tuple[str, str]:
        """
        Begin; return where to send the browser, and what only this browser is to have.

        Raises:
            NotFound: If no provider is set up.
            Unavailable: If it does not answer.
        """
        # Some 60 ms, and most servers have no provider.
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415

        client = self._set_up()
        provider = await self._found(client)
        state, browser, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(4))
        now_us = self._clock.now_us()
        login = OnTheWay(
            state_hash=hash_of(state),
            browser_hash=hash_of(browser),
            nonce=nonce,
            verifier=verifier,
            expires_us=now_us + ON_THE_WAY_S * 1_000_000,
        )
        await self._identities.begin(login, most=_MOST_ON_THE_WAY, now_us=now_us)
        url = prepare_grant_uri(
            provider.authorization_endpoint,
            client_id=client.client_id,
            response_type="code",
            redirect_uri=client.redirect_uri,
            scope=_SCOPE,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return str(url), browser

    async def finish(self, *, code: str, state: str, browser: str, place: Place) -> SignedIn:
        """
        Begin a session of whoever comes back from the provider.

        Raises:
            LoginRefused: If the state is unknown, used, over or another browser's, or the
                provider does not say who this is.
            Unavailable: If it does not answer.
        """
        client = self._set_up()
        login = await self._identities.take(hash_of(state), now_us=self._clock.now_us())
        if login is None or not hmac.compare_digest(login.browser_hash, hash_of(browser)):
            raise LoginRefused("This sign-in is over, or another browser's; begin it again")
        provider = await self._found(client)
        tokens = await self._exchanged(client, provider, code, login.verifier)
        claims = await self._identity(client, provider, tokens, login.nonce)
        account = await self._account(client, claims)
        if account.is_disabled:
            raise LoginRefused("The provider's answer opens no account here")
        return await self._sessions.begin(account, place)

    def _set_up(self) -> OidcClient:
        if self._client is None:
            raise NotFound(_NOT_SET_UP)
        return self._client

    async def _found(self, client: OidcClient) -> Provider:
        """Return what the provider says of itself; asked again once an hour."""
        now_s = self._clock.monotonic_s()
        if self._provider is not None and now_s - self._provider[1] < _DISCOVERY_AGE_S:
            return self._provider[0]
        url = f"{client.issuer.rstrip('/')}/.well-known/openid-configuration"
        said = await self._asked("GET", url, client)
        if said.get("issuer") != client.issuer:
            raise WebFailed("the provider says that it is another issuer than OIDC_ISSUER")
        if not all(isinstance(said.get(name), str) for name in _NEEDED):
            raise WebFailed("the provider does not say where to sign in")
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        is_basic = "client_secret_basic" in methods
        provider = Provider(
            authorization_endpoint=said["authorization_endpoint"],
            token_endpoint=said["token_endpoint"],
            auth_method="client_secret_basic" if is_basic else "client_secret_post",
            keys=KeySet(self._web, said["jwks_uri"], monotonic_s=self._clock.monotonic_s),
        )
        self._provider = (provider, now_s)
        return provider

    async def _exchanged(
        self, client: OidcClient, provider: Provider, code: str, verifier: str
    ) -> dict[str, Any]:
        """Return the tokens that the provider gives for *code*."""
        from authlib.oauth2.auth import ClientAuth  # noqa: PLC0415 -- see start
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415

        body = prepare_token_request(
            "authorization_code",
            code=code,
            redirect_uri=client.redirect_uri,
            code_verifier=verifier,
        )
        method = provider.auth_method if client.client_secret else "none"
        auth = ClientAuth(client.client_id, client.client_secret, method)
        uri, headers, sent = auth.prepare("POST", provider.token_endpoint, {}, body)
        try:
            return await self._asked("POST", uri, client, headers, sent)
        except BadRequest as exc:
            log.info("oidc_code_refused", error=str(exc))
            raise LoginRefused("The provider does not accept this sign-in") from exc

    async def _identity(
        self, client: OidcClient, provider: Provider, tokens: dict[str, Any], nonce: str
    ) -> dict[str, Any]:
        """Return the checked claims of the ID token."""
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 -- see start
        from joserfc.errors import JoseError  # noqa: PLC0415 -- the same

        token = str(tokens.get("id_token"))
        try:
            header = jwt.get_unverified_header(token)
            claims = await self._verified(client, provider, token, header)
            params = {
                "nonce": nonce,
                "client_id": client.client_id,
                "access_token": tokens.get("access_token"),
            }
            checked = CodeIDToken(claims, header, {}, params)
            checked.validate(now=self._clock.now_us() // 1_000_000, leeway=_CLOCK_SKEW_S)
        except (jwt.PyJWTError, JoseError, ValueError) as exc:
            log.warning("oidc_token_not_good", error=type(exc).__name__)
            raise LoginRefused("The provider does not say who this is") from exc
        return claims

    async def _verified(
        self, client: OidcClient, provider: Provider, token: str, header: dict[str, Any]
    ) -> dict[str, Any]:
        kid, algorithm = str(header.get("kid")), str(header.get("alg"))
        if algorithm not in ALGORITHMS.values():
            raise jwt.InvalidAlgorithmError(algorithm)
        if provider.keys.key(kid, algorithm) is None or provider.keys.is_due():
            await provider.keys.refresh()
        key = provider.keys.key(kid, algorithm)
        if key is None:
            raise jwt.InvalidKeyError(kid)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=client.client_id,
            issuer=client.issuer,
            # Times are checked afterwards, by our own clock.
            options={
                "require": ["iss", "sub", "aud", "exp", "iat"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return claims

    async def _account(self, client: OidcClient, claims: dict[str, Any]) -> AccountRecord:
        """Return the account of this identity, made now if there is none. The address never counts."""
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_TEXT:
            raise LoginRefused("The provider does not say who this is")
        known = await self._identities.known(client.issuer, subject)
        if known is not None:
            return known
        user_id = UserId(self._clock.new_id())
        name = claims.get("name")
        made = AccountRecord(
            id=user_id,
            email=_verified_email(claims) or f"{user_id}@users.invalid",
            name=name[:_MAX_TEXT] if isinstance(name, str) and name.isprintable() else None,
            created_us=self._clock.now_us(),
        )
        return await self._identities.add(client.issuer, subject, made)

    async def _asked(
        self,
        method: str,
        url: str,
        client: OidcClient,
        headers: dict[str, str] | None = None,
        body: str | None = None,
    ) -> dict[str, Any]:
        sent = (
            None
            if body is None
            else RawBody(content=body.encode(), media_type="application/x-www-form-urlencoded")
        )
        answer = await self._web.send(
            method,
            url,
            headers={"Accept": "application/json", **(headers or {})},
            body=sent,
            limits=_LIMITS,
            trusted_origins=[origin_of(client.issuer)],
        )
        if 400 <= answer.status < 500:  # noqa: PLR2004 -- the client's mistakes
            raise BadRequest(f"{origin_of(url)} answered {answer.status}")
        said = answer.json() if answer.status == 200 else None  # noqa: PLR2004 -- fine
        if not isinstance(said, dict):
            raise WebFailed(f"{origin_of(url)} answered {answer.status} to a sign-in")
        return said


def _verified_email(claims: dict[str, Any]) -> str | None:
    """Return the address, if the provider says that it has verified it."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    try:
        return normal_email(email)
    except AgentServerError:
        return None

"""The wiring of accounts: what all processes that let people in share."""

import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from backend.adapters.storage import SqlStorage
from backend.api.auth import Authenticator, Expected
from backend.ports.clock import Clock
from backend.services.sessions import Lifetimes
from backend.settings import Settings
from backend.wiring_tokens import local_key

if TYPE_CHECKING:
    from backend.ports.web import WebClient
    from backend.services.accounts import AccountService
    from backend.services.addresses import AddressService
    from backend.services.oidc import OidcService
    from backend.services.resets import ResetService
    from backend.services.sessions import SessionService


def revision_path(data_dir: Path) -> Path:
    """Return the file that tells all processes that accounts changed."""
    return data_dir / "accounts.revision"


def issuer_web(settings: Settings, stack: AsyncExitStack) -> "WebClient | None":
    """Return what asks an issuer for its keys, if there is one; *stack* closes it."""
    if not settings.jwt_jwks_url:
        return None
    from backend.adapters.web import GuardedWebClient

    web = GuardedWebClient(settings.trust_endpoints_for_requests)
    stack.push_async_callback(web.aclose)
    return web


class SignIn:
    """Whom a process lets in, over one database."""

    def __init__(self, settings: Settings, storage: SqlStorage, clock: Clock) -> None:
        from backend.adapters.passwords import Argon2Hasher
        from backend.adapters.revision import FileRevision
        from backend.adapters.storage.account_storage import SqlAccounts
        from backend.services.standings import Standings

        self._settings = settings
        self._clock = clock
        self._database = storage.database
        self._passwords = Argon2Hasher()
        self.lifetimes = Lifetimes(
            access_s=settings.access_token_minutes * 60, session_s=settings.session_days * 86_400
        )
        self.accounts: SqlAccounts = SqlAccounts(storage.database)
        self.standings: Standings = Standings(
            accounts=self.accounts,
            revision=FileRevision(revision_path(settings.agpt_data_dir)),
            clock=clock,
            access_token_s=self.lifetimes.access_s,
        )

    def authenticator(self, web: "WebClient | None") -> Authenticator:
        """Return who checks the tokens; *web* asks an issuer for its keys, if there is one."""
        from backend.services.key_set import KeySet

        settings, key_set = self._settings, None
        if settings.jwt_jwks_url and web is not None:
            key_set = KeySet(web, settings.jwt_jwks_url, monotonic_s=self._clock.monotonic_s)
        return Authenticator(
            key=settings.jwt_verify_key.get_secret_value(),
            algorithm=settings.jwt_sign_algorithm,
            now_s=time.time,
            standings=self.standings,
            local=local_key(settings),
            key_set=key_set,
            expected=Expected(audience=settings.jwt_audience, issuer=settings.jwt_issuer),
            enabled=settings.enable_auth,
        )

    def account_service(self) -> "AccountService":
        """Return what an operator does with accounts."""
        from backend.services.accounts import AccountService

        return AccountService(
            accounts=self.accounts,
            passwords=self._passwords,
            standings=self.standings,
            clock=self._clock,
        )

    def session_service(self) -> "SessionService":
        """Return what people sign in with."""
        from backend.services.sessions import SessionService

        return SessionService(
            accounts=self.accounts,
            passwords=self._passwords,
            standings=self.standings,
            key=local_key(self._settings),
            clock=self._clock,
            lifetimes=self.lifetimes,
        )

    def oidc_service(self, web: "WebClient", base_url: str) -> "OidcService":
        """Return what people sign in with at a provider; this server is at *base_url*."""
        from backend.adapters.storage.identities import SqlIdentities
        from backend.services.oidc import OidcClient, OidcService

        settings, client = self._settings, None
        if settings.oidc_issuer and settings.oidc_client_id:
            client = OidcClient(
                issuer=settings.oidc_issuer,
                client_id=settings.oidc_client_id,
                client_secret=settings.oidc_client_secret.get_secret_value(),
                redirect_uri=f"{base_url}/api/auth/oidc/callback",
            )
        return OidcService(
            client=client,
            identities=SqlIdentities(self._database),
            sessions=self.session_service(),
            web=web,
            clock=self._clock,
        )

    def reset_service(self, service: "AccountService", base_url: str) -> "ResetService":
        """Return what people do who forgot their password."""
        from backend.services.resets import ResetService
        from backend.wiring_notices import mailer_of

        frontend = self._settings.frontend_base_url
        return ResetService(
            accounts=self.accounts,
            service=service,
            mailer=mailer_of(self._settings),
            clock=self._clock,
            page=f"{frontend}/reset-password"
            if frontend
            else f"{base_url}/api/auth/password/reset",
        )

    def address_service(self, base_url: str) -> "AddressService":
        """Return what asks whether a new address is somebody's; this server is at *base_url*."""
        from backend.services.addresses import AddressService
        from backend.wiring_notices import mailer_of

        return AddressService(
            accounts=self.accounts,
            mailer=mailer_of(self._settings),
            clock=self._clock,
            page=f"{base_url}/api/auth/user/email/confirm",
        )

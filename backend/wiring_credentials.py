"""Credentials behind their ports. Part of wiring.py: servers, lone runs and the command line share it."""

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credentials import SqlCredentials
from backend.adapters.vault import FernetVault, keys_in
from backend.core.credentials import Secret
from backend.core.providers import OAUTH
from backend.ports.web import WebClient
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.services.credentials import CredentialsService
    from backend.services.oauth_calls import OAuthClient
    from backend.services.sign_ins import SignInService


def open_vault(settings: Settings) -> FernetVault:
    """Return what seals this installation's secrets."""
    return FernetVault(keys_in(settings.encryption_key.get_secret_value()))


def oauth_clients(settings: Settings) -> "dict[str, OAuthClient]":
    """Return this installation as a client of each provider that has registered it, by name."""
    from backend.services.oauth_calls import OAuthClient

    clients: dict[str, OAuthClient] = {}
    for name, provider in OAUTH.items():
        client_id: str = getattr(settings, f"{name}_client_id")
        secret: str = getattr(settings, f"{name}_client_secret").get_secret_value()
        if not client_id or not secret:
            continue
        base_url = settings.provider_base_urls.get(name, "")
        clients[name] = OAuthClient(
            provider=provider.at(base_url) if base_url else provider,
            client_id=client_id,
            client_secret=Secret(secret),
            trusted=(_origin(base_url),) if base_url else (),
        )
    return clients


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def credentials_store(storage: SqlStorage) -> SqlCredentials:
    """Return where credentials are kept."""
    return SqlCredentials(storage.database)


def open_credentials(
    settings: Settings, storage: SqlStorage, web: WebClient
) -> "CredentialsService":
    """Return the credentials of all users; *web* stays the caller's."""
    return open_credentials_and_sign_ins(settings, storage, web)[0]


def open_credentials_and_sign_ins(
    settings: Settings, storage: SqlStorage, web: WebClient
) -> "tuple[CredentialsService, SignInService]":
    """Return the credentials of all users, and how accounts are connected; see above."""
    from backend.services.credentials import CredentialsService
    from backend.services.oauth_calls import OAuthCalls
    from backend.services.sealed import Sealer
    from backend.services.sign_ins import SignInService
    from backend.services.tokens import TokenService

    clock, store = SystemClock(), credentials_store(storage)
    sealer, calls = Sealer(open_vault(settings)), OAuthCalls(web)
    clients = oauth_clients(settings)
    tokens = TokenService(store=store, sealer=sealer, calls=calls, clients=clients, clock=clock)
    credentials = CredentialsService(store=store, sealer=sealer, tokens=tokens, clock=clock)
    sign_ins = SignInService(
        credentials=credentials,
        store=store,
        sealer=sealer,
        calls=calls,
        clients=clients,
        clock=clock,
        new_token=lambda: secrets.token_urlsafe(48),
        frontend_base_url=settings.frontend_base_url,
    )
    return credentials, sign_ins

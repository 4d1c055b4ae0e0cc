"""Credentials, the operator's too, and the models they are for. Part of wiring.py: servers, lone runs and the command line share it."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credentials import SqlCredentials
from backend.adapters.vault import FernetVault, keys_in
from backend.core.catalog import Catalog
from backend.core.credentials import ApiKeyCredentials, Secret
from backend.core.errors import BadSetting
from backend.core.ids import CredentialsId
from backend.core.model_keys import OperatorKeys, system_id
from backend.core.model_registry import ModelRegistry, known_registry, read_registry
from backend.core.providers import OAUTH
from backend.discovery import load_catalog
from backend.ports.web import WebClient
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.models import ProviderModels
    from backend.adapters.web import GuardedWebClient
    from backend.services.credentials import CredentialsService
    from backend.services.oauth_calls import OAuthClient
    from backend.services.sign_ins import SignInService

#: So long after its start an executor is looked at, and again, until it has nothing to do.
WARM_AFTER_S = 2.0
_MAX_FILE_BYTES = 4 * 1024 * 1024
#: Sent to servers that want no key, so that what is lent looks like any other key.
_NO_KEY = "FAKE_API_KEY"


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
    """Return the credentials of all users and the operator's, for who runs; *web* stays the caller's."""
    operators = lent_by_operator(settings)
    return open_credentials_and_sign_ins(settings, storage, web, operators)[0]


def open_credentials_and_sign_ins(
    settings: Settings,
    storage: SqlStorage,
    web: WebClient,
    operators: Mapping[CredentialsId, ApiKeyCredentials] | None = None,
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
    credentials = CredentialsService(
        store=store, sealer=sealer, tokens=tokens, clock=clock, operators=operators
    )
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


@cache
def known_models() -> ModelRegistry:
    """Return the models and providers of our own file, read once: before the fork, for all services."""
    return known_registry(files("backend.core").joinpath("models.json").read_bytes())


def model_registry(settings: Settings) -> ModelRegistry:
    """
    Return all models and providers: ours, those of MODELS_FILE, at the addresses of the settings.

    Raises:
        BadSetting: If MODELS_FILE cannot be read or understood.
    """
    registry = known_models()
    if settings.models_file:
        path = Path(settings.models_file).expanduser()
        registry = read_registry(_text_of(path), where=f"MODELS_FILE ({path})", below=registry)
    return registry.with_addresses(settings.provider_base_urls)


def model_keys(settings: Settings, registry: ModelRegistry) -> dict[str, Secret]:
    """Return the operator's keys by provider; those of providers of MODELS_FILE are in the environment."""
    keys: dict[str, Secret] = {}
    for provider in registry.providers.values():
        setting = provider.key_setting.lower()
        if setting in Settings.model_fields:
            key = getattr(settings, setting).get_secret_value()
        else:
            key = os.environ.get(provider.key_setting, "")
        if key.strip():
            keys[provider.name] = Secret(key.strip())
    return keys


def operator_keys(settings: Settings) -> OperatorKeys:
    """Return which providers users may call without credentials of their own."""
    registry = model_registry(settings)
    keyless = {name for name, provider in registry.providers.items() if not provider.needs_key}
    return OperatorKeys(
        registry=registry, provided=frozenset(keyless | model_keys(settings, registry).keys())
    )


def open_catalog(settings: Settings) -> Catalog:
    """Return all blocks of this installation, with the operator's keys where they stand in."""
    return load_catalog().with_operators(operator_keys(settings))


def lent_by_operator(settings: Settings) -> dict[CredentialsId, ApiKeyCredentials]:
    """Return the operator's credentials by the ids by which runs name them; for those who run."""
    registry = model_registry(settings)
    keys = model_keys(settings, registry)
    return {
        CredentialsId(system_id(provider.name)): ApiKeyCredentials(
            id=CredentialsId(system_id(provider.name)),
            provider=provider.name,
            title=provider.title,
            api_key=keys.get(provider.name, Secret(_NO_KEY)),
        )
        for provider in registry.providers.values()
        if provider.name in keys or not provider.needs_key
    }


def open_models(settings: Settings, web: "GuardedWebClient") -> "ProviderModels":
    """Return all models; the connections are those of *web*. Imports no SDK yet."""
    from backend.adapters.models import ProviderModels

    registry = model_registry(settings)
    return ProviderModels(registry, model_keys(settings, registry), web)


async def warm_when_idle(models: "ProviderModels", busy: Callable[[], int]) -> None:
    """Load what models need once nothing is *busy*: the first call has not to wait for it."""
    await asyncio.sleep(WARM_AFTER_S)
    while busy():  # noqa: ASYNC110 - nothing tells when the last run has ended
        await asyncio.sleep(WARM_AFTER_S)
    with contextlib.suppress(ImportError):  # the call that needs it says so
        await models.warm()


def _text_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise BadSetting(f"MODELS_FILE: {path} is larger than {_MAX_FILE_BYTES} bytes")
        return path.read_bytes()
    except OSError as exc:
        raise BadSetting(f"MODELS_FILE: {path} cannot be read: {exc.strerror}") from exc

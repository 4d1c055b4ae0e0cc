"""Wires API keys and rates. Part of wiring_api.py, apart only for its size."""

from contextlib import AsyncExitStack

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.api_keys import SqlApiKeys
from backend.adapters.storage.oauth import SqlOAuth
from backend.api.context import Doors, Rates
from backend.ports.clock import Clock
from backend.services.access import AccessService
from backend.services.api_keys import ApiKeyService
from backend.services.oauth import MayAct, OAuthService
from backend.services.oauth_apps import OAuthAppService
from backend.services.rates import RateLimit
from backend.settings import Settings

_MINUTE_S = 60.0


def api_keys_of(storage: SqlStorage, clock: Clock) -> ApiKeyService:
    """Return the keys of an installation."""
    return ApiKeyService(keys=SqlApiKeys(storage.database), clock=clock)


def oauth_apps_of(storage: SqlStorage, clock: Clock, base_url: str) -> OAuthAppService:
    """Return the apps that users of an installation may let in."""
    return OAuthAppService(storage=SqlOAuth(storage.database), clock=clock, base_url=base_url)


def doors_of(
    settings: Settings,
    storage: SqlStorage,
    clock: Clock,
    stack: AsyncExitStack,
    base_url: str,
    may_act: MayAct,
) -> Doors:
    """Return who is let in, and how often; *stack* writes down what was used last."""
    api_keys = api_keys_of(storage, clock)
    stack.push_async_callback(api_keys.note_uses)
    oauth = OAuthService(storage=SqlOAuth(storage.database), clock=clock, may_act=may_act)
    return Doors(
        api_keys=api_keys,
        oauth_apps=oauth_apps_of(storage, clock, base_url),
        oauth=oauth,
        access=AccessService(api_keys=api_keys, oauth=oauth, may_act=may_act),
        rates=rates_of(settings, clock),
    )


def rates_of(settings: Settings, clock: Clock) -> Rates:
    """Return how often requests are answered."""

    def limit(what: str, setting: str, tokens: int) -> RateLimit:
        return RateLimit(
            what,
            tokens=tokens,
            refill_s=_MINUTE_S,
            monotonic_s=clock.monotonic_s,
            setting=setting,
        )

    return Rates(
        users=limit(
            "requests of one user",
            "MAX_USER_REQUESTS_PER_MINUTE",
            settings.max_user_requests_per_minute,
        ),
        addresses=limit(
            "requests without a valid token from one address",
            "MAX_ADDRESS_REQUESTS_PER_MINUTE",
            settings.max_address_requests_per_minute,
        ),
        keys=limit(
            "requests with one API key or app",
            "MAX_KEY_REQUESTS_PER_MINUTE",
            settings.max_key_requests_per_minute,
        ),
    )

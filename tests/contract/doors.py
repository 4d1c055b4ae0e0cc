"""Who is let in to the application that tests ask, and how often."""

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.api_keys import SqlApiKeys
from backend.adapters.storage.oauth import SqlOAuth
from backend.api.context import Doors, Rates
from backend.services.access import AccessService
from backend.services.api_keys import ApiKeyService
from backend.services.oauth import MayAct, OAuthService
from backend.services.oauth_apps import OAuthAppService
from backend.services.rates import RateLimit
from backend.testing.clock import FakeClock


def doors_of(storage: SqlStorage, clock: FakeClock, may_act: MayAct) -> Doors:
    """Return who is let in; how often does not matter."""
    api_keys = ApiKeyService(keys=SqlApiKeys(storage.database), clock=clock)
    oauth = OAuthService(storage=SqlOAuth(storage.database), clock=clock, may_act=may_act)
    return Doors(
        api_keys=api_keys,
        oauth_apps=OAuthAppService(
            storage=SqlOAuth(storage.database), clock=clock, base_url="http://server"
        ),
        oauth=oauth,
        access=AccessService(api_keys=api_keys, oauth=oauth, may_act=may_act),
        rates=rates(clock),
    )


def rates(clock: FakeClock, *, users: int = 0, addresses: int = 0, keys: int = 0) -> Rates:
    """Return rates of so many requests a minute; 0 is any."""

    def limit(tokens: int) -> RateLimit:
        return RateLimit("requests", tokens=tokens, refill_s=60, monotonic_s=clock.monotonic_s)

    return Rates(users=limit(users), addresses=limit(addresses), keys=limit(keys))

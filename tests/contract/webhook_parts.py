"""Who takes deliveries in the tests: with limits that a test can reach."""

from typing import Final

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credentials import SqlCredentials
from backend.adapters.storage.deliveries import SqlDeliveries
from backend.adapters.storage.watches import SqlWatches
from backend.adapters.vault import FernetVault
from backend.core.catalog import Catalog
from backend.services.credentials import CredentialsService
from backend.services.delivery_runs import DeliveryRuns
from backend.services.executions import ExecutionService
from backend.services.rates import RateLimit
from backend.services.registrations import Registrations
from backend.services.sealed import Sealer
from backend.services.watch_config import WatchConfigs
from backend.services.webhooks import Limits, WebhookService
from backend.setting_keys import new_key
from backend.testing.clock import FakeClock

#: Of a body, in bytes; of a minute, to one webhook; of a minute, from one address.
BODY_BYTES: Final = 10_000
BY_WEBHOOK: Final = 30
BY_ADDRESS: Final = 100


def webhooks_of(
    storage: SqlStorage,
    executions: ExecutionService,
    catalog: Catalog,
    clock: FakeClock,
    credentials: CredentialsService,
) -> WebhookService:
    """Return who takes deliveries."""
    deliveries = SqlDeliveries(
        storage.database, storage.values, days=30, kept=100, key_days=30, keys=100
    )
    sealer = Sealer(FernetVault([new_key()]))
    registrations = Registrations(
        storage=storage,
        deliveries=deliveries,
        registrars={},
        credentials=credentials,
        sealer=sealer,
        clock=clock,
        base_url="",
        watches=SqlWatches(storage.database),
    )
    credentials.before_removal = registrations.remove_all
    return WebhookService(
        sealer=sealer,
        registrations=registrations,
        storage=storage,
        clock=clock,
        base_url="http://server",
        deliveries=deliveries,
        runs=DeliveryRuns(
            storage=storage,
            deliveries=deliveries,
            executions=executions,
            catalog=catalog,
            clock=clock,
        ),
        limits=Limits(
            body_bytes=BODY_BYTES,
            by_webhook=_rate("to this webhook", BY_WEBHOOK, clock),
            by_address=_rate("from this address", BY_ADDRESS, clock),
        ),
    )


def _rate(what: str, tokens: int, clock: FakeClock) -> RateLimit:
    return RateLimit(
        f"deliveries {what}", tokens=tokens, refill_s=60, monotonic_s=clock.monotonic_s
    )


def watched_of(storage: SqlStorage, catalog: Catalog) -> WatchConfigs:
    """Return who reads what owners say of their watches: three each."""
    return WatchConfigs(
        watches=SqlWatches(storage.database),
        credentials=SqlCredentials(storage.database),
        catalog=catalog,
        least_s=60.0,
        most=3,
        has_folders=True,
    )

"""The wiring of what takes deliveries. Part of wiring_api.py, apart only for its size."""

from typing import TYPE_CHECKING, Final

from backend.adapters.storage import SqlStorage
from backend.core.catalog import Catalog
from backend.ports.clock import Clock
from backend.ports.web import WebClient
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.storage.deliveries import SqlDeliveries
    from backend.services.credentials import CredentialsService
    from backend.services.executions import ExecutionService
    from backend.services.webhooks import Limits, WebhookService

#: Of one webhook, so many deliveries are known again.
_KEYS: Final = 10_000
_MINUTE_S: Final = 60.0


def deliveries_of(settings: Settings, storage: SqlStorage) -> "SqlDeliveries":
    """Return where deliveries are kept."""
    from backend.adapters.storage.deliveries import SqlDeliveries

    return SqlDeliveries(
        storage.database,
        storage.values,
        days=settings.webhook_delivery_days,
        kept=settings.webhook_deliveries_kept,
        key_days=settings.webhook_replay_days,
        keys=_KEYS,
    )


def webhooks_of(
    settings: Settings,
    storage: SqlStorage,
    executions: "ExecutionService",
    clock: Clock,
    base_url: str,
    catalog: Catalog,
    credentials: "CredentialsService",
    web: WebClient,
) -> "WebhookService":
    """Return who takes deliveries; *base_url* is how senders know this server."""
    from backend.adapters.registrars import registrars
    from backend.adapters.storage.watches import SqlWatches
    from backend.services.delivery_runs import DeliveryRuns
    from backend.services.registrations import Registrations
    from backend.services.sealed import Sealer
    from backend.services.webhooks import WebhookService
    from backend.wiring_credentials import open_vault

    deliveries, sealer = deliveries_of(settings, storage), Sealer(open_vault(settings))
    registrations = Registrations(
        storage=storage,
        deliveries=deliveries,
        registrars=registrars(web, settings.provider_base_urls),
        credentials=credentials,
        sealer=sealer,
        clock=clock,
        base_url=settings.platform_base_url,
        watches=SqlWatches(storage.database),
    )
    credentials.before_removal = registrations.remove_all
    return WebhookService(
        sealer=sealer,
        registrations=registrations,
        storage=storage,
        clock=clock,
        base_url=base_url,
        deliveries=deliveries,
        runs=DeliveryRuns(
            storage=storage,
            deliveries=deliveries,
            executions=executions,
            catalog=catalog,
            clock=clock,
        ),
        limits=_limits(settings, clock),
    )


def _limits(settings: Settings, clock: Clock) -> "Limits":
    from backend.services.rates import RateLimit
    from backend.services.webhooks import Limits

    return Limits(
        body_bytes=settings.max_webhook_body_kb * 1024,
        by_webhook=RateLimit(
            "deliveries to this webhook",
            tokens=settings.webhook_deliveries_per_minute,
            refill_s=_MINUTE_S,
            monotonic_s=clock.monotonic_s,
            setting="WEBHOOK_DELIVERIES_PER_MINUTE",
        ),
        by_address=RateLimit(
            "deliveries from this address",
            tokens=settings.webhook_deliveries_per_minute_and_address,
            refill_s=_MINUTE_S,
            monotonic_s=clock.monotonic_s,
            setting="WEBHOOK_DELIVERIES_PER_MINUTE_AND_ADDRESS",
        ),
    )

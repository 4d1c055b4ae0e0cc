"""The wiring of what takes deliveries. Part of wiring_api.py, apart only for its size."""

from typing import TYPE_CHECKING, Final

from backend.adapters.storage import SqlStorage
from backend.ports.clock import Clock
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.services.executions import ExecutionService
    from backend.services.webhooks import WebhookService

#: Of one webhook, so many deliveries are known again.
_PER_WEBHOOK: Final = 10_000
_MINUTE_S: Final = 60.0


def webhooks_of(
    settings: Settings,
    storage: SqlStorage,
    executions: "ExecutionService",
    clock: Clock,
    base_url: str,
) -> "WebhookService":
    """Return who takes deliveries; *base_url* is how senders know this server."""
    from backend.adapters.storage.deliveries import SqlDeliveries
    from backend.services.rates import RateLimit
    from backend.services.webhooks import Limits, WebhookService

    return WebhookService(
        storage=storage,
        executions=executions,
        clock=clock,
        base_url=base_url,
        deliveries=SqlDeliveries(
            storage.database, days=settings.webhook_replay_days, per_webhook=_PER_WEBHOOK
        ),
        limits=Limits(
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
        ),
    )

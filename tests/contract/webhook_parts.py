"""Who takes deliveries in the tests: with limits that a test can reach."""

from typing import Final

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.deliveries import SqlDeliveries
from backend.services.executions import ExecutionService
from backend.services.rates import RateLimit
from backend.services.webhooks import Limits, WebhookService
from backend.testing.clock import FakeClock

#: Of a body, in bytes; of a minute, to one webhook; of a minute, from one address.
BODY_BYTES: Final = 10_000
BY_WEBHOOK: Final = 30
BY_ADDRESS: Final = 100


def webhooks_of(
    storage: SqlStorage, executions: ExecutionService, clock: FakeClock
) -> WebhookService:
    """Return who takes deliveries."""
    return WebhookService(
        storage=storage,
        executions=executions,
        clock=clock,
        base_url="http://server",
        deliveries=SqlDeliveries(storage.database, days=30, per_webhook=100),
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

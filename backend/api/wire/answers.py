"""What every operation answers: all tables of shapes in one."""

from typing import Any, Final

from backend.api.wire import (
    shapes,
    shapes_accounts,
    shapes_alerts,
    shapes_api_keys,
    shapes_budgets,
    shapes_chat,
    shapes_deliveries,
    shapes_integrations,
    shapes_jobs,
    shapes_library,
    shapes_notices,
    shapes_notifications,
    shapes_oauth,
    shapes_parked,
    shapes_schedules,
)

ANSWERS: Final[dict[str, Any]] = {
    **shapes.ANSWERS,
    **shapes_accounts.ANSWERS,
    **shapes_integrations.ANSWERS,
    **shapes_jobs.ANSWERS,
    **shapes_library.ANSWERS,
    **shapes_api_keys.ANSWERS,
    **shapes_alerts.ANSWERS,
    **shapes_notices.ANSWERS,
    **shapes_budgets.ANSWERS,
    **shapes_chat.ANSWERS,
    **shapes_deliveries.ANSWERS,
    **shapes_notifications.ANSWERS,
    **shapes_oauth.ANSWERS,
    **shapes_parked.ANSWERS,
    **shapes_schedules.ANSWERS,
}

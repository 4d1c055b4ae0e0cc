"""What every operation answers: all tables of shapes in one."""

from typing import Any, Final

from backend.api.wire import (
    shapes,
    shapes_accounts,
    shapes_api_keys,
    shapes_integrations,
    shapes_library,
    shapes_oauth,
)

ANSWERS: Final[dict[str, Any]] = {
    **shapes.ANSWERS,
    **shapes_accounts.ANSWERS,
    **shapes_integrations.ANSWERS,
    **shapes_library.ANSWERS,
    **shapes_api_keys.ANSWERS,
    **shapes_oauth.ANSWERS,
}

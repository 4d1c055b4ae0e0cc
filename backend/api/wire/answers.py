"""What every operation answers: all tables of shapes in one."""

from typing import Any, Final

from backend.api.wire import shapes, shapes_integrations, shapes_library

ANSWERS: Final[dict[str, Any]] = {
    **shapes.ANSWERS,
    **shapes_integrations.ANSWERS,
    **shapes_library.ANSWERS,
}

"""What only administrators may ask."""

from typing import Final

#: Beside the routes below /admin/.
FOR_ADMINISTRATORS: Final = frozenset(
    {
        "GET /api/audit",
        "GET /api/admin/jobs",
        "GET /api/admin/notices",
        "GET /api/admin/parked-runs",
    }
)

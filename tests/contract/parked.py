"""A run that is parked, as the executor would, for tests that retry it."""

from sqlalchemy import update

from backend.adapters.storage import SqlStorage
from backend.adapters.storage.rows import stats_text
from backend.adapters.storage.tables import executions
from backend.core.execution import RunStats
from backend.core.status import Status

REASON = "parked: it took its executor down"


async def park(storage: SqlStorage, run_id: str) -> None:
    """Let a run be parked."""
    await storage.database.write(
        lambda connection: connection.execute(
            update(executions)
            .where(executions.c.id == run_id)
            .values(
                status=Status.TERMINATED.value,
                ended_us=executions.c.created_us,
                revision=executions.c.revision + 1,
                stats=stats_text(RunStats(error=REASON)),
                parked='{"status": "QUEUED", "nodes": {}}',
            )
        )
    )

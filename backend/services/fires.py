"""What a schedule's fire starts, and when the next one is."""

from backend.core.cron import Cron, Dialect, zone
from backend.core.ids import ExecutionId
from backend.core.records import NewExecution, ScheduleRecord
from backend.services.executions import ExecutionService, RunRequest


class FireService:
    """The scheduler's side of schedules."""

    def __init__(self, *, executions: ExecutionService, dialect: Dialect) -> None:
        self._executions = executions
        self._dialect = dialect

    def next_fire(self, schedule: ScheduleRecord, after_us: int) -> int | None:
        """Return the first fire of *schedule* after *after_us*; None if there is none."""
        return Cron(schedule.cron, self._dialect).next_fire(zone(schedule.timezone), after_us)

    async def prepare(self, schedule: ScheduleRecord, run_id: ExecutionId) -> NewExecution:
        """
        Return the run that a fire of *schedule* starts, checked.

        Raises:
            NotFound: If the graph is gone.
            BadRequest: If it cannot run as it is now.
        """
        request = RunRequest(
            inputs=schedule.inputs, credentials=schedule.credentials, trigger="schedule"
        )
        return await self._executions.prepare(
            schedule.user_id, schedule.graph_id, schedule.graph_version, request, run_id=run_id
        )

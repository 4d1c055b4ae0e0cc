"""What a schedule's fire starts, when the next one is, and what becomes of a run it finds going on."""

from backend.core.cron import Dialect
from backend.core.ids import ExecutionId, UserId
from backend.core.records import NewExecution, ScheduleRecord
from backend.services.executions import ExecutionService, RunRequest


class FireService:
    """The scheduler's side of schedules."""

    def __init__(self, *, executions: ExecutionService, dialect: Dialect) -> None:
        self._executions = executions
        self._dialect = dialect

    def next_fire(self, schedule: ScheduleRecord, after_us: int) -> int | None:
        """Return the first fire of *schedule* after *after_us*; None if there is none."""
        return schedule.times(self._dialect).next_fire(after_us)

    async def prepare(self, schedule: ScheduleRecord, run_id: ExecutionId) -> NewExecution:
        """
        Return the run that a fire of *schedule* starts, checked.

        Raises:
            NotFound: If the graph is gone.
            BadRequest: If it cannot run as it is now.
        """
        return await self._executions.prepare(
            schedule.user_id,
            schedule.graph_id,
            schedule.graph_version,
            run_request(schedule),
            run_id=run_id,
        )

    async def stop(self, user_id: UserId, run_id: ExecutionId) -> None:
        """Tell a run, and all it started, to stop; do not wait for its end."""
        await self._executions.ask_stop(user_id, run_id)


def run_request(schedule: ScheduleRecord) -> RunRequest:
    """Return what *schedule* asks of its graph."""
    return RunRequest(inputs=schedule.inputs, credentials=schedule.credentials, trigger="schedule")

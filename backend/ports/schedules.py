"""Where schedules are kept. Times are microseconds since the epoch, UTC."""

from typing import Protocol

from backend.core.ids import ExecutionId, GraphId, ScheduleId
from backend.core.records import NewExecution, ScheduleRecord


class UserSchedules(Protocol):
    """Schedules of one user. Somebody else's id is answered like one that does not exist."""

    async def add_schedule(self, schedule: ScheduleRecord) -> None:
        """Save a schedule."""

    async def schedules(self, graph_id: GraphId | None = None) -> list[ScheduleRecord]:
        """Return schedules, oldest first."""

    async def schedule(self, schedule_id: ScheduleId) -> ScheduleRecord | None:
        """Return a schedule."""

    async def change_schedule(self, schedule: ScheduleRecord) -> bool:
        """
        Save what an owner may change, as the next revision; what has fired stays as it is.

        Returns:
            False, with nothing done, if it is not there or of another revision than *schedule*.
        """

    async def delete_schedule(self, schedule_id: ScheduleId) -> bool:
        """Delete a schedule; say whether there was one."""


class SystemSchedules(Protocol):
    """Schedules of everybody, for who fires them."""

    async def due_schedules(self, *, now_us: int, limit: int) -> list[ScheduleRecord]:
        """
        Return due schedules, earliest first.

        Those of disabled users wait, and those that queue behind a run of theirs.
        """

    async def next_fire(self) -> int | None:
        """Return the time of the earliest next fire of all schedules that `due_schedules` gives."""

    async def run_end(self, run_id: ExecutionId) -> int | None:
        """Return when a run ended; None while it has not, 0 if it is not there any more."""

    async def fire(
        self,
        schedule: ScheduleRecord,
        *,
        fire_us: int,
        next_us: int | None,
        run: NewExecution | None,
    ) -> bool:
        """
        Start *run* for the fire at *fire_us* and move the schedule on, in one transaction.

        Returns:
            False, with nothing done, if that fire was taken before, or the schedule has been
            changed since it was read.
        """

    async def pause_schedule(self, schedule: ScheduleRecord, *, reason: str, now_us: int) -> bool:
        """
        Stop firing, and tell its owner with a notice in the same transaction; *reason* is shown.

        Returns:
            False, with nothing done, if it is paused, or has been changed since it was read.
        """

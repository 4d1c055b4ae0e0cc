"""Schedules: a graph that is run again and again. Firing them is the scheduler's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core.cron import Cron, Dialect, zone
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import GraphId, ScheduleId, UserId
from backend.core.records import ScheduleRecord
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest
from backend.services.timezones import is_timezone
from backend.services.users import NO_TIMEZONE, UserService

#: More would only make a mess of one account's list.
MAX_SCHEDULES = 1_000


@dataclass(frozen=True, kw_only=True)
class ScheduleRequest:
    """
    A schedule to make.

    Attributes:
        graph_version: The version that is active now when None. It stays the one.
        name: The agent's name when None.
        timezone: The user's when None, else UTC.
    """

    graph_id: GraphId
    graph_version: int | None = None
    name: str | None = None
    cron: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None


class ScheduleService:
    """Schedules of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        storage: Storage,
        executions: ExecutionService,
        users: UserService,
        clock: Clock,
        dialect: Dialect = Dialect.POSIX,
    ) -> None:
        self._storage = storage
        self._executions = executions
        self._users = users
        self._clock = clock
        self._dialect = dialect

    async def create(self, user_id: UserId, request: ScheduleRequest) -> ScheduleRecord:
        """
        Save a schedule and return it.

        Raises:
            NotFound: If there is no such graph.
            BadRequest: If the graph cannot run with these inputs, the expression cannot be used
                or never fires, or there is no such zone.
        """
        cron = Cron(request.cron, self._dialect)
        timezone = await self._timezone(user_id, request.timezone)
        run = RunRequest(inputs=request.inputs, credentials=request.credentials)
        ready = await self._executions.check(user_id, request.graph_id, request.graph_version, run)
        stored = self._storage.of(user_id)
        if len(await stored.schedules()) >= MAX_SCHEDULES:
            raise BadRequest(f"there are {MAX_SCHEDULES} schedules already; delete some first")
        now_us = self._clock.now_us()
        schedule = ScheduleRecord(
            id=ScheduleId(self._clock.new_id()),
            user_id=user_id,
            graph_id=ready.graph.id,
            graph_version=ready.graph.version,
            name=request.name or ready.graph.name,
            agent_name=ready.graph.name,
            cron=request.cron,
            timezone=timezone,
            inputs=request.inputs,
            credentials=request.credentials,
            created_us=now_us,
            next_us=cron.next_fire(zone(timezone), now_us),
        )
        await stored.add_schedule(schedule)
        return schedule

    def describe(self, schedule: ScheduleRecord) -> str:
        """Return in words when *schedule* fires."""
        return Cron(schedule.cron, self._dialect).describe(schedule.timezone)

    async def listed(
        self, user_id: UserId, graph_id: GraphId | None = None
    ) -> list[ScheduleRecord]:
        """Return the schedules that will fire, oldest first; those of one graph if it is named."""
        found = await self._storage.of(user_id).schedules(graph_id)
        return [schedule for schedule in found if schedule.next_us is not None]

    async def delete(self, user_id: UserId, schedule_id: ScheduleId) -> None:
        """Delete a schedule; runs that it started go on."""
        if not await self._storage.of(user_id).delete_schedule(schedule_id):
            raise NotFound(f"Schedule #{schedule_id} not found.")

    async def _timezone(self, user_id: UserId, asked: str | None) -> str:
        if asked:
            if not is_timezone(asked):
                raise BadRequest(
                    f"unknown timezone {asked[:100]!r}; use an IANA name such as Europe/Berlin"
                )
            return asked
        stored = await self._users.timezone(user_id)
        return stored if stored != NO_TIMEZONE and is_timezone(stored) else "UTC"

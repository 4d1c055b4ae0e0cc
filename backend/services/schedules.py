"""Schedules: a graph that is run again and again. Firing them is the scheduler's."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from backend.core.cron import Dialect, zone
from backend.core.errors import BadRequest, Conflict, NotFound
from backend.core.fire_times import NO_RULES, FireRules, moment_us
from backend.core.ids import GraphId, ScheduleId, UserId, derived_id
from backend.core.records import (
    ExecutionRecord,
    MissedPolicy,
    OverlapPolicy,
    ScheduleRecord,
    Timetable,
)
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest
from backend.services.fires import run_request
from backend.services.timezones import is_timezone
from backend.services.users import NO_TIMEZONE, UserService

#: Names of `FireRules` to what is asked; moments as dates with a time.
Rules = Mapping[Literal["jitter_s", "starts_us", "ends_us", "skips_gaps"], Any]

#: More would only make a mess of one account's list. Those that have ended do not count.
MAX_SCHEDULES = 1_000
#: Of those that have ended so many are kept, the newest: each that is made makes room for itself.
MAX_ENDED = 1_000


@dataclass(frozen=True, kw_only=True)
class ScheduleRequest:
    """
    A schedule to make.

    Attributes:
        graph_version: The version that is active now when None. It stays the one.
        name: The agent's name when None.
        timezone: The user's when None, else UTC.
        rules: What is asked beside the times.
    """

    graph_id: GraphId
    graph_version: int | None = None
    name: str | None = None
    cron: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None
    missed: MissedPolicy = MissedPolicy.LAST
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    rules: Rules = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ScheduleChange:
    """
    What an owner changes of a schedule; None leaves it as it is.

    Attributes:
        rules: As those of a request; one that is not named stays, one that is None goes.
        is_paused: True stops firing; False begins again, from now on.
    """

    graph_version: int | None = None
    name: str | None = None
    cron: str | None = None
    timezone: str | None = None
    inputs: Mapping[str, Any] | None = None
    credentials: Mapping[str, Any] | None = None
    missed: MissedPolicy | None = None
    overlap: OverlapPolicy | None = None
    rules: Rules = field(default_factory=dict)
    is_paused: bool | None = None


#: What is shown of a schedule that its owner has paused.
PAUSED_BY_OWNER = "paused by its owner"


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

    async def create(
        self, user_id: UserId, request: ScheduleRequest, *, key: str | None = None
    ) -> ScheduleRecord:
        """
        Save a schedule and return it.

        Args:
            key: The same key makes one schedule, however often it comes.

        Raises:
            NotFound: If there is no such graph.
            BadRequest: If the graph cannot run with these inputs, the expression cannot be used
                or never fires, or there is no such zone.
        """
        timezone = await self._timezone(user_id, request.timezone)
        run = RunRequest(inputs=request.inputs, credentials=request.credentials)
        now_us = self._clock.now_us()
        wanted = Timetable(
            id=ScheduleId(
                self._clock.new_id() if key is None else derived_id(user_id, "schedule", key)
            ),
            cron=request.cron,
            timezone=timezone,
            rules=_ruled(NO_RULES, request.rules, timezone),
            created_us=now_us,
        )
        next_us = self._next(wanted)
        ready = await self._executions.check(user_id, request.graph_id, request.graph_version, run)
        stored = self._storage.of(user_id)
        known = await stored.schedules()
        if key is not None and (made := [one for one in known if one.id == wanted.id]):
            return made[0]
        ended = [one for one in known if one.has_ended]
        if len(known) - len(ended) >= MAX_SCHEDULES:
            raise BadRequest(f"there are {MAX_SCHEDULES} schedules already; delete some first")
        schedule = ScheduleRecord(
            id=wanted.id,
            user_id=user_id,
            graph_id=ready.graph.id,
            graph_version=ready.graph.version,
            name=request.name or ready.graph.name,
            agent_name=ready.graph.name,
            cron=request.cron,
            timezone=timezone,
            rules=wanted.rules,
            inputs=request.inputs,
            credentials=request.credentials,
            missed=request.missed,
            overlap=request.overlap,
            created_us=now_us,
            next_us=next_us,
        )
        await stored.add_schedule(schedule)
        for one in ended[:-MAX_ENDED]:
            await stored.delete_schedule(one.id)
        return schedule

    def describe(self, schedule: ScheduleRecord) -> str:
        """Return in words when *schedule* fires."""
        return schedule.times(self._dialect).describe()

    def upcoming(self, schedule: ScheduleRecord, count: int) -> list[int]:
        """Return its next *count* fires as it is now, microseconds since the epoch."""
        if schedule.next_us is None:
            return []
        more = schedule.times(self._dialect).upcoming(schedule.next_us, count - 1)
        return [schedule.next_us, *more]

    async def get(self, user_id: UserId, schedule_id: ScheduleId) -> ScheduleRecord:
        """Return a schedule, paused or not."""
        found = await self._storage.of(user_id).schedule(schedule_id)
        if found is None:
            raise NotFound(f"Schedule #{schedule_id} not found.")
        return found

    async def change(
        self, user_id: UserId, schedule_id: ScheduleId, change: ScheduleChange
    ) -> ScheduleRecord:
        """
        Change a schedule and return it; runs that it started go on.

        Raises:
            NotFound: If there is no such schedule, or no such version of its graph.
            BadRequest: As `create` does.
            Conflict: If it was changed by somebody else meanwhile.
        """
        before = await self.get(user_id, schedule_id)
        told = {
            name: value
            for name, value in vars(change).items()
            if value is not None and name not in ("is_paused", "rules")
        }
        if "timezone" in told:
            told["timezone"] = await self._timezone(user_id, change.timezone)
        after = replace(before, **told)
        after = replace(after, rules=_ruled(before.rules, change.rules, after.timezone))
        is_paused = change.is_paused
        if is_paused is None:
            is_paused = before.paused_because is not None
        if is_paused:
            # So that nothing is kept that cannot be begun again. Credentials may come later.
            after.times(self._dialect)
            if change.graph_version is not None:
                await self._require_version(user_id, after)
            because = before.paused_because or PAUSED_BY_OWNER
            after = replace(after, next_us=None, paused_because=because)
        else:
            await self._executions.check(
                user_id, after.graph_id, after.graph_version, run_request(after)
            )
            if _times_of(after) != _times_of(before) or before.paused_because is not None:
                after = replace(after, next_us=self._next(after), paused_because=None)
        if not await self._storage.of(user_id).change_schedule(after):
            raise Conflict("the schedule was changed or deleted meanwhile; read it again")
        return replace(after, revision=before.revision + 1)

    async def _require_version(self, user_id: UserId, wanted: ScheduleRecord) -> None:
        graph_id, version = wanted.graph_id, wanted.graph_version
        if await self._storage.of(user_id).graph(graph_id, version) is None:
            raise NotFound(f"Graph #{graph_id} v{version} not found.")

    async def run_now(self, user_id: UserId, schedule_id: ScheduleId) -> ExecutionRecord:
        """Start what a schedule's fire would start, beside its fires; as a schedule's run."""
        found = await self.get(user_id, schedule_id)
        return await self._executions.start(
            user_id, found.graph_id, found.graph_version, run_request(found)
        )

    def _next(self, wanted: Timetable) -> int:
        next_us = wanted.times(self._dialect).next_fire(self._clock.now_us())
        if next_us is None:
            raise BadRequest(f"schedule {wanted.cron[:250]!r} never fires from now on")
        return next_us

    async def listed(
        self, user_id: UserId, graph_id: GraphId | None = None, *, is_all: bool = False
    ) -> list[ScheduleRecord]:
        """Return schedules that will fire, or all, oldest first; those of one graph if it is named."""
        found = await self._storage.of(user_id).schedules(graph_id)
        return [schedule for schedule in found if is_all or schedule.next_us is not None]

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


def _ruled(before: FireRules, told: Rules, timezone: str) -> FireRules:
    """Return *before* with what is told; a time without an offset is in *timezone*."""
    values: dict[str, Any] = {}
    for name, value in told.items():
        plain = getattr(NO_RULES, name) if value is None else value
        values[name] = moment_us(plain, zone(timezone)) if isinstance(plain, datetime) else plain
    return replace(before, **values)


def _times_of(schedule: ScheduleRecord) -> tuple[object, ...]:
    return (schedule.cron, schedule.timezone, schedule.rules)

"""Deletes what is old, at an easy pace: short transactions, and longer pauses between them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from backend.core.usage import MAX_DAYS
from backend.ports.audit import AuditLog
from backend.ports.chat import ChatRetention
from backend.ports.clock import Clock
from backend.ports.deliveries import Deliveries
from backend.ports.retention import OldRun, RetentionStorage

_DAY_US: Final = 24 * 3600 * 1_000_000
#: Rows that go in one transaction: few, because others wait for its end.
_ROWS: Final = 150
_RUNS: Final = 50
_PAGES: Final = 100
#: A pause is so many times as long as the step before it: three quarters are for the others.
_REST: Final = 3.0
_SHORTEST_REST_S: Final = 0.001
#: Fires that are older guard against nothing: schedules never go back.
_FIRES_KEPT_US: Final = 30 * _DAY_US


@dataclass(frozen=True, kw_only=True)
class Keep:
    """
    How long things stay. 0: for ever.

    Attributes:
        days: Since a run ended; since a notice or a letter was made; since the day of a sum of what
            was asked of models by agent. The sums of days stay for `MAX_DAYS` if that is longer.
        runs_per_graph: Of one user; the newest.
        audit_days: Since a row of the audit log was written.
        chat_days: Since somebody said something in a session of the copilot.
    """

    days: int = 90
    runs_per_graph: int = 0
    audit_days: int = 0
    chat_days: int = 0


@dataclass
class Figures:
    """What was done since the start of the process, for /metrics."""

    runs: int = 0
    rows: int = 0
    notices: int = 0
    fires: int = 0
    letters: int = 0
    audit: int = 0
    answers: int = 0
    usage: int = 0
    chats: int = 0
    deliveries: int = 0
    pages: int = 0
    longest_step_s: float = 0.0


class Retention:
    """Deletes. One at a time."""

    def __init__(
        self,
        storage: RetentionStorage,
        clock: Clock,
        keep: Keep,
        *,
        delete_letters: Callable[[int], Awaitable[int]] | None = None,
        audit: AuditLog | None = None,
        chats: ChatRetention | None = None,
        deliveries: Deliveries | None = None,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Take what it works with.

        Args:
            delete_letters: Deletes letters made before a time, in microseconds; returns how many.
            audit: Whose old rows go, too.
            chats: Sessions of the copilot, likewise.
            deliveries: What was sent to webhooks, likewise.
            rest: Waits so many seconds.
        """
        self._storage = storage
        self._clock = clock
        self._keep = keep
        self._delete_letters = delete_letters
        self._audit = audit
        self._chats = chats
        self._deliveries = deliveries
        self._rest = rest
        self._until_s = 0.0
        self.figures = Figures()

    async def work(self, *, at_most_s: float) -> str:
        """
        Delete what is old; say in words what was done.

        What could not be done within *at_most_s* is left for the next time.
        """
        self._until_s = self._clock.monotonic_s() + at_most_s
        now_us = self._clock.now_us()
        begins_us = await self._storage.not_before_us()
        before = Figures(**vars(self.figures))
        # What is gone for its users must not stay on the disk, week or not.
        await self._clear()
        self.figures.answers += await self._repeat(
            lambda: self._storage.delete_answers(now_us, limit=_ROWS)
        )
        await self._delete_deliveries(now_us)
        if now_us < begins_us:
            days = -(-(begins_us - now_us) // _DAY_US)
            return f"nothing is deleted for {days} days yet: retention is new to this database"
        await self._delete_old(now_us)
        await self._delete_surplus()
        await self._give_back()
        return self._said(before)

    def _said(self, before: Figures) -> str:
        done = {name: now - getattr(before, name) for name, now in vars(self.figures).items()}
        text = (
            f"{done['runs']} runs, {done['notices']} notices, {done['letters']} letters,"
            f" {done['fires']} fires deleted; {done['pages']} pages given back"
        )
        return text if self._has_time() else f"{text}; the rest waits for the next time"

    def _has_time(self) -> bool:
        return self._clock.monotonic_s() < self._until_s

    async def _delete_old(self, now_us: int) -> None:
        if self._keep.days:
            before_us = now_us - self._keep.days * _DAY_US
            await self._delete_old_runs(before_us)
            self.figures.notices += await self._repeat(
                lambda: self._storage.delete_notices(before_us, limit=_ROWS)
            )
            if self._delete_letters is not None:
                self.figures.letters += await self._delete_letters(before_us)
            await self._delete_usage(now_us)
        await self._delete_audit(now_us)
        await self._delete_chats(now_us)
        fires_before_us = now_us - _FIRES_KEPT_US
        self.figures.fires += await self._repeat(
            lambda: self._storage.delete_fires(fires_before_us, limit=_ROWS)
        )

    async def _delete_usage(self, now_us: int) -> None:
        by_graph = _day(now_us - self._keep.days * _DAY_US)
        of_days = _day(now_us - max(self._keep.days, MAX_DAYS) * _DAY_US)
        self.figures.usage += await self._repeat(
            lambda: self._storage.fold_usage(by_graph, limit=_ROWS)
        )
        self.figures.usage += await self._repeat(
            lambda: self._storage.delete_usage(of_days, limit=_ROWS)
        )

    async def _delete_audit(self, now_us: int) -> None:
        log, days = self._audit, self._keep.audit_days
        if log is None or not days:
            return
        before_us = now_us - days * _DAY_US
        self.figures.audit += await self._repeat(
            lambda: log.expire(before_us=before_us, now_us=now_us, limit=_ROWS)
        )

    async def _delete_deliveries(self, now_us: int) -> None:
        kept = self._deliveries
        if kept is not None:
            self.figures.deliveries += await self._repeat(
                lambda: kept.expire(now_us=now_us, limit=_ROWS)
            )

    async def _delete_chats(self, now_us: int) -> None:
        chats, days = self._chats, self._keep.chat_days
        if chats is None or not days:
            return
        before_us = now_us - days * _DAY_US
        self.figures.chats += await self._repeat(lambda: chats.delete_old(before_us, limit=_ROWS))

    async def _delete_old_runs(self, before_us: int) -> None:
        place: OldRun | None = None
        while self._has_time():
            old = await self._storage.runs_ended_before(before_us, after=place, limit=_RUNS)
            if not old:
                return
            # Those that may not go yet are passed over, or they would be found for ever.
            place = old[-1]
            await self._delete(old)

    async def _delete_surplus(self) -> None:
        newest = self._keep.runs_per_graph
        graph = await self._storage.next_graph(None) if newest else None
        while graph is not None and self._has_time():
            await self._pause(0.0)
            beyond = await self._storage.runs_beyond(graph, newest=newest, limit=_RUNS)
            if not await self._delete(beyond):
                graph = await self._storage.next_graph(graph)

    async def _delete(self, old: list[OldRun]) -> int:
        """Delete runs with all that belongs to them; return how many could go."""
        if not old:
            return 0
        gone = await self._step(lambda: self._storage.delete_runs([run.id for run in old]))
        self.figures.runs += gone
        await self._clear()
        return gone

    async def _clear(self) -> None:
        self.figures.rows += await self._repeat(lambda: self._storage.clear(rows=_ROWS))

    async def _give_back(self) -> None:
        self.figures.pages += await self._repeat(lambda: self._storage.give_back(pages=_PAGES))

    async def _repeat(self, work: Callable[[], Awaitable[int]]) -> int:
        """Do *work* in steps until nothing is left; return the sum."""
        done = 0
        while self._has_time():
            count = await self._step(work)
            done += count
            if not count:
                break
        return done

    async def _step(self, work: Callable[[], Awaitable[int]]) -> int:
        started_s = self._clock.monotonic_s()
        count = await work()
        took_s = self._clock.monotonic_s() - started_s
        self.figures.longest_step_s = max(self.figures.longest_step_s, took_s)
        if count:
            await self._pause(took_s)
        return count

    async def _pause(self, took_s: float) -> None:
        await self._rest(max(_SHORTEST_REST_S, took_s * _REST))


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d")

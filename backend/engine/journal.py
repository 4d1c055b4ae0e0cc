"""The one writer: gathers the changes of all runs and commits them together, as fast as the disk.

Nothing leaves before its cause is on disk: events, effects and answers wait for `saved`.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from backend.core.errors import StaleAttempt, Unavailable
from backend.core.execution import Execution, NodeExecution
from backend.core.ids import ExecutionId
from backend.core.records import NewExecution, NoticeRecord
from backend.core.reviews import ReviewRecord
from backend.core.status import FINAL, Status
from backend.engine import snapshots
from backend.ports.bus import (
    Attached,
    EventPublisher,
    NodeChanged,
    RunChanged,
    graph_topic,
    run_topic,
)
from backend.ports.clock import Clock
from backend.ports.storage import EngineStorage, JournalBatch, RunChange, StoredRun

log = structlog.get_logger()

#: Node rows in one transaction, about: others write too, and wait for us.
BATCH_ROWS: Final = 500
_RETRY_FIRST_S: Final = 0.01
_RETRY_MOST_S: Final = 1.0
#: Of one refusal, and how many runs are remembered with theirs.
_MOST_SAID: Final = 300
_MOST_REFUSALS: Final = 1000


class Journaled(Protocol):
    """A run as the journal sees it."""

    stored: StoredRun
    execution: Execution
    attempt: int
    claimed: bool  #: the attempt is on disk
    blame: int | None  #: to note with the next commit: how often it has come to nothing
    new_runs: list[NewExecution]  #: child runs to add with the next commit
    questions: list[ReviewRecord]  #: what people are asked, to add with the next commit
    waiters: list[asyncio.Future[None]]

    def end_notice(self) -> NoticeRecord | None:
        """Return what its owner is told about a run that has ended."""

    def taken(self) -> None:
        """All changes so far are on their way to the disk."""

    def committed(self, *, over: bool) -> None:
        """
        Changes are on disk. Newer ones may exist already.

        Args:
            over: What is on disk now says that nothing more will happen by itself.
        """

    def refused(self) -> None:
        """Somebody else owns this run."""


@dataclass(kw_only=True)
class _Part:
    run: Journaled
    ended: bool
    over: bool
    goes_on: bool  #: it is the first one here of a run that has a history
    waiters: list[asyncio.Future[None]]
    events: list[tuple[str, RunChanged | NodeChanged]]


@dataclass(kw_only=True)
class JournalFigures:
    """What the journal did so far, for /metrics."""

    commits: int = 0
    node_rows: int = 0
    runs_ended: int = 0
    refused: int = 0
    retries: int = 0
    last_commit_s: float = 0.0


@dataclass(kw_only=True)
class Journal:
    """
    See the module. One per executor; `serve` must run.

    Attributes:
        refusals: Why the database did not take the rows of a run, of the last runs of which it did
            not.
    """

    storage: EngineStorage
    publisher: EventPublisher
    clock: Clock
    owner: str
    figures: JournalFigures = field(default_factory=JournalFigures)
    refusals: dict[ExecutionId, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dirty: dict[int, Journaled] = {}
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def mark(self, run: Journaled) -> None:
        """Note that *run* has changes; they go into the next commit."""
        key = id(run)
        if key not in self._dirty:
            self._dirty[key] = run
            self._work.set()
            self._idle.clear()

    def is_watched(self, run: Journaled) -> bool:
        """Say whether anybody looks at *run* now; costs nothing."""
        return self.publisher.wanted(run_topic(run.execution.id))

    async def saved(self, run: Journaled) -> None:
        """
        Wait until everything that *run* has changed up to now is on disk.

        Raises:
            StaleAttempt: If somebody else owns the run.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.waiters.append(waiter)
        self.mark(run)
        await waiter

    async def flush(self) -> None:
        """Wait until nothing is left to commit."""
        await self._idle.wait()

    async def serve(self) -> None:
        """Commit what comes, until cancelled."""
        while True:
            await self._work.wait()
            # One turn of the loop: what else has just become ready joins this commit.
            await asyncio.sleep(0)
            self._work.clear()
            while self._dirty:
                await self._commit_some()
            self._idle.set()

    async def _commit_some(self) -> None:
        parts: list[_Part] = []
        changes: list[RunChange] = []
        new_runs: list[NewExecution] = []
        questions: list[ReviewRecord] = []
        notices: dict[Any, NoticeRecord] = {}
        rows = 0
        now_us = self.clock.now_us()
        queue = deque(self._dirty)
        while queue and rows < BATCH_ROWS:
            run = self._dirty.pop(queue.popleft())
            part, change = self._take(run, now_us)
            parts.append(part)
            changes.append(change)
            new_runs += run.new_runs
            run.new_runs = []
            questions += run.questions
            run.questions = []
            rows += len(change.nodes) + 1
            if part.ended and (notice := run.end_notice()) is not None:
                notices[run.stored.record.id] = notice
        staged = self.storage.stage(
            JournalBatch(
                owner=self.owner,
                changes=changes,
                new_runs=new_runs,
                questions=questions,
                notices=notices,
                at_us=now_us,
            )
        )
        refused = await self._commit_all(staged)
        self.figures.node_rows += rows - len(parts)
        for part in parts:
            self._finish(part, refused=part.run.stored.record.id in refused)

    def _take(self, run: Journaled, now_us: int) -> tuple[_Part, RunChange]:
        execution = run.execution
        known = execution.revision
        nodes = execution.take_changes()
        change = RunChange(
            run_id=execution.id,
            attempt=run.attempt,
            claim=not run.claimed,
            read_at=None if run.claimed else run.stored.record.revision,
            stalls=run.blame,
            values=snapshots.run_values(execution, now_us),
            nodes=nodes,
            root_id=run.stored.root_id,
            parked=execution.parked,
        )
        run.blame = None
        run.taken()
        waiters, run.waiters = run.waiters, []
        part = _Part(
            run=run,
            ended=execution.status in FINAL,
            over=execution.status in FINAL or execution.status is Status.REVIEW,
            goes_on=not run.claimed and run.stored.record.revision > 1,
            waiters=waiters,
            events=self._events(run, nodes) if execution.revision > known else [],
        )
        return part, change

    def _events(
        self, run: Journaled, nodes: Sequence[NodeExecution]
    ) -> list[tuple[str, RunChanged | NodeChanged]]:
        """Build events only for those who listen."""
        events: list[tuple[str, RunChanged | NodeChanged]] = []
        topic = run_topic(run.execution.id)
        graph = graph_topic(run.stored.record.graph_id)
        if self.publisher.wanted(topic):
            record = snapshots.run_record(run.stored, run.execution, with_outputs=False)
            for node in nodes:
                changed = snapshots.node_record(run.execution, node)
                events.append((topic, NodeChanged(run=record, record=changed)))
            full = snapshots.run_record(run.stored, run.execution, with_outputs=True)
            events.append((topic, RunChanged(record=full)))
            if self.publisher.wanted(graph):
                events.append((graph, RunChanged(record=full)))
        elif self.publisher.wanted(graph):
            full = snapshots.run_record(run.stored, run.execution, with_outputs=True)
            events.append((graph, RunChanged(record=full)))
        return events

    def _publish(self, part: _Part) -> None:
        record = part.run.stored.record
        topics = (run_topic(record.id), graph_topic(record.graph_id))
        if part.goes_on:
            # Where it was before, it may be told late, or never: look before newer numbers come.
            for topic in filter(self.publisher.wanted, topics):
                self.publisher.publish(topic, Attached(topic=topic))
        for topic, event in part.events:
            self.publisher.publish(topic, event)
        told = {topic for topic, _ in part.events}
        for topic in topics:
            # Somebody who came while this was being committed may have looked into storage before
            # it was there: look again.
            if topic not in told and self.publisher.wanted(topic):
                self.publisher.publish(topic, Attached(topic=topic))

    async def _commit_all(self, staged: Any) -> frozenset[Any]:
        """Commit; a run whose rows the database does not take is let go, the others are saved."""
        try:
            return await self._commit(staged)
        except Exception:
            # Border: nobody else's work may be lost for it. The run is begun again from its rows,
            # and fails if that comes to nothing too often.
            log.exception("journal_batch_refused")
        refused: set[Any] = set()
        for one in self.storage.split(staged):
            try:
                refused |= await self._commit(one)
            except Exception as exc:
                theirs = self.storage.runs_of(one)
                refused |= theirs
                log.exception("journal_run_refused", executions=sorted(theirs))
                self._note_refusals(theirs, exc)
        return frozenset(refused)

    def _note_refusals(self, runs: Collection[ExecutionId], error: Exception) -> None:
        # The driver's own words: what is around them shows a statement and its values.
        words = str(getattr(error, "orig", None) or error).strip()
        for run_id in runs:
            self.refusals[run_id] = words.partition("\n")[0][:_MOST_SAID] or type(error).__name__
        while len(self.refusals) > _MOST_REFUSALS:
            del self.refusals[next(iter(self.refusals))]

    async def _commit(self, staged: Any) -> frozenset[Any]:
        """Commit, however long the database takes: what is staged cannot be given up."""
        pause_s = _RETRY_FIRST_S
        while True:
            started = self.clock.monotonic_s()
            try:
                refused = await self.storage.commit(staged)
            except Unavailable as exc:
                self.figures.retries += 1
                log.warning("journal_commit_failed", error=str(exc), again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _RETRY_MOST_S)
            else:
                self.figures.commits += 1
                self.figures.last_commit_s = self.clock.monotonic_s() - started
                return refused

    def _finish(self, part: _Part, *, refused: bool) -> None:
        run = part.run
        for waiter in part.waiters:
            if waiter.done():
                continue
            if refused:
                waiter.set_exception(StaleAttempt())
            else:
                waiter.set_result(None)
        if refused:
            self.figures.refused += 1
            self._dirty.pop(id(run), None)
            run.refused()
            return
        run.claimed = True
        self._publish(part)
        if part.ended:
            self.figures.runs_ended += 1
        run.committed(over=part.over)

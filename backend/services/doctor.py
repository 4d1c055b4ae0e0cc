"""The doctor: which rules the rows break, and why runs do not move. Looks only; mends nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from backend.core.cron import Cron, Dialect, zone
from backend.core.errors import BadRequest
from backend.core.status import Status
from backend.ports.doctor import Broken, Records, Rule, StillRun

#: Rows of a rule that are shown; the others are counted.
MOST_SHOWN: Final = 20
#: Runs that do not move and are explained.
MOST_RUNS: Final = 200
#: A run that has not changed for so long does not move.
STILL_S: Final = 60
#: A notice or a fire that is so late is stuck.
LATE_S: Final = 600
_SECOND_US: Final = 1_000_000
_ANY_TIME_US: Final = 2**62

#: What each rule says.
SENTENCES: Final[dict[Rule, str]] = {
    Rule.RUN_TIMES: "A run's status and its times agree.",
    Rule.NODE_TIMES: "A node execution's status and its times agree.",
    Rule.NODE_HAS_RUN: "Node executions belong to a run that is there.",
    Rule.ORDINALS: "Node executions of a run are numbered from 0 without gaps, each with its id.",
    Rule.OPEN_NODES: "In a run that has ended no node is queued, runs or waits for a person.",
    Rule.REVISIONS: "A run's revision is not behind those of its node executions.",
    Rule.CHILDREN: "A run that has ended has no unfinished runs below it.",
    Rule.OUTPUT_ROWS: "Streamed outputs belong to a node execution that counts them.",
    Rule.STATS: "A run that has ended counts the node executions that finished.",
    Rule.ONE_ACTIVE: "At most one version of a graph is active.",
    Rule.LIBRARY: "Graphs and entries of the library belong together.",
    Rule.SCHEDULE_GRAPH: "A schedule's graph is there.",
    Rule.PRESET_WEBHOOK: "A preset's webhook is there, its owner's, and named by a preset.",
    Rule.NOTICES: "A notice's status and its time agree.",
}
SCHEDULES_READABLE: Final = "A schedule's times can be read."
SCHEDULES_FIRE: Final = "Schedules fire when they should."
NOTICES_LEAVE: Final = "Notices leave when they should."
STOPS_END: Final = "A run that was told to stop ends within a minute."
RUNS_MOVE: Final = "Runs move, or wait for something that will come."


@dataclass(frozen=True, kw_only=True)
class Alive:
    """Which services work on the database now, and what the settings let them do."""

    executor: bool
    scheduler: bool
    notifications: bool
    slots: int
    dialect: Dialect = Dialect.POSIX


@dataclass(frozen=True, kw_only=True)
class Finding:
    """
    A rule, and what breaks it.

    Attributes:
        broken: The first `MOST_SHOWN` of them.
        count: How many there are.
    """

    rule: str
    broken: tuple[Broken, ...] = ()
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class StillNote:
    """A run that does not move, and why."""

    run: StillRun
    reason: str
    is_wrong: bool  #: nothing that will come by itself moves it


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found. *more* says that there are further runs that do not move."""

    findings: tuple[Finding, ...]
    still: tuple[StillNote, ...] = ()
    more: bool = False

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Return the rules that are broken."""
        return tuple(finding for finding in self.findings if finding.count)


def examine(
    records: Records, alive: Alive, *, now_us: int, step: Callable[[str], None] = lambda _: None
) -> Report:
    """
    Look at everything.

    Args:
        step: Told the sentence of each rule before it is looked at; there are `STEPS`.
    """
    findings: list[Finding] = []

    def look(rule: str, broken: Iterable[Broken]) -> None:
        step(rule)
        findings.append(_finding(rule, broken))

    for rule, sentence in SENTENCES.items():
        look(sentence, records.broken(rule))
    look(SCHEDULES_READABLE, _unreadable_schedules(records, alive.dialect))
    look(SCHEDULES_FIRE, _late_schedules(records, alive, now_us))
    look(NOTICES_LEAVE, _late_notices(records, alive, now_us))
    notes, more = _still(records, alive, now_us)
    look(STOPS_END, (_as_broken(note) for note in notes if note.is_wrong and note.run.stop_us))
    look(RUNS_MOVE, (_as_broken(note) for note in notes if note.is_wrong and not note.run.stop_us))
    return Report(findings=tuple(findings), still=tuple(notes), more=more)


#: How many rules are looked at.
STEPS: Final = len(SENTENCES) + 5


def _finding(rule: str, broken: Iterable[Broken]) -> Finding:
    rows = iter(broken)
    shown = tuple(islice(rows, MOST_SHOWN))
    return Finding(rule=rule, broken=shown, count=len(shown) + sum(1 for _ in rows))


def _as_broken(note: StillNote) -> Broken:
    return Broken(row=f"run {note.run.id}", detail=note.reason)


def _unreadable_schedules(records: Records, dialect: Dialect) -> Iterator[Broken]:
    for schedule in records.schedules():
        try:
            zone(schedule.timezone)
            Cron(schedule.cron, dialect)
        except BadRequest as exc:
            yield Broken(row=f"schedule {schedule.id}", detail=str(exc))


def _late_schedules(records: Records, alive: Alive, now_us: int) -> Iterator[Broken]:
    if not alive.scheduler:
        return  # they fire, by their policy, when it is there again
    for schedule in records.schedules():
        if schedule.next_us is not None and schedule.next_us < now_us - LATE_S * _SECOND_US:
            late = _seconds(now_us - schedule.next_us)
            yield Broken(row=f"schedule {schedule.id}", detail=f"it should have fired {late} ago")


def _late_notices(records: Records, alive: Alive, now_us: int) -> Iterator[Broken]:
    if not alive.notifications:
        return
    count = records.overdue_notices(before_us=now_us - LATE_S * _SECOND_US)
    if count:
        detail = f"{count} of them should have left over {_seconds(LATE_S * _SECOND_US)} ago"
        yield Broken(row="notices", detail=detail)


def _still(records: Records, alive: Alive, now_us: int) -> tuple[list[StillNote], bool]:
    # Without an executor nothing moves, however short it has been so.
    before_us = now_us - STILL_S * _SECOND_US if alive.executor else _ANY_TIME_US
    runs = records.still_runs(before_us=before_us, limit=MOST_RUNS + 1)
    taken = records.runs_at_work()
    notes = [_note(run, alive, taken, now_us) for run in runs[:MOST_RUNS]]
    return notes, len(runs) > MOST_RUNS


def _note(run: StillRun, alive: Alive, taken: int, now_us: int) -> StillNote:
    reason, is_wrong = _why(run, alive, taken, now_us)
    return StillNote(run=run, reason=reason, is_wrong=is_wrong)


def _why(run: StillRun, alive: Alive, taken: int, now_us: int) -> tuple[str, bool]:
    """Say why *run* does not move, and whether that is wrong."""
    if run.status is Status.REVIEW and run.stop_us is None:
        return "It waits for a person to decide.", False
    if not alive.executor:
        what = "stops" if run.stop_us is not None else "goes on"
        return f"No executor runs; it {what} when the server is started.", False
    if run.stop_us is not None:
        return _why_not_stopped(run, now_us)
    if run.status is Status.QUEUED:
        return _why_queued(run, alive, taken, now_us)
    return _why_running(run, now_us)


def _why_not_stopped(run: StillRun, now_us: int) -> tuple[str, bool]:
    since_us = now_us - run.stop_us if run.stop_us is not None else 0
    reason = f"It was told to stop {_seconds(since_us)} ago"
    if run.working:
        reason += f"; its node execution {run.working[0]} does not end"
    elif run.child is not None:
        reason += f"; run {run.child}, which it started, has not ended"
    return f"{reason}.", since_us > STILL_S * _SECOND_US


def _why_queued(run: StillRun, alive: Alive, taken: int, now_us: int) -> tuple[str, bool]:
    since = _seconds(now_us - run.created_us)
    if not run.has_graph:
        return f"Its graph is gone, and yet it has been queued for {since}.", True
    if not run.depth and taken >= alive.slots:
        return (
            f"It waits for a slot: all {alive.slots} (setting NUM_GRAPH_WORKERS) are taken.",
            False,
        )
    return f"It has been queued for {since}, though the executor has free slots.", True


def _why_running(run: StillRun, now_us: int) -> tuple[str, bool]:
    if run.working:
        since = _seconds(now_us - (run.working_since_us or run.updated_us))
        if run.child is not None:
            return f"It waits for run {run.child}, which it started {since} ago.", False
        return f"Its node execution {run.working[0]} has been running for {since}.", False
    lost = f" Its executor was lost {run.stalls} times at this point." if run.stalls else ""
    since = _seconds(now_us - run.updated_us)
    if run.waiting:
        return f"Nodes of it are queued, and none has run for {since}.{lost}", True
    return f"It runs, but none of its nodes runs or is queued, for {since}.{lost}", True


def _seconds(us: int) -> str:
    """Return a time as people say it."""
    seconds = max(0, us) // _SECOND_US
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"

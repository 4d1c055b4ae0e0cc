"""The doctor: which rules the rows break, and why runs do not move. Looks only; mending.py mends."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from backend.core.catalog import Catalog
from backend.core.cron import Dialect
from backend.core.errors import BadRequest
from backend.core.ids import ExecutionId
from backend.core.status import FINAL
from backend.ports.doctor import Broken, PlaceRule, Premises, Records, Rule
from backend.ports.why import EngineFacts
from backend.services.why import House, Why, explain
from backend.services.why_nodes import Cause, duration, said_time

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
    Rule.WHOLE: "The database file is whole.",
    Rule.TABLES: "All tables, columns and indexes are there.",
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
    Rule.JSON: "What is kept as JSON can be read.",
    Rule.GRAPH_BODIES: "Graphs can be read, and their links lead from node to node.",
    Rule.PARENTS: "A nested run's parent is there, and has the same root and owner.",
    Rule.ATTEMPTS: "A run that has begun has an attempt, and that has an owner.",
    Rule.QUEUE_NUMBERS: "Node executions of a run that were queued have a number each.",
    Rule.QUESTIONS_CLOSED: "No question of a run that has ended is open.",
    Rule.QUESTIONS_ASKED: "Who waits for a person has a question to answer.",
    Rule.QUESTION_RUN: "Questions and approvals belong to a run that is there.",
    Rule.FIRES: "Fires belong to a schedule that is there.",
    Rule.HOLDS: "What is paused is there.",
    Rule.VALUES: "Each large value of a row has its file.",
    Rule.BUDGETS: "Who waits for a budget is a node of a run that is there.",
    Rule.CHATS: "Messages belong to a session of the copilot, which counts them.",
    Rule.STEPS: "Steps belong to a node execution that is there.",
    Rule.AUDIT: "The audit log is as it was written, but for what retention has deleted.",
}
PLACES: Final[dict[PlaceRule, str]] = {
    PlaceRule.MODES: "Nobody but its owner may use what is in the data directory.",
    PlaceRule.WAL: "The database's -wal file is carried over in time.",
    PlaceRule.DISK: "The disk has room.",
    PlaceRule.FILES: "Each kept file has its facts beside it, and the size that they say.",
}
SCHEDULES_NEXT: Final = "A schedule's next fire is a time that it names."
SCHEDULES_READABLE: Final = "A schedule's times can be read."
SCHEDULES_FIRE: Final = "Schedules fire when they should."
NOTICES_LEAVE: Final = "Notices leave when they should."
NOTICES_ARRIVE: Final = "Letters reach those who are told."
JOBS_WORK: Final = "The server's own jobs did what they should, the last time."
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
    catalog: Catalog = field(default_factory=lambda: Catalog(()))  #: the blocks, for their names
    #: Asks the executor what it knows of runs; None where it does not answer.
    ask: Callable[[Sequence[ExecutionId]], EngineFacts | None] = lambda _: None


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
class Report:
    """What was found. *more* says that there are further runs that do not move."""

    findings: tuple[Finding, ...]
    still: tuple[Why, ...] = ()
    more: bool = False

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Return the rules that are broken."""
        return tuple(finding for finding in self.findings if finding.count)


def examine(
    records: Records,
    alive: Alive,
    *,
    now_us: int,
    step: Callable[[str], None] = lambda _: None,
    premises: Premises | None = None,
) -> Report:
    """
    Look at everything.

    Args:
        premises: The data directory around the rows; not looked at without it.
        step: Told the sentence of each rule before it is looked at; there are `STEPS`.
    """
    findings: list[Finding] = []

    def look(rule: str, broken: Iterable[Broken]) -> None:
        step(rule)
        findings.append(_finding(rule, broken))

    for rule, sentence in SENTENCES.items():
        look(sentence, records.broken(rule))
    for place, sentence in PLACES.items():
        look(sentence, () if premises is None else premises.broken(place))
    look(SCHEDULES_READABLE, unreadable_schedules(records, alive.dialect))
    look(SCHEDULES_NEXT, wrong_fires(records, alive.dialect, now_us))
    look(SCHEDULES_FIRE, _late_schedules(records, alive, now_us))
    look(NOTICES_LEAVE, _late_notices(records, alive, now_us))
    look(NOTICES_ARRIVE, _failed_notices(records))
    look(JOBS_WORK, records.failed_jobs())
    notes, more = _still(records, alive, now_us)
    look(STOPS_END, _wrong(notes, is_stopping=True))
    look(RUNS_MOVE, _wrong(notes, is_stopping=False))
    return Report(findings=tuple(findings), still=tuple(notes), more=more)


#: How many rules are looked at.
STEPS: Final = len(SENTENCES) + len(PLACES) + 8


def _finding(rule: str, broken: Iterable[Broken]) -> Finding:
    rows = iter(broken)
    shown = tuple(islice(rows, MOST_SHOWN))
    return Finding(rule=rule, broken=shown, count=len(shown) + sum(1 for _ in rows))


def _wrong(notes: Iterable[Why], *, is_stopping: bool) -> Iterator[Broken]:
    for note in notes:
        for reason in note.reasons:
            if reason.is_wrong and (reason.cause is Cause.STOPPING) is is_stopping:
                yield Broken(row=f"run {note.run_id}", detail=reason.text)


def unreadable_schedules(records: Records, dialect: Dialect) -> Iterator[Broken]:
    """Yield schedules that would fire, and whose times cannot be read."""
    for schedule in records.schedules():
        try:
            schedule.times(dialect)
        except BadRequest as exc:
            if schedule.paused_because is None:
                yield Broken(row=f"schedule {schedule.id}", detail=str(exc), key=schedule.id)


def wrong_fires(records: Records, dialect: Dialect, now_us: int) -> Iterator[Broken]:
    """Yield schedules whose next fire is none of their times, or that have none and should."""
    for schedule in records.schedules():
        try:
            times = schedule.times(dialect)
        except BadRequest:
            continue  # that is another rule's
        name = f"schedule {schedule.id}"
        if schedule.next_us is None:
            if schedule.paused_because is None and times.next_fire(now_us) is not None:
                yield Broken(row=name, detail="it never fires, and is not paused", key=schedule.id)
        elif times.next_fire(schedule.next_us - _SECOND_US) != schedule.next_us:
            at = said_time(schedule.next_us)
            yield Broken(row=name, detail=f"it would fire {at}", key=schedule.id)


def _late_schedules(records: Records, alive: Alive, now_us: int) -> Iterator[Broken]:
    if not alive.scheduler:
        return  # they fire, by their policy, when it is there again
    for schedule in records.late_schedules(before_us=now_us - LATE_S * _SECOND_US):
        late = duration(now_us - (schedule.next_us or now_us))
        yield Broken(row=f"schedule {schedule.id}", detail=f"it should have fired {late} ago")


def _late_notices(records: Records, alive: Alive, now_us: int) -> Iterator[Broken]:
    if not alive.notifications:
        return
    count = records.overdue_notices(before_us=now_us - LATE_S * _SECOND_US)
    if count:
        detail = f"{count} of them should have left over {duration(LATE_S * _SECOND_US)} ago"
        yield Broken(row="notices", detail=detail)


def _failed_notices(records: Records) -> Iterator[Broken]:
    failed = records.failed_notices()
    if failed.count:
        detail = (
            f"{failed.count} were given up, the last one because: {failed.error[:300]}; see `agpt "
            "notices list --status failed`, then `agpt notices retry --failed` or `drop --failed`"
        )
        yield Broken(row="notices", detail=detail)
    if failed.addresses:
        detail = (
            f"{failed.addresses} accounts have an address that refuses letters; they get none: see "
            "`agpt notices bounces`"
        )
        yield Broken(row="mail addresses", detail=detail)


def _still(records: Records, alive: Alive, now_us: int) -> tuple[list[Why], bool]:
    # Without an executor nothing moves, however short it has been so.
    before_us = now_us - STILL_S * _SECOND_US if alive.executor else _ANY_TIME_US
    ids = records.still_runs(before_us=before_us, limit=MOST_RUNS + 1)
    shown = ids[:MOST_RUNS]
    asked = [one for run_id in shown for one in records.runs.family(run_id)]
    house = House(
        executor=alive.executor,
        slots=alive.slots,
        catalog=alive.catalog,
        facts=alive.ask(asked) if asked and alive.executor else None,
        now_us=now_us,
    )
    runs = (records.runs.run(run_id) for run_id in shown)
    # One that has ended since it was found moves all right.
    notes = [explain(records.runs, run, house) for run in runs if run and run.status not in FINAL]
    return notes, len(ids) > MOST_RUNS

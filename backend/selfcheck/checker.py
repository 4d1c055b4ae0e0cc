"""Whether a history keeps what the server promises. Pure: no process, no file, no clock."""

from collections.abc import Iterator
from itertools import pairwise

from backend.selfcheck.checker_calls import check_calls
from backend.selfcheck.checker_events import check_events
from backend.selfcheck.checker_outcomes import check_outcomes
from backend.selfcheck.history import History, RunRow
from backend.selfcheck.rules import FINAL, Rule, Violation, may_become, short


def check(history: History) -> list[Violation]:
    """Return all that breaks a rule in *history*; nothing: it is as it must be."""
    return [
        *_check_lost(history),
        *_check_statuses(history),
        *check_outcomes(history),
        *_check_redone(history),
        *check_calls(history),
        *check_events(history),
        *(Violation(rule=Rule.DOCTOR, detail=one) for one in history.broken),
        *(Violation(rule=Rule.DEFECTS, detail=one) for one in history.defects),
        *(Violation(rule=Rule.LEFT, detail=one) for one in history.left),
        *(Violation(rule=Rule.SERVER, detail=one) for one in history.surprises),
    ]


def _check_lost(history: History) -> Iterator[Violation]:
    for run_id, detail in (*_missing(history), *_unended(history), *_unheard(history)):
        yield Violation(rule=Rule.LOST, run=run_id, detail=detail)


def _missing(history: History) -> Iterator[tuple[str, str]]:
    for one in history.accepted:
        if one.run_id not in history.runs:
            yield one.run_id, "it is not in the database"
    for run_id, rows in history.seen_runs.items():
        if rows and run_id not in history.runs:
            yield run_id, "it was there, and is not any more"


def _unended(history: History) -> Iterator[tuple[str, str]]:
    for run in history.runs.values():
        if run.status not in FINAL:
            yield run.id, f"it is {run.status} at the end"


def _unheard(history: History) -> Iterator[tuple[str, str]]:
    for run in history.runs.values():
        if run.parent_id is None and run.id not in history.answers:
            yield run.id, "REST was not asked for it"
    for run_id, answer in history.answers.items():
        if not answer.ok:
            yield run_id, f"REST answers {answer.http_status} when it is asked for it"


def _check_statuses(history: History) -> Iterator[Violation]:
    for run_id, seen in history.seen_runs.items():
        last = history.runs.get(run_id)
        rows = [*seen, *([] if last is None else [last])]
        for before, after in pairwise(rows):
            yield from _step_violations(before, after)
    for run_id, answer in history.answers.items():
        run = history.runs.get(run_id)
        if run is not None and answer.ok and answer.status != run.status:
            detail = f"REST says {answer.status}, the database {run.status}"
            yield Violation(rule=Rule.STATUS, run=run_id, detail=detail)


def _step_violations(before: RunRow, after: RunRow) -> Iterator[Violation]:
    if not may_become(before.status, after.status):
        detail = f"it was {before.status} and is {after.status}"
        yield Violation(rule=Rule.STATUS, run=after.id, detail=detail)
    if before.ended_us is not None and after.ended_us != before.ended_us:
        detail = f"it had ended at {before.ended_us}, and then at {after.ended_us}"
        yield Violation(rule=Rule.STATUS, run=after.id, detail=detail)
    if before.owner and after.owner != before.owner and after.attempt <= before.attempt:
        detail = (
            f"it was at {before.owner} and is at {after.owner}, both at attempt {after.attempt}"
        )
        yield Violation(rule=Rule.STATUS, run=after.id, detail=detail)
    for what in ("revision", "attempt"):
        earlier, later = getattr(before, what), getattr(after, what)
        if later < earlier:
            detail = f"its {what} was {earlier} and is {later}"
            yield Violation(rule=Rule.STATUS, run=after.id, detail=detail)


def _check_redone(history: History) -> Iterator[Violation]:
    for place, seen in history.seen_nodes.items():
        now = history.nodes.get(place)
        if now is None:
            detail = f"node execution {seen.ordinal} was {seen.status}, and is not there any more"
            yield Violation(rule=Rule.REDONE, run=seen.run_id, detail=detail)
            continue
        changed = [
            f"{name} was {short(earlier)} and is {short(later)}"
            for name in ("id", "status", "outputs", "error", "start_us", "end_us")
            if (earlier := getattr(seen, name)) != (later := getattr(now, name))
        ]
        if changed:
            detail = f"node execution {seen.ordinal}: {'; '.join(changed)}"
            yield Violation(rule=Rule.REDONE, run=seen.run_id, detail=detail)

"""Mends what the doctor found, as far as that is certainly right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from backend.core.errors import Conflict
from backend.ports.doctor import Mender, PlaceRule, Premises, Records, Rule
from backend.services.doctor import (
    PLACES,
    SCHEDULES_NEXT,
    SCHEDULES_READABLE,
    SENTENCES,
    Alive,
    Report,
    unreadable_schedules,
    wrong_fires,
)

#: What keeps a repair from being made.
NO_REPAIR: Final = "no repair is certainly right: a person must look"
SERVER_RUNS: Final = "it is mended only while no server runs: `agpt stop` first"


@dataclass(frozen=True, kw_only=True)
class Mended:
    """
    What became of a broken rule.

    Attributes:
        done: What was done, a sentence each.
        why_not: Why nothing was, if so.
    """

    rule: str
    done: tuple[str, ...] = ()
    why_not: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tools:
    """
    What mends.

    Attributes:
        is_alone: Whether no server uses the data directory.
        is_trial: Everything is tried and said, and nothing kept.
    """

    records: Records
    mender: Mender
    premises: Premises
    alive: Alive
    is_alone: bool
    is_trial: bool
    now_us: int


def mend(report: Report, tools: Tools) -> list[Mended]:
    """Mend what *report* says is broken; say what was done, and what was not."""
    return [_mended(finding.rule, tools) for finding in report.broken]


def _mended(sentence: str, tools: Tools) -> Mended:
    rule, place = _RULES.get(sentence), _PLACES.get(sentence)
    if rule is not None:
        needs_alone = tools.mender.needs_alone(rule)
    elif place is not None:
        needs_alone = tools.premises.needs_alone(place)
    else:
        needs_alone = False if sentence in (SCHEDULES_READABLE, SCHEDULES_NEXT) else None
    if needs_alone is None:
        return Mended(rule=sentence, why_not=NO_REPAIR)
    if needs_alone and not tools.is_alone:
        return Mended(rule=sentence, why_not=SERVER_RUNS)
    if rule is not None:
        try:
            done = tools.mender.mend(rule, now_us=tools.now_us, is_trial=tools.is_trial)
        except Conflict as exc:
            return Mended(rule=sentence, why_not=str(exc))
    elif place is not None:
        done = tools.premises.mend(place, is_trial=tools.is_trial)
    else:
        done = list(_schedules(sentence, tools))
    return Mended(rule=sentence, done=tuple(done), why_not=None if done else NO_REPAIR)


def _schedules(sentence: str, tools: Tools) -> Iterator[str]:
    dialect, trial = tools.alive.dialect, tools.is_trial
    if sentence == SCHEDULES_READABLE:
        unreadable = {one.key: one.detail for one in unreadable_schedules(tools.records, dialect)}
        for schedule in [one for one in tools.records.schedules() if one.id in unreadable]:
            reason = unreadable[schedule.id]
            if tools.mender.pause_schedule(schedule, reason, is_trial=trial):
                yield f"schedule {schedule.id} was paused"
        return
    wrong = {broken.key for broken in wrong_fires(tools.records, dialect, tools.now_us)}
    for schedule in [one for one in tools.records.schedules() if one.id in wrong]:
        next_us = schedule.times(dialect).next_fire(tools.now_us)
        if next_us is not None and tools.mender.set_next(schedule, next_us, is_trial=trial):
            yield f"schedule {schedule.id} fires next when it should"


_RULES: Final[Mapping[str, Rule]] = {sentence: rule for rule, sentence in SENTENCES.items()}
_PLACES: Final[Mapping[str, PlaceRule]] = {sentence: rule for rule, sentence in PLACES.items()}

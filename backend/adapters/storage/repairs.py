"""What may be mended of a database without losing anything: a transaction a rule.

Rows that belong to nothing are written to a file first, and only then deleted. What is not here
has no repair that is certainly right: a person must look.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Connection, exists, func, insert, select, text, update

from backend.adapters.database_place import Place
from backend.adapters.storage import audit, repair_transactions
from backend.adapters.storage.doctor_more import MORE_LOOKS
from backend.adapters.storage.doctor_rules import FINISHED, LOOKS
from backend.adapters.storage.repair_words import ALONE, STEPS, Aside, Step
from backend.adapters.storage.schema import metadata
from backend.adapters.storage.tables import (
    executions,
    graphs,
    library_agents,
    node_executions,
    schedules,
)
from backend.core import json
from backend.core.ids import derived_id
from backend.core.records import Timetable
from backend.ports.audit import current
from backend.ports.doctor import Rule

T = TypeVar("T")

_E: Final = executions.c
_N: Final = node_executions.c
_G: Final = graphs.c
_L: Final = library_agents.c
_S: Final = schedules.c


class SqlMender:
    """See backend.ports.doctor.Mender."""

    def __init__(self, place: Place, aside: Path) -> None:
        """
        Take the database at *place*.

        Args:
            aside: The file to which rows go before they are deleted; made when there is one.
        """
        self._place = place
        self._aside = aside

    def needs_alone(self, rule: Rule) -> bool | None:
        if rule not in STEPS and rule not in _WORKS:
            return None
        return rule in ALONE

    def mend(self, rule: Rule, *, now_us: int, is_trial: bool) -> list[str]:
        aside = repair_transactions.Aside(self._aside)
        return self._in_transaction(
            lambda connection: _recorded(
                connection, rule.value, _mended(connection, rule, aside, now_us)
            ),
            aside,
            is_trial=is_trial,
            alone=rule in ALONE,
        )

    def pause_schedule(self, schedule: Timetable, reason: str, *, is_trial: bool) -> bool:
        return self._set_schedule(schedule, None, reason, is_trial=is_trial)

    def set_next(self, schedule: Timetable, next_us: int, *, is_trial: bool) -> bool:
        return self._set_schedule(schedule, next_us, None, is_trial=is_trial)

    def _set_schedule(
        self, schedule: Timetable, next_us: int | None, reason: str | None, *, is_trial: bool
    ) -> bool:
        # As it was when it was looked at: its owner may have changed it since, or it has fired.
        is_same = (
            _S.id == schedule.id,
            _S.cron == schedule.cron,
            _S.timezone == schedule.timezone,
            _S.next_us.is_not_distinct_from(schedule.next_us),
            _S.paused_because.is_not_distinct_from(schedule.paused_because),
        )
        query = update(schedules).where(*is_same).values(next_us=next_us, paused_because=reason)

        def work(connection: Connection) -> list[str]:
            changed = connection.execute(query).rowcount
            return _recorded(connection, schedule.id, iter([schedule.id] * changed))

        aside = repair_transactions.Aside(self._aside)
        return bool(self._in_transaction(work, aside, is_trial=is_trial, alone=False))

    def _in_transaction(
        self,
        work: Callable[[Connection], T],
        aside: repair_transactions.Aside,
        *,
        is_trial: bool,
        alone: bool,
    ) -> T:
        place = self._place
        with repair_transactions.told(place):
            if place.url:
                return repair_transactions.in_postgres(
                    place.url, work, aside, is_trial=is_trial, alone=alone
                )
            return repair_transactions.in_sqlite(place.path, work, aside, is_trial=is_trial)


def _recorded(connection: Connection, object_id: str, done: Iterator[str]) -> list[str]:
    """Return what was *done*, with its row in the audit log."""
    said, recording = list(done), current()
    if said and recording is not None:
        audit.append(connection, recording.entry(object_id=object_id))
    return said


def _mended(
    connection: Connection, rule: Rule, aside: repair_transactions.Aside, now_us: int
) -> Iterator[str]:
    work = _WORKS.get(rule)
    if work is not None:
        yield from work(connection)
    for step in STEPS.get(rule, ()):
        count = _taken(connection, step, aside) if isinstance(step, Aside) else 0
        if isinstance(step, Step):
            count = connection.execute(text(step.statement), _known(step, now_us)).rowcount
        if count:
            yield step.words.format(n=count)


def _known(step: Step, now_us: int) -> dict[str, int]:
    return {"now": now_us} if ":now" in step.statement else {}


def _taken(connection: Connection, step: Aside, aside: repair_transactions.Aside) -> int:
    """Delete the rows that *step* names, and keep what they hold; return how many."""
    found = connection.exec_driver_sql(
        f"SELECT * FROM {step.table} WHERE {step.where}"  # noqa: S608 - names of ours
    ).mappings()
    kept = [json.dumps({"table": step.table, "row": dict(row)}) for row in found]
    if kept:
        aside.add(kept)
        connection.exec_driver_sql(f"DELETE FROM {step.table} WHERE {step.where}")  # noqa: S608
    return len(kept)


def _mend_stats(connection: Connection) -> Iterator[str]:
    """Count the finished node executions anew; the other figures stay where they can be read."""
    for broken in list(LOOKS[Rule.STATS](connection)):
        is_it = _E.id == broken.key
        stats = _object(connection.execute(select(_E.stats).where(is_it)).scalar_one())
        finished = select(func.count()).where(_N.run_id == broken.key, FINISHED)
        stats["node_count"] = int(connection.execute(finished).scalar_one())
        connection.execute(update(executions).where(is_it).values(stats=json.text(stats)))
        yield f"the node executions of run {broken.key} were counted again"


def _object(stored: str | None) -> dict[str, Any]:
    """Return statistics as they are stored, or those of a run that did nothing."""
    try:
        found = json.loads(stored or "")
    except json.NotJson:
        found = None
    return found if isinstance(found, dict) else dict(_NO_STATS)


_NO_STATS: Final[dict[str, Any]] = {
    **dict.fromkeys(("cost", "node_count", "node_error_count"), 0),
    **dict.fromkeys(("duration_s", "cpu_s", "node_time_s", "node_cpu_s"), 0.0),
    "error": None,
}


def _mend_indexes(connection: Connection) -> Iterator[str]:
    for broken in list(MORE_LOOKS[Rule.TABLES](connection)):
        for table in metadata.sorted_tables:
            for index in table.indexes:
                if broken.detail == f"index {index.name} is not there":
                    index.create(connection)
                    yield f"the index {index.name} was made"


def _mend_whole(connection: Connection) -> Iterator[str]:
    """Make the indexes anew, where they are all that is wrong: the rows have everything in them."""
    found = [broken.detail for broken in MORE_LOOKS[Rule.WHOLE](connection)]
    if found and all("index" in one for one in found):
        connection.exec_driver_sql("REINDEX")
        if not list(MORE_LOOKS[Rule.WHOLE](connection)):
            yield "the indexes were made anew"


def _mend_library(connection: Connection) -> Iterator[str]:
    has_entry = exists().where(_L.graph_id == _G.id, _L.user_id == _G.user_id)
    missing = select(
        _G.id,
        _G.user_id,
        func.max(_G.version).label("version"),
        func.min(_G.created_us).label("created_us"),
    ).where(~has_entry)
    for row in connection.execute(missing.group_by(_G.id, _G.user_id)).all():
        connection.execute(
            insert(library_agents).values(
                id=derived_id("library", row.user_id, row.id),
                user_id=row.user_id,
                graph_id=row.id,
                graph_version=row.version,
                created_us=row.created_us,
                updated_us=row.created_us,
            )
        )
        yield f"graph {row.id} was entered into the library"


_Work: TypeAlias = Callable[[Connection], Iterator[str]]
_WORKS: Final[Mapping[Rule, _Work]] = {
    Rule.STATS: _mend_stats,
    Rule.TABLES: _mend_indexes,
    Rule.WHOLE: _mend_whole,
    Rule.LIBRARY: _mend_library,
}

"""What may be mended of a database without losing anything: a transaction a rule.

Rows that belong to nothing are written to a file first, and only then deleted. What is not here
has no repair that is certainly right: a person must look.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from backend.adapters.storage import audit
from backend.adapters.storage.doctor_more import MORE_LOOKS
from backend.adapters.storage.doctor_rules import LOOKS
from backend.adapters.storage.repair_words import ALONE, STEPS, Aside, Step
from backend.adapters.storage.schema import metadata
from backend.core import json
from backend.core.errors import Unavailable
from backend.core.ids import derived_id
from backend.ports.audit import current
from backend.ports.doctor import Rule

_BUSY_S: Final = 10.0


class SqlMender:
    """See backend.ports.doctor.Mender."""

    def __init__(self, path: Path, aside: Path) -> None:
        """
        Take the database at *path*.

        Args:
            aside: The file to which rows go before they are deleted; made when there is one.
        """
        self._path = path
        self._aside = aside

    def needs_alone(self, rule: Rule) -> bool | None:
        if rule not in STEPS and rule not in _WORKS:
            return None
        return rule in ALONE

    def mend(self, rule: Rule, *, now_us: int, is_trial: bool) -> list[str]:
        aside: list[bytes] = []
        done: list[str] = self._in_transaction(
            lambda connection: _recorded(
                connection, rule, _mended(connection, rule, aside, now_us)
            ),
            aside,
            is_trial,
        )
        return done

    def pause_schedule(self, schedule_id: str, reason: str, *, is_trial: bool) -> None:
        self._set_schedule(schedule_id, {"next": None, "reason": reason}, is_trial=is_trial)

    def set_next(self, schedule_id: str, next_us: int, *, is_trial: bool) -> None:
        self._set_schedule(schedule_id, {"next": next_us, "reason": None}, is_trial=is_trial)

    def _set_schedule(self, schedule_id: str, values: dict[str, Any], *, is_trial: bool) -> None:
        query = text(
            "UPDATE schedules SET next_us = :next, paused_because = :reason WHERE id = :id"
        )
        self._in_transaction(
            lambda connection: connection.execute(query, {**values, "id": schedule_id}).rowcount,
            [],
            is_trial,
        )

    def _in_transaction(
        self,
        work: Callable[[Connection], Any],
        aside: list[bytes],
        is_trial: bool,  # noqa: FBT001
    ) -> Any:
        engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",  # begun and ended by hand, below
            connect_args={"timeout": _BUSY_S},
        )
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA synchronous=FULL")
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    result = work(connection)
                    if aside and not is_trial:
                        _append(self._aside, aside)
                except BaseException:
                    connection.exec_driver_sql("ROLLBACK")
                    raise
                connection.exec_driver_sql("ROLLBACK" if is_trial else "COMMIT")
                return result
        except DatabaseError as exc:
            raise Unavailable(f"The database {self._path} cannot be mended: {exc.orig}.") from exc
        finally:
            engine.dispose()


def _recorded(connection: Connection, rule: Rule, done: Iterator[str]) -> list[str]:
    """Return what was *done*, with its row in the audit log."""
    said, recording = list(done), current()
    if said and recording is not None:
        audit.append(connection, recording.entry(object_id=rule.value))
    return said


def _mended(connection: Connection, rule: Rule, aside: list[bytes], now_us: int) -> Iterator[str]:
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


def _taken(connection: Connection, step: Aside, aside: list[bytes]) -> int:
    """Delete the rows that *step* names, and keep what they hold; return how many."""
    found = connection.exec_driver_sql(
        f"SELECT * FROM {step.table} WHERE {step.where}"  # noqa: S608 - names of ours
    ).mappings()
    kept = [json.dumps({"table": step.table, "row": dict(row)}) for row in found]
    if kept:
        aside += kept
        connection.exec_driver_sql(f"DELETE FROM {step.table} WHERE {step.where}")  # noqa: S608
    return len(kept)


def _append(path: Path, lines: list[bytes]) -> None:
    """Put *lines* on disk, for the owner alone."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.writelines(line + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _mend_stats(connection: Connection) -> Iterator[str]:
    """Count the finished node executions anew; the other figures stay where they can be read."""
    for broken in list(LOOKS[Rule.STATS](connection)):
        connection.execute(
            text(
                "UPDATE executions SET stats = json_set("
                " CASE WHEN json_valid(stats) AND json_type(stats) = 'object' THEN stats"
                " ELSE :empty END, '$.node_count', (SELECT count(*) FROM node_executions"
                " WHERE run_id = :id AND (status = 'COMPLETED'"
                " OR (status = 'FAILED' AND error IS NOT NULL)))) WHERE id = :id"
            ),
            {"id": broken.key, "empty": _NO_STATS},
        )
        yield f"the node executions of run {broken.key} were counted again"


_NO_STATS: Final = json.text(
    {
        **dict.fromkeys(("cost", "node_count", "node_error_count"), 0),
        **dict.fromkeys(("duration_s", "cpu_s", "node_time_s", "node_cpu_s"), 0.0),
        "error": None,
    }
)


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
    missing = connection.exec_driver_sql(
        "SELECT id, user_id, max(version) AS version, min(created_us) AS created_us FROM graphs g"
        " WHERE NOT EXISTS (SELECT 1 FROM library_agents"
        " WHERE graph_id = g.id AND user_id = g.user_id) GROUP BY id, user_id"
    ).all()
    for row in missing:
        connection.exec_driver_sql(
            "INSERT INTO library_agents (id, user_id, graph_id, graph_version, created_us,"
            " updated_us) VALUES (?, ?, ?, ?, ?, ?)",
            (
                derived_id("library", row.user_id, row.id),
                row.user_id,
                row.id,
                row.version,
                row.created_us,
                row.created_us,
            ),
        )
        yield f"graph {row.id} was entered into the library"


_Work: TypeAlias = Callable[[Connection], Iterator[str]]
_WORKS: Final[Mapping[Rule, _Work]] = {
    Rule.STATS: _mend_stats,
    Rule.TABLES: _mend_indexes,
    Rule.WHOLE: _mend_whole,
    Rule.LIBRARY: _mend_library,
}

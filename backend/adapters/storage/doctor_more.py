"""More of doctor_rules.py: what ties runs to each other and to questions, and the file itself."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, inspect, or_, select, text

from backend.adapters.storage import packed, rows
from backend.adapters.storage.doctor_audit import broken_chain
from backend.adapters.storage.doctor_rules import on_its_way_out
from backend.adapters.storage.tables import (
    approved_nodes,
    executions,
    graphs,
    holds,
    metadata,
    node_executions,
    reviews,
    schedule_fires,
    schedules,
)
from backend.adapters.storage.tables_budgets import budget_waits
from backend.adapters.storage.tables_chat import chat_messages, chats
from backend.adapters.storage.tables_node_steps import node_steps
from backend.core import json
from backend.core.records import HoldKind
from backend.core.reviews import ReviewStatus
from backend.core.status import FINAL, Status
from backend.ports.doctor import Broken, Rule

_E: Final = executions.c
_N: Final = node_executions.c
_R: Final = reviews.c
_A: Final = approved_nodes.c
_F: Final = schedule_fires.c
_H: Final = holds.c
_T: Final = node_steps.c
_C: Final = chats.c
_CM: Final = chat_messages.c
_W: Final = budget_waits.c
_FINAL: Final = tuple(sorted(status.value for status in FINAL))
_REVIEW: Final = Status.REVIEW.value
_WAITING: Final = ReviewStatus.WAITING.value
#: Of what SQLite finds wrong, so much is read.
_MOST_WRONG: Final = 100

_UP: Final = executions.alias("up")
_PARENTS: Final = (
    select(_E.id, _E.depth, _E.root_id, _E.parent_id, _UP.c.id.label("found"))
    .outerjoin(_UP, _UP.c.id == _E.parent_id)
    .where(
        or_(
            and_(_E.parent_id.is_(None), or_(_E.depth != 0, _E.root_id != _E.id)),
            # Of two that have ended, retention may take the parent first.
            and_(_E.parent_id.is_not(None), _UP.c.id.is_(None), _E.status.not_in(_FINAL)),
            _E.depth != _UP.c.depth + 1,
            _E.root_id != _UP.c.root_id,
            _E.user_id != _UP.c.user_id,
        )
    )
)
_HAS_NODES: Final = exists().where(_N.run_id == _E.id)
_ATTEMPTS: Final = select(_E.id, _E.attempt, _E.owner, _E.revision, _E.claim_revision).where(
    or_(
        _E.attempt < 0,
        and_(_E.attempt == 0, or_(_E.owner.is_not(None), _HAS_NODES)),
        and_(_E.attempt > 0, _E.owner.is_(None)),
        _E.claim_revision > _E.revision,
        _E.stalls < 0,
        and_(_E.parked.is_not(None), _E.status != Status.TERMINATED.value),
    )
)
_QUEUE_TWICE: Final = (
    select(_N.run_id, _N.queue_no, func.count().label("executions"))
    .where(_N.queue_no.is_not(None))
    .group_by(_N.run_id, _N.queue_no)
    .having(func.count() > 1)
)
_QUEUE_NONE: Final = select(_N.run_id, _N.ordinal).where(
    _N.queue_us.is_not(None), _N.queue_no.is_(None)
)
_OPEN_QUESTIONS: Final = (
    select(_R.node_exec_id, _E.id, _E.status)
    .join(executions, _E.id == _R.run_id)
    .where(_R.status == _WAITING, _E.status.in_(_FINAL))
)
_NOT_ASKED: Final = select(_E.id).where(
    _E.status == _REVIEW,
    ~exists().where(_R.run_id == _E.id, _R.status == _WAITING),
    ~exists().where(_W.run_id == _E.id),
)
_NO_QUESTION: Final = (
    select(_N.run_id, _N.ordinal)
    .join(executions, _E.id == _N.run_id)
    .where(
        _N.status == _REVIEW,
        _E.status == _REVIEW,  # else it may have waited for a budget that has room again
        ~exists().where(_R.node_exec_id == _N.id),
        ~exists().where(_W.run_id == _N.run_id, _W.node_exec_id == _N.id),
    )
)
_LONE_QUESTIONS: Final = select(_R.node_exec_id, _R.run_id).where(
    ~exists().where(_E.id == _R.run_id), ~on_its_way_out(_R.run_id)
)
_LONE_APPROVALS: Final = select(_A.run_id, _A.node_id).where(
    ~exists().where(_E.id == _A.run_id), ~on_its_way_out(_A.run_id)
)
_LONE_FIRES: Final = (
    select(_F.schedule_id, func.count().label("fires"))
    .where(~exists().where(schedules.c.id == _F.schedule_id))
    .group_by(_F.schedule_id)
)
_LONE_HOLDS: Final = select(_H.kind, _H.id).where(
    or_(
        and_(_H.kind == HoldKind.RUN.value, ~exists().where(_E.id == _H.id)),
        and_(_H.kind == HoldKind.GRAPH.value, ~exists().where(graphs.c.id == _H.id)),
    )
)

_LONE_WAITS: Final = select(_W.run_id, _W.node_exec_id).where(
    ~exists().where(_E.id == _W.run_id), ~on_its_way_out(_W.run_id)
)
_LONE_STEPS: Final = (
    select(_T.run_id, _T.node_exec_id, func.count().label("steps"))
    .where(~exists().where(_N.run_id == _T.run_id, _N.id == _T.node_exec_id))
    .where(~on_its_way_out(_T.run_id))
    .group_by(_T.run_id, _T.node_exec_id)
)

_LONE_MESSAGES: Final = (
    select(_CM.chat_id, func.count().label("messages"))
    .where(~exists().where(_C.id == _CM.chat_id))
    .group_by(_CM.chat_id)
)
_COUNTED: Final = (
    select(func.coalesce(func.max(_CM.number) + 1, 0)).where(_CM.chat_id == _C.id).scalar_subquery()
)
_MISCOUNTED: Final = select(_C.id, _C.messages, _COUNTED.label("found")).where(
    _C.messages != _COUNTED
)

#: See doctor_rules.QUERIES.
MORE_QUERIES: Final[Mapping[Rule, tuple[tuple[Select[Any], str, str], ...]]] = {
    Rule.PARENTS: (
        (_PARENTS, "run {id}", "depth {depth}, root {root_id}, started by {parent_id} ({found})"),
    ),
    Rule.ATTEMPTS: (
        (
            _ATTEMPTS,
            "run {id}",
            "attempt {attempt} of {owner}, begun at revision {claim_revision}, now at {revision}",
        ),
    ),
    Rule.QUEUE_NUMBERS: (
        (_QUEUE_TWICE, "run {run_id}", "{executions} node executions have number {queue_no}"),
        (_QUEUE_NONE, "node execution {ordinal} of run {run_id}", "queued, and has no number"),
    ),
    Rule.QUESTIONS_CLOSED: (
        (_OPEN_QUESTIONS, "review {node_exec_id}", "it waits, but run {id} is {status}"),
    ),
    Rule.QUESTIONS_ASKED: (
        (_NOT_ASKED, "run {id}", "it waits for a person, and no question of it is open"),
        (
            _NO_QUESTION,
            "node execution {ordinal} of run {run_id}",
            "it waits for a person, and there is no question",
        ),
    ),
    Rule.QUESTION_RUN: (
        (_LONE_QUESTIONS, "review {node_exec_id}", "run {run_id} is not there"),
        (_LONE_APPROVALS, "approval of node {node_id}", "run {run_id} is not there"),
    ),
    Rule.FIRES: (
        (_LONE_FIRES, "schedule {schedule_id}", "it is not there, but {fires} fires are"),
    ),
    Rule.STEPS: (
        (
            _LONE_STEPS,
            "node execution {node_exec_id} of run {run_id}",
            "it is not there, but {steps} steps of it are",
        ),
    ),
    Rule.BUDGETS: (
        (_LONE_WAITS, "wait of node execution {node_exec_id}", "run {run_id} is not there"),
    ),
    Rule.CHATS: (
        (_LONE_MESSAGES, "session {chat_id}", "it is not there, but {messages} messages of it are"),
        (_MISCOUNTED, "session {id}", "it counts {messages} messages, and there are {found}"),
    ),
    Rule.HOLDS: ((_LONE_HOLDS, "pause of {kind} {id}", "it is not there"),),
}

#: Columns that hold JSON, and what names a row of their tables.
_JSON: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("executions", "id", ("inputs", "credential_inputs", "masks", "skipped")),
    ("schedules", "id", ("inputs", "credentials", "rules")),
    ("presets", "id", ("inputs", "credentials")),
    ("webhooks", "id", ("events", "config")),
    ("library_agents", "id", ("settings",)),
    ("users", "id", ("preferences",)),
    ("notices", "id", ("data",)),
    ("key_values", "key", ("value",)),
    ("node_steps", "run_id", ("result",)),
    ("chat_messages", "chat_id", ("body",)),
)


def _unreadable_json(connection: Connection) -> Iterator[Broken]:
    for table, key, columns in _JSON:
        for column in columns:
            for name in _no_json(connection, table, key, column):
                yield Broken(row=f"{table} {name}", detail=f"{column} is no JSON")


def _no_json(connection: Connection, table: str, key: str, column: str) -> Iterator[Any]:
    if connection.dialect.name == "sqlite":
        query = (
            f"SELECT {key} FROM {table}"  # noqa: S608 - names of ours
            f" WHERE {column} IS NOT NULL AND NOT json_valid(ltrim({column}, '{packed.MARK}'))"
        )
        yield from connection.execute(text(query)).scalars()
        return
    # PostgreSQL cannot be asked before its version 16.
    every = text(f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608
    for name, value in connection.execute(every, execution_options={"yield_per": 500}):
        try:
            json.loads(value.lstrip(packed.MARK))
        except json.NotJson:
            yield name


def _graph_bodies(connection: Connection) -> Iterator[Broken]:
    """Yield graphs that cannot be read, or whose links lead nowhere."""
    for row in connection.execute(select(graphs)).yield_per(100):
        name = f"graph {row.id} version {row.version}"
        try:
            graph = rows.graph_record(row)
        except (json.NotJson, KeyError, TypeError, AttributeError) as exc:
            yield Broken(row=name, detail=f"it cannot be read: {exc!r}")
            continue
        there = {node.id for node in graph.nodes}
        for link in graph.links:
            if not {link.source_id, link.sink_id} <= there:
                yield Broken(row=name, detail=f"link {link.id} leads to a node that is not there")


def _tables(connection: Connection) -> Iterator[Broken]:
    """Yield tables, columns and indexes that are not there."""
    found = inspect(connection)
    there = set(found.get_table_names())
    # All at once: a question a table would be a hundred of them.
    names = [table.name for table in metadata.sorted_tables if table.name in there]
    every = found.get_multi_columns(filter_names=names)
    made = found.get_multi_indexes(filter_names=names)
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield Broken(row=f"table {table.name}", detail="it is not there")
            continue
        columns = {column["name"] for column in every[(None, table.name)]}
        for column in table.columns:
            if column.name not in columns:
                yield Broken(row=f"table {table.name}", detail=f"column {column.name} is not there")
        indexes = {index["name"] for index in made.get((None, table.name), ())}
        for index in sorted(str(index.name) for index in table.indexes):
            if index not in indexes:
                yield Broken(row=f"table {table.name}", detail=f"index {index} is not there")


def _whole(connection: Connection) -> Iterator[Broken]:
    if connection.dialect.name != "sqlite":
        return  # PostgreSQL has checksums of its own, where its operator wants them
    for found in connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST_WRONG})").scalars():
        if found != "ok":
            yield Broken(row="database", detail=f"SQLite finds: {found}")


#: See doctor_rules.LOOKS.
MORE_LOOKS: Final[Mapping[Rule, Callable[[Connection], Iterator[Broken]]]] = {
    Rule.WHOLE: _whole,
    Rule.TABLES: _tables,
    Rule.GRAPH_BODIES: _graph_bodies,
    Rule.JSON: _unreadable_json,
    Rule.AUDIT: broken_chain,
}

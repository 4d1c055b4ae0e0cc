"""The rules that all rows obey, as queries for those that break one. Read by doctor.py beside it."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, func, or_, select

from backend.adapters.storage import packed
from backend.adapters.storage.doctor_values import lost_values
from backend.adapters.storage.tables import (
    deleted_runs,
    executions,
    graphs,
    library_agents,
    node_executions,
    node_outputs,
    presets,
    schedules,
    webhooks,
)
from backend.adapters.storage.tables_mail import notices
from backend.core import json
from backend.core.block import BlockType
from backend.core.records import NoticeStatus
from backend.core.status import FINAL, Status
from backend.ports.doctor import Broken, Rule

_E: Final = executions.c
_N: Final = node_executions.c
_O: Final = node_outputs.c
_G: Final = graphs.c
_L: Final = library_agents.c
_S: Final = schedules.c
_M: Final = notices.c
_P: Final = presets.c
_W: Final = webhooks.c
_FINAL: Final = tuple(sorted(status.value for status in FINAL))
_ALL: Final = tuple(status.value for status in Status)
_QUEUED: Final = Status.QUEUED.value
_RUNNING: Final = Status.RUNNING.value
_REVIEW: Final = Status.REVIEW.value
_COMPLETED: Final = Status.COMPLETED.value
_FAILED: Final = Status.FAILED.value
_AT_ONCE: Final = 1_000


def stream(connection: Connection, query: Select[Any]) -> Iterator[Row[Any]]:
    """Yield the rows of *query* without holding all of them."""
    yield from connection.execute(query).yield_per(_AT_ONCE)


def on_its_way_out(run_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Say of a row's run that retention has deleted it, and clears its rows step by step."""
    return exists().where(deleted_runs.c.run_id == run_id)


_RUN_TIMES: Final = select(_E.id, _E.status, _E.started_us, _E.ended_us).where(
    or_(
        _E.status.not_in(_ALL),
        _E.status == Status.INCOMPLETE.value,  # only a node execution collects its inputs
        and_(_E.status.in_(_FINAL), _E.ended_us.is_(None)),
        and_(_E.status.not_in(_FINAL), _E.ended_us.is_not(None)),
        and_(_E.status.in_((_RUNNING, _REVIEW, _COMPLETED)), _E.started_us.is_(None)),
    )
)
_NODE_TIMES: Final = select(
    _N.run_id, _N.ordinal, _N.status, _N.queue_us, _N.start_us, _N.end_us
).where(
    or_(
        _N.status.not_in(_ALL),
        and_(_N.status.in_(_FINAL), _N.end_us.is_(None)),
        and_(_N.status.not_in(_FINAL), _N.end_us.is_not(None)),
        and_(_N.status.in_((_RUNNING, _COMPLETED)), _N.start_us.is_(None)),
        and_(_N.status.in_((_QUEUED, _RUNNING, _COMPLETED)), _N.queue_us.is_(None)),
        and_(_N.status == Status.INCOMPLETE.value, _N.queue_us.is_not(None)),
    )
)
_NODE_HAS_RUN: Final = (
    select(_N.run_id, func.count().label("executions"))
    .where(~exists().where(_E.id == _N.run_id), ~on_its_way_out(_N.run_id))
    .group_by(_N.run_id)
)
_ORDINALS: Final = (
    select(
        _N.run_id,
        func.count().label("executions"),
        func.min(_N.ordinal).label("low"),
        func.max(_N.ordinal).label("high"),
        func.count(_N.id.distinct()).label("ids"),
    )
    .where(~on_its_way_out(_N.run_id))
    .group_by(_N.run_id)
    .having(
        or_(
            func.min(_N.ordinal) != 0,
            func.max(_N.ordinal) + 1 != func.count(),
            func.count(_N.id.distinct()) != func.count(),
        )
    )
)
_OPEN_NODES: Final = (
    select(_N.run_id, _N.ordinal, _N.status, _E.status.label("run_status"))
    .join(executions, _E.id == _N.run_id)
    .where(_N.status.in_((_QUEUED, _RUNNING, _REVIEW)), _E.status.in_(_FINAL))
)
_REVISIONS: Final = (
    select(_E.id, _E.revision, func.max(_N.revision).label("highest"))
    .join(node_executions, _N.run_id == _E.id)
    .group_by(_E.id, _E.revision)
    .having(func.max(_N.revision) > _E.revision)
)
_PARENTS: Final = executions.alias("parents")
_CHILDREN: Final = (
    select(_E.id, _E.status, _PARENTS.c.id.label("parent"), _PARENTS.c.status.label("ended_as"))
    .join(_PARENTS, _PARENTS.c.id == _E.parent_id)
    .where(
        _E.status.not_in(_FINAL),
        _PARENTS.c.status.in_(_FINAL),
        _E.stop_us.is_(None),  # else it is on its way to its end
    )
)
_ONE_ACTIVE: Final = (
    select(_G.id, func.count().label("versions"))
    .where(_G.is_active.is_(True))
    .group_by(_G.id)
    .having(func.count() > 1)
)
_NO_ENTRY: Final = (
    select(_G.id).distinct().where(~exists().where(_L.graph_id == _G.id, _L.user_id == _G.user_id))
)
_NO_GRAPH: Final = select(_L.id, _L.graph_id, _L.graph_version).where(
    _L.is_deleted.is_(False),
    ~exists().where(_G.id == _L.graph_id, _G.version == _L.graph_version, _G.user_id == _L.user_id),
)
_SCHEDULE_GRAPH: Final = select(_S.id, _S.graph_id, _S.graph_version).where(
    _S.next_us.is_not(None),  # else it is paused
    ~exists().where(_G.id == _S.graph_id, _G.version == _S.graph_version, _G.user_id == _S.user_id),
)
_WEBHOOK_OF: Final = exists().where(_W.id == _P.webhook_id, _W.user_id == _P.user_id)
_NO_WEBHOOK: Final = select(_P.id, _P.webhook_id).where(
    _P.is_deleted.is_(False), _P.webhook_id.is_not(None), ~_WEBHOOK_OF
)
_NO_PRESET: Final = select(_W.id).where(
    _W.state == "ready", ~exists().where(_P.webhook_id == _W.id, _P.is_deleted.is_(False))
)
_NOTICES: Final = select(_M.id, _M.status, _M.attempts, _M.sent_us).where(
    or_(
        _M.status.not_in([status.value for status in NoticeStatus]),
        and_(_M.status == NoticeStatus.SENT.value, _M.sent_us.is_(None)),
        and_(_M.status != NoticeStatus.SENT.value, _M.sent_us.is_not(None)),
    )
)

_SAVED: Final = (
    select(
        _N.run_id, _N.ordinal, _N.saved_outputs.label("saved"), _O.first, _O["items"].label("text")
    )
    .join(node_outputs, and_(_O.run_id == _N.run_id, _O.ordinal == _N.ordinal), isouter=True)
    .where(or_(_N.saved_outputs > 0, _O.first.is_not(None)), ~on_its_way_out(_N.run_id))
    .order_by(_N.run_id, _N.ordinal, _O.first)
)
_OUTPUTS_ALONE: Final = (
    select(_O.run_id, _O.ordinal)
    .distinct()
    .where(
        ~exists().where(_N.run_id == _O.run_id, _N.ordinal == _O.ordinal),
        ~on_its_way_out(_O.run_id),
    )
)
#: What counts in the statistics of a run: what came to its own end. What waited when a run failed
#: became FAILED too, but without an error of its own.
FINISHED: Final = or_(
    _N.status == _COMPLETED,
    and_(_N.status == _FAILED, _N.error.is_not(None)),
)
_COUNTED: Final = (
    select(
        _E.id,
        _E.stats,
        func.count(case((FINISHED, 1))).label("finished"),
        func.count(case((_N.kind == BlockType.AGENT.value, 1))).label("agents"),
    )
    .join(node_executions, _N.run_id == _E.id, isouter=True)
    .where(_E.status.in_(_FINAL))
    .group_by(_E.id, _E.stats)
)

#: By rule: queries that find what breaks it, the name of such a row, and what of it.
QUERIES: Final[Mapping[Rule, tuple[tuple[Select[Any], str, str], ...]]] = {
    Rule.RUN_TIMES: (
        (_RUN_TIMES, "run {id}", "{status}, started_us {started_us}, ended_us {ended_us}"),
    ),
    Rule.NODE_TIMES: (
        (
            _NODE_TIMES,
            "node execution {ordinal} of run {run_id}",
            "{status}, queue_us {queue_us}, start_us {start_us}, end_us {end_us}",
        ),
    ),
    Rule.NODE_HAS_RUN: (
        (
            _NODE_HAS_RUN,
            "run {run_id}",
            "it is not there, but node executions of it are: {executions}",
        ),
    ),
    Rule.ORDINALS: (
        (
            _ORDINALS,
            "run {run_id}",
            "node executions: {executions}, ids: {ids}, numbers: {low} to {high}",
        ),
    ),
    Rule.OPEN_NODES: (
        (
            _OPEN_NODES,
            "node execution {ordinal} of run {run_id}",
            "{status}, but the run is {run_status}",
        ),
    ),
    Rule.REVISIONS: (
        (
            _REVISIONS,
            "run {id}",
            "at revision {revision}, but a node execution of it is at {highest}",
        ),
    ),
    Rule.CHILDREN: (
        (_CHILDREN, "run {id}", "{status}, but run {parent}, which started it, is {ended_as}"),
    ),
    Rule.OUTPUT_ROWS: (
        (
            _OUTPUTS_ALONE,
            "node execution {ordinal} of run {run_id}",
            "it is not there, but outputs of it are",
        ),
    ),
    Rule.ONE_ACTIVE: ((_ONE_ACTIVE, "graph {id}", "{versions} versions of it are active"),),
    Rule.LIBRARY: (
        (_NO_ENTRY, "graph {id}", "it has no entry in the library"),
        (
            _NO_GRAPH,
            "library entry {id}",
            "graph {graph_id} version {graph_version} is not there",
        ),
    ),
    Rule.SCHEDULE_GRAPH: (
        (_SCHEDULE_GRAPH, "schedule {id}", "graph {graph_id} version {graph_version} is not there"),
    ),
    Rule.PRESET_WEBHOOK: (
        (_NO_WEBHOOK, "preset {id}", "webhook {webhook_id} is not there, or not its owner's"),
        (_NO_PRESET, "webhook {id}", "no preset names it"),
    ),
    Rule.NOTICES: ((_NOTICES, "notice {id}", "{status}, sent_us {sent_us}"),),
}


def _output_rows(connection: Connection) -> Iterator[Broken]:
    """Yield node executions whose streamed outputs are not as many as they say."""
    saved = stream(connection, _SAVED)
    for (run_id, ordinal), group in groupby(saved, key=lambda row: (row.run_id, row.ordinal)):
        count, told = 0, 0
        for row in group:
            told = row.saved
            if row.first is None:
                continue
            if row.first != count:
                break  # a gap, or the same ones twice
            count += _length(row.text)
        if count != told:
            yield Broken(
                row=f"node execution {ordinal} of run {run_id}",
                detail=f"it has saved {told} outputs, but {count} of them are there in order",
            )


def _length(text: str) -> int:
    try:
        items = packed.shape_of(text)
    except (json.NotJson, TypeError, ValueError):
        return 0
    return len(items) if isinstance(items, list) else 0


def _stats(connection: Connection) -> Iterator[Broken]:
    """Yield runs that have ended and count other node executions than there are."""
    for row in stream(connection, _COUNTED):
        told = _told(row.stats)
        if told is None:
            detail = "it has ended without statistics that can be read"
        elif told < row.finished or (told > row.finished and not row.agents):
            detail = f"it counts {told} node executions, but {row.finished} of them finished"
        else:
            # Of an agent in it, the steps are counted too; its run may have been deleted since.
            continue
        yield Broken(row=f"run {row.id}", detail=detail, key=row.id)


def _told(text: str | None) -> int | None:
    try:
        count = json.loads(text or "")["node_count"]
    except (json.NotJson, KeyError, TypeError):
        return None
    return count if isinstance(count, int) else None


#: Rules for which rows must be opened.
LOOKS: Final[Mapping[Rule, Callable[[Connection], Iterator[Broken]]]] = {
    Rule.OUTPUT_ROWS: _output_rows,
    Rule.STATS: _stats,
    Rule.VALUES: lost_values,
}

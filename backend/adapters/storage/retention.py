"""Old rows on their way out. A run goes first, whole; then, step by step, what belonged to it."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Connection,
    Delete,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    or_,
    select,
    text,
    tuple_,
)

from backend.adapters.storage import holds, model_answers, reviews, usage
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import (
    deleted_runs,
    executions,
    installation,
    is_unfinished,
    node_executions,
    node_outputs,
    schedule_fires,
)
from backend.adapters.storage.tables_deliveries import deliveries
from backend.adapters.storage.tables_mail import notices
from backend.adapters.storage.tables_node_steps import node_steps
from backend.adapters.storage.tables_notices import notice_inbox, notice_sends
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.records import HoldKind
from backend.core.status import FINAL, Status
from backend.ports.retention import GraphOfUser, OldRun

_E: Final = executions.c
_N: Final = node_executions.c
_M: Final = notices.c
_F: Final = schedule_fires.c
_Q: Final = notice_sends.c
_I: Final = notice_inbox.c
_FINAL: Final = tuple(sorted(status.value for status in FINAL))
_PARENT: Final = executions.alias("parent")
#: When retention came to an older database, which kept everything until then.
BEGAN_KEY: Final = "retention_began_us"
_WEEK_US: Final = 7 * 24 * 3600 * 1_000_000
#: Empty pages that stay in the file for what is written next: so many, or a share of all.
_SPARE_PAGES: Final = 256
_SPARE_SHARE: Final = 10

#: A run whose parent is gone goes like one that never had any.
_ON_ITS_OWN: Final = or_(_E.parent_id.is_(None), ~exists().where(_PARENT.c.id == _E.parent_id))
_ENDED: Final = and_(_E.ended_us.is_not(None), _E.status.in_(_FINAL))
_OLD_RUNS: Final = (
    select(_E.ended_us, _E.id)
    .where(
        _ENDED,
        _E.ended_us < bindparam("before"),
        or_(
            _E.ended_us > bindparam("after_us"),
            and_(_E.ended_us == bindparam("after_us"), _E.id > bindparam("after_id")),
        ),
        _E.ended_us >= bindparam("after_us"),  # said again for the index
        _ON_ITS_OWN,
    )
    .order_by(_E.ended_us, _E.id)
    .limit(bindparam("most"))
)
_GRAPH_KEY: Final = tuple_(_E.graph_id, _E.user_id)
_NEXT_GRAPH: Final = (
    select(_E.graph_id, _E.user_id)
    .where(
        _E.is_deleted.is_(False),
        tuple_(bindparam("graph"), bindparam("user")) < _GRAPH_KEY,
    )
    .order_by(_E.graph_id, _E.user_id)
    .limit(1)
)
#: What others have started does not count: it goes with them.
_OF_GRAPH: Final = (
    _E.graph_id == bindparam("graph"),
    _E.user_id == bindparam("user"),
    _E.is_deleted.is_(False),
    _E.parent_id.is_(None),
)
_LAST_TO_KEEP: Final = (
    select(_E.created_us, _E.id)
    .where(*_OF_GRAPH)
    .order_by(_E.created_us.desc(), _E.id.desc())
    .offset(bindparam("kept"))
    .limit(1)
)
_BEYOND: Final = (
    select(_E.ended_us, _E.id)
    .where(
        *_OF_GRAPH,
        _E.created_us <= bindparam("last_us"),
        or_(_E.created_us < bindparam("last_us"), _E.id < bindparam("last_id")),
        _ENDED,
    )
    .order_by(_E.created_us, _E.id)
    .limit(bindparam("most"))
)
_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_MAY_GO: Final = select(_E.id).where(_E.id.in_(_IDS), _ENDED, _ON_ITS_OWN)
_BELOW: Final = select(_E.id, _E.parent_id, _E.status).where(_E.parent_id.in_(_IDS))
_ENDED_BELOW: Final = select(_E.id).where(_E.parent_id.in_(_IDS), _ENDED).limit(bindparam("most"))
_DELETE_RUNS: Final = delete(executions).where(_E.id.in_(_IDS))
_TO_CLEAR: Final = select(deleted_runs.c.run_id).limit(bindparam("most"))
_CLEARED: Final = delete(deleted_runs).where(deleted_runs.c.run_id.in_(_IDS))


def _some_of(table: Table) -> Delete:
    """Delete some of the rows of runs: whole keys, so that the rest stays for the next time."""
    keys = list(table.primary_key.columns)
    some = select(*keys).where(table.c.run_id.in_(_IDS)).limit(bindparam("most"))
    return delete(table).where(tuple_(*keys).in_(some))


_SOME_OUTPUTS: Final = _some_of(node_outputs)
_SOME_NODES: Final = _some_of(node_executions)
_SOME_STEPS: Final = _some_of(node_steps)
_SOME_NOTICES: Final = delete(notices).where(
    _M.id.in_(
        select(_M.id)
        .where(text("status <> 'QUEUED'"), _M.created_us < bindparam("before"))
        .order_by(_M.created_us)
        .limit(bindparam("most"))
    )
)
#: Read or not, waiting or not: what is so old is no news, and no message is tried for so long.
_SOME_SENDS: Final = delete(notice_sends).where(
    tuple_(_Q.notice_id, _Q.channel_id).in_(
        select(_Q.notice_id, _Q.channel_id)
        .where(_Q.created_us < bindparam("before"))
        .order_by(_Q.created_us)
        .limit(bindparam("most"))
    )
)
_SOME_ENTRIES: Final = delete(notice_inbox).where(
    _I.id.in_(
        select(_I.id)
        .where(_I.created_us < bindparam("before"))
        .order_by(_I.created_us)
        .limit(bindparam("most"))
    )
)
_SOME_FIRES: Final = delete(schedule_fires).where(
    tuple_(_F.schedule_id, _F.fire_us).in_(
        select(_F.schedule_id, _F.fire_us)
        .where(_F.fire_us < bindparam("before"))
        .order_by(_F.fire_us)
        .limit(bindparam("most"))
    )
)
#: Parents whose children are looked for in one query.
_AT_ONCE: Final = 500


class SqlRetention:
    """See backend.ports.retention.RetentionStorage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def not_before_us(self) -> int:
        return await self._database.read(not_before_us)

    async def runs_ended_before(
        self, before_us: int, *, after: OldRun | None, limit: int
    ) -> list[OldRun]:
        return await self._database.read(lambda c: ended_before(c, before_us, after, limit))

    async def next_graph(self, after: GraphOfUser | None) -> GraphOfUser | None:
        return await self._database.read(lambda c: next_graph(c, after))

    async def runs_beyond(self, graph: GraphOfUser, *, newest: int, limit: int) -> list[OldRun]:
        return await self._database.read(lambda c: beyond(c, graph, newest, limit))

    async def delete_runs(self, ids: Collection[ExecutionId]) -> int:
        return await self._database.write(lambda c: delete_runs(c, list(ids)))

    async def clear(self, *, rows: int) -> int:
        return await self._database.write(lambda c: clear(c, rows))

    async def delete_notices(self, before_us: int, *, limit: int) -> int:
        wanted = {"before": before_us, "most": limit}

        def work(connection: Connection) -> int:
            parts = (_SOME_NOTICES, _SOME_SENDS, _SOME_ENTRIES)
            return sum(connection.execute(part, wanted).rowcount for part in parts)

        return await self._database.write(work)

    async def delete_fires(self, before_us: int, *, limit: int) -> int:
        wanted = {"before": before_us, "most": limit}
        return await self._database.write(lambda c: c.execute(_SOME_FIRES, wanted).rowcount)

    async def delete_answers(self, now_us: int, *, limit: int) -> int:
        return await self._database.write(lambda c: model_answers.expire(c, now_us, limit))

    async def fold_usage(self, before: str, *, limit: int) -> int:
        return await self._database.write(lambda c: usage.fold(c, before, limit))

    async def delete_usage(self, before: str, *, limit: int) -> int:
        return await self._database.write(lambda c: usage.expire(c, before, limit))

    async def give_back(self, *, pages: int) -> int:
        return await self._database.write(lambda c: give_back(c, pages))


def not_before_us(connection: Connection) -> int:
    """Return when a week has passed since retention came to this database; 0: it was born with it."""
    began = connection.execute(
        select(installation.c.value).where(installation.c.key == BEGAN_KEY)
    ).scalar()
    return 0 if began is None else int(began) + _WEEK_US


def ended_before(
    connection: Connection, before_us: int, after: OldRun | None, limit: int
) -> list[OldRun]:
    """Return old runs; see RetentionStorage."""
    place = after or OldRun(-1, ExecutionId(""))
    found = connection.execute(
        _OLD_RUNS,
        {"before": before_us, "after_us": place.ended_us, "after_id": place.id, "most": limit},
    )
    return [OldRun(row.ended_us, ExecutionId(row.id)) for row in found]


def next_graph(connection: Connection, after: GraphOfUser | None) -> GraphOfUser | None:
    """Return the next graph that has runs: one look into the index, however many runs it has."""
    place = after or GraphOfUser(GraphId(""), UserId(""))
    row = connection.execute(
        _NEXT_GRAPH, {"graph": place.graph_id, "user": place.user_id}
    ).one_or_none()
    return None if row is None else GraphOfUser(GraphId(row.graph_id), UserId(row.user_id))


def beyond(connection: Connection, graph: GraphOfUser, newest: int, limit: int) -> list[OldRun]:
    """Return what is beyond the newest runs of a graph; see RetentionStorage."""
    mine = {"graph": graph.graph_id, "user": graph.user_id}
    last = connection.execute(_LAST_TO_KEEP, {**mine, "kept": newest - 1}).one_or_none()
    if last is None:
        return []
    found = connection.execute(
        _BEYOND, {**mine, "last_us": last.created_us, "last_id": last.id, "most": limit}
    )
    return [OldRun(row.ended_us, ExecutionId(row.id)) for row in found]


def delete_runs(connection: Connection, ids: Sequence[ExecutionId]) -> int:
    """Take runs out, if they have ended and nothing unfinished is below them."""
    ended = [ExecutionId(row.id) for row in connection.execute(_MAY_GO, {"ids": ids})]
    at_work = _at_work(connection, ended)
    return _take_out(connection, [run_id for run_id in ended if run_id not in at_work])


def _at_work(connection: Connection, ids: Sequence[ExecutionId]) -> set[str]:
    """Return those of *ids* below which something has not ended."""
    tops: dict[str, str] = {run_id: run_id for run_id in ids}
    found: set[str] = set()
    waiting: list[str] = list(ids)
    while waiting:
        some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        for child in connection.execute(_BELOW, {"ids": some}):
            top = tops[child.id] = tops[child.parent_id]
            if Status(child.status) not in FINAL:
                found.add(top)
            waiting.append(child.id)
    return found


def _take_out(connection: Connection, ids: Sequence[ExecutionId]) -> int:
    """Delete the rows of runs, and note them for `clear`."""
    if not ids:
        return 0
    connection.execute(
        insert_on(connection, deleted_runs).on_conflict_do_nothing(),
        [{"run_id": run_id} for run_id in ids],
    )
    connection.execute(_DELETE_RUNS, {"ids": ids})
    holds.forget(connection, HoldKind.RUN, ids)
    return len(ids)


def clear(connection: Connection, rows: int) -> int:
    """Delete up to *rows* rows of runs that are gone, with the runs below them."""
    waiting = connection.execute(_TO_CLEAR, {"most": max(1, rows // 8)})
    ids = [ExecutionId(row.run_id) for row in waiting]
    if not ids:
        return 0
    ended_below = connection.execute(_ENDED_BELOW, {"ids": ids, "most": rows})
    gone = _take_out(connection, [ExecutionId(row.id) for row in ended_below])
    for query in (_SOME_OUTPUTS, _SOME_STEPS, _SOME_NODES, model_answers.OF_RUNS):
        if gone < rows:
            gone += connection.execute(query, {"ids": ids, "most": rows - gone}).rowcount
    if gone >= rows:
        return gone  # there may be more of them
    reviews.delete_of(connection, ids)
    connection.execute(_CLEARED, {"ids": ids})
    return gone + len(ids)


def give_back(connection: Connection, pages: int) -> int:
    """Shorten the file; see RetentionStorage."""
    if connection.dialect.name != "sqlite":
        return 0
    before = _pragma(connection, "freelist_count")
    spare = max(_SPARE_PAGES, _pragma(connection, "page_count") // _SPARE_SHARE)
    most = min(pages, before - spare)
    if most <= 0:
        return 0
    # Past SQLAlchemy: SQLite gives back a page with each row that is fetched, and the rows are empty.
    raw: Any = connection.connection.dbapi_connection
    raw.execute(f"PRAGMA incremental_vacuum({most})").fetchall()
    return before - _pragma(connection, "freelist_count")


def _pragma(connection: Connection, name: str) -> int:
    found: int = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
    return found


def kept(connection: Connection, ids: Collection[ExecutionId]) -> set[ExecutionId]:
    """Return those of *ids* that are unfinished, or not deleted; bodies of deliveries lie there too."""
    found = connection.execute(
        select(_E.id)
        .where(_E.id.in_(ids), or_(_E.is_deleted.is_(False), is_unfinished))
        .union_all(select(deliveries.c.id).where(deliveries.c.id.in_(ids)))
    )
    return {row.id for row in found}

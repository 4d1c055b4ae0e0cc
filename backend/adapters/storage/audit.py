"""The audit log in rows. Each carries the hash of the one before it, in the transaction it tells of."""

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from backend.adapters.storage.tables_audit import audit, audit_head
from backend.core import json
from backend.core.audit import (
    AUDIT,
    COLUMNS,
    EXPIRE,
    SYSTEM,
    Actor,
    AuditEntry,
    AuditRow,
    By,
    ChainBreak,
    Head,
    Outcome,
    breaks_of,
    chained,
)
from backend.ports.audit import Audited, AuditQuery

_A: Final = audit.c
_H: Final = audit_head.c
_HEAD: Final = 1
_AT_ONCE: Final = 1_000
#: A chain that was cut up has no more to tell after so many places.
MOST_BREAKS: Final = 100


def append(connection: Connection, entry: AuditEntry) -> None:
    """Add a row after the last one, whoever wrote that; *connection* is in a transaction."""
    # For update: SQLite has one writer anyway, and another database locks the row here.
    noted = connection.execute(
        select(_H.seq, _H.hash).where(_H.id == _HEAD).with_for_update()
    ).one_or_none()
    head = _last(connection) if noted is None else Head(seq=noted.seq, hash=noted.hash)
    row = chained(entry, head)
    values = dict(zip(COLUMNS, row.values, strict=True))
    connection.execute(
        insert(audit).values(seq=row.seq, previous=row.previous, hash=row.hash, **values)
    )
    said = {"seq": row.seq, "hash": row.hash}
    if noted is None:
        connection.execute(insert(audit_head).values(id=_HEAD, **said))
    else:
        connection.execute(update(audit_head).where(_H.id == _HEAD).values(**said))


def head(connection: Connection) -> Head | None:
    """Return the last row as it was noted."""
    row = connection.execute(select(_H.seq, _H.hash).where(_H.id == _HEAD)).one_or_none()
    return None if row is None else Head(seq=row.seq, hash=row.hash)


def _last(connection: Connection) -> Head | None:
    row = connection.execute(select(_A.seq, _A.hash).order_by(_A.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Head(seq=row.seq, hash=row.hash)


def listed(connection: Connection, wanted: AuditQuery) -> list[Audited]:
    """Return the newest rows that match; see AuditLog."""
    query = select(audit).order_by(_A.seq.desc()).limit(wanted.limit)
    for column in (_A.who, _A.verb, _A.kind, _A.object_id):
        if value := getattr(wanted, column.name):
            query = query.where(column == value)
    if wanted.before is not None:
        query = query.where(_A.seq < wanted.before)
    return [_audited(row) for row in connection.execute(query)]


def _audited(row: Row[Any]) -> Audited:
    return Audited(
        seq=row.seq,
        hash=row.hash,
        entry=AuditEntry(
            at_us=row.at_us,
            actor=Actor(
                who=row.who,
                by=By(row.by),
                by_id=row.by_id,
                acting_for=row.acting_for,
                address=row.address,
                request_id=row.request_id,
            ),
            verb=row.verb,
            kind=row.kind,
            object_id=row.object_id,
            outcome=Outcome(row.outcome),
            facts=json.loads(row.facts),
        ),
    )


def breaks(connection: Connection, kept: Head | None = None) -> list[ChainBreak]:
    """Read the log as it is now; return where its chain does not hold, `MOST_BREAKS` at most."""
    return list(islice(breaks_of(_rows(connection), head(connection), kept), MOST_BREAKS))


def _rows(connection: Connection) -> Iterator[AuditRow]:
    for row in connection.execute(select(audit).order_by(_A.seq)).yield_per(_AT_ONCE):
        values = tuple(getattr(row, name) for name in COLUMNS)
        yield AuditRow(seq=row.seq, previous=row.previous, hash=row.hash, values=values)


def expire(connection: Connection, before_us: int, now_us: int, limit: int) -> int:
    """Delete from the front, and say so at the end; see AuditLog."""
    oldest = connection.execute(
        select(_A.seq, _A.hash, _A.at_us).order_by(_A.seq).limit(limit)
    ).all()
    # Only whole beginnings: what lies between stays, whatever a clock said.
    old = list(takewhile(lambda row: row.at_us < before_us, oldest))
    if not old:
        return 0
    through = old[-1]
    connection.execute(delete(audit).where(_A.seq <= through.seq))
    facts = {"through": through.seq, "hash": through.hash}
    append(
        connection,
        AuditEntry(at_us=now_us, actor=SYSTEM, verb=EXPIRE, kind=AUDIT, facts=facts),
    )
    return len(old)

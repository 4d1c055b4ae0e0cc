"""Shared runs: a token in the row of the run, and what it shows."""

from typing import Any, Final

from sqlalchemy import Connection, Row, and_, select, update

from backend.adapters.storage import packed
from backend.adapters.storage.database import Database
from backend.adapters.storage.executions import OUTPUT_INPUTS
from backend.adapters.storage.tables import executions, graphs
from backend.adapters.storage.values import Reader, Values
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.status import Status
from backend.ports.sharing import SharedRun

_E: Final = executions.c
_G: Final = graphs.c
_MEGABYTE: Final = 1024 * 1024
#: What one look at a shared run may cost: strangers ask for it, as often as they like.
SHOWN_BYTES: Final = 4 * _MEGABYTE


class SqlShares:
    """See backend.ports.sharing.Shares."""

    def __init__(
        self, database: Database, values: Values, *, shown_bytes: int = SHOWN_BYTES
    ) -> None:
        self._database = database
        self._values = values
        self._shown_bytes = shown_bytes

    def of(self, user_id: UserId) -> "SqlUserShares":
        return SqlUserShares(self._database, user_id)

    async def shared(self, token: str) -> SharedRun | None:
        return await self._database.read(
            lambda c: shared(
                c, self._values.shown(), self._values.brief(), token, self._shown_bytes
            )
        )


class SqlUserShares:
    """See backend.ports.sharing.UserShares."""

    def __init__(self, database: Database, user_id: UserId) -> None:
        self._database = database
        self._user_id = user_id

    async def share(self, graph_id: GraphId, run_id: ExecutionId, token: str) -> bool:
        return await self._database.write(
            lambda c: set_token(c, self._user_id, graph_id, run_id, token)
        )

    async def unshare(self, graph_id: GraphId, run_id: ExecutionId) -> bool:
        return await self._database.write(
            lambda c: set_token(c, self._user_id, graph_id, run_id, None)
        )


def set_token(
    connection: Connection,
    user_id: UserId,
    graph_id: GraphId,
    run_id: ExecutionId,
    token: str | None,
) -> bool:
    """Let *token* show a run, or with None nothing; say whether there is such a run."""
    return (
        connection.execute(
            update(executions)
            .where(
                _E.id == run_id,
                _E.graph_id == graph_id,
                _E.user_id == user_id,
                _E.is_deleted.is_(False),
            )
            .values(is_shared=token is not None, share_token=token)
        ).rowcount
        > 0
    )


def shared(
    connection: Connection, whole: Reader, brief: Reader, token: str, shown_bytes: int
) -> SharedRun | None:
    """Return the run that *token* shows; see Shares.shared."""
    row = connection.execute(
        select(_E.id, _E.status, _E.created_us, _G.name, _G.description)
        .outerjoin(
            graphs,
            and_(
                _G.id == _E.graph_id,
                _G.version == _E.graph_version,
                _G.user_id == _E.user_id,
            ),
        )
        # The index holds only rows with a token, and so must the question.
        .where(
            _E.share_token == token,
            _E.share_token.is_not(None),
            _E.is_shared.is_(True),
            _E.is_deleted.is_(False),
        )
    ).one_or_none()
    return None if row is None else _record(connection, whole, brief, row, shown_bytes)


def _record(
    connection: Connection,
    whole: Reader,
    brief: Reader,
    row: Row[*tuple[Any, ...]],
    shown_bytes: int,
) -> SharedRun:
    outputs: dict[str, list[Any]] = {}
    room = shown_bytes
    for (text,) in connection.execute(OUTPUT_INPUTS, {"run": row.id}):
        size = len(text) + _bytes_in_files(text)
        name = str(packed.shape_of(text).get("name"))
        if size <= room:
            room -= size
            value = whole.loaded(text).get("value")
        elif packed.is_packed(text) and len(text) <= room:
            room -= len(text)
            value = brief.loaded(text).get("value")
        else:
            outputs.setdefault(name, []).append("[more than a shared page shows]")
            break
        outputs.setdefault(name, []).append(value)
    return SharedRun(
        id=ExecutionId(row.id),
        graph_name=row.name or "",
        graph_description=row.description or "",
        status=Status(row.status),
        created_us=row.created_us,
        outputs=outputs,
    )


def _bytes_in_files(text: str) -> int:
    return sum(part.size_bytes for part in packed.read(text).parts) if packed.is_packed(text) else 0

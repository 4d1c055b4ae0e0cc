"""The doctor's look at large values: whether each that a row names lies in its file, undamaged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, literal, or_, select

from backend.adapters.storage import packed
from backend.adapters.storage.tables import executions, node_executions, node_outputs, reviews
from backend.adapters.storage.tables_node_steps import node_steps
from backend.adapters.storage.value_files import FILES, ValueFiles, ValueStore
from backend.core import json
from backend.core.errors import ValueLost
from backend.core.status import FINAL
from backend.ports.doctor import Broken

_E: Final = executions.c
_N: Final = node_executions.c
_O: Final = node_outputs.c
_R: Final = reviews.c
_T: Final = node_steps.c
#: Under which name a connection knows where values lie, if its database is no file.
FOLDER: Final = "agpt_values"
#: Under which name a connection has the store of values, if they lie in no folder.
STORE: Final = "agpt_value_store"
_FINAL: Final = tuple(status.value for status in FINAL)
_AT_ONCE: Final = 100


def _naming(run: Column[Any], ordinal: Any, *columns: Column[Any]) -> Select[Any]:
    """Select the rows of which one of *columns* names files."""
    named = or_(*(column.startswith(packed.MARK) for column in columns))
    return select(run.label("run_id"), ordinal.label("ordinal"), *columns).where(named)


_NAMING: Final = (
    _naming(_E.id, literal(None), _E.inputs, _E.masks),
    _naming(_N.run_id, _N.ordinal, _N.received, _N.input, _N.outputs),
    _naming(_O.run_id, _O.ordinal, _O["items"]),
    _naming(_R.run_id, literal(None), _R.payload),
    _naming(_T.run_id, literal(None), _T.result),
)


def lost_values(connection: Connection) -> Iterator[Broken]:
    """Yield rows of runs that are not deleted whose large values are missing or damaged."""
    files = _store(connection)
    checked: dict[tuple[str, str], str | None] = {}
    swept: dict[str, bool] = {}
    for query in _NAMING:
        for row in connection.execute(query).yield_per(_AT_ONCE):
            name = f"run {row.run_id}"
            if row.ordinal is not None:
                name = f"node execution {row.ordinal} of {name}"
            for text in row[2:]:
                if text is None or not packed.is_packed(text):
                    continue
                for detail in _problems(connection, files, text, checked, swept):
                    yield Broken(row=name, detail=detail)


def _problems(
    connection: Connection,
    files: ValueStore,
    text: str,
    checked: dict[tuple[str, str], str | None],
    swept: dict[str, bool],
) -> Iterator[str]:
    try:
        column = packed.read(text)
    except (json.NotJson, TypeError, ValueError) as exc:
        yield f"what it says of large values cannot be read: {exc}"
        return
    root = column.root
    if root not in swept:
        swept[root] = _is_swept(connection, root)
    if swept[root]:
        return
    for part in column.parts:
        key = (root, part.digest)
        if key not in checked:
            checked[key] = _problem(files, root, part)
        if checked[key] is not None:
            yield str(checked[key])


def _problem(files: ValueStore, root: str, part: packed.Part) -> str | None:
    try:
        files.read(root, part.digest, part.size_bytes)
    except ValueLost as exc:
        return str(exc)
    return None


def _is_swept(connection: Connection, root: str) -> bool:
    """Say whether the files of *root* go, or have gone: it is deleted, and over."""
    row = connection.execute(select(_E.status, _E.is_deleted).where(_E.id == root)).one_or_none()
    return row is None or (bool(row.is_deleted) and row.status in _FINAL)


def _store(connection: Connection) -> ValueStore:
    given: ValueStore | None = connection.info.get(STORE)
    return given or ValueFiles(_folder(connection), durable=False)


def _folder(connection: Connection) -> Path:
    """Return the folder of values: that beside the file of this database, or that it was given."""
    if FOLDER in connection.info:
        return Path(connection.info[FOLDER])
    # The first is the database itself; there may be one for what is temporary.
    files = [row.file for row in connection.exec_driver_sql("PRAGMA database_list")]
    return Path(files[0]).parent / FILES

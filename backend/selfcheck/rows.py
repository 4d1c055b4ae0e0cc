"""Where a check reads what is committed: snapshots of the rows of runs, from SQLite or PostgreSQL."""

import hashlib
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from backend.core import json
from backend.selfcheck.history import NodeRow, RunRow

#: Asks the database: a text with a ``?`` for each value, and the values.
Ask = Callable[[str, Sequence[Any]], Iterable[tuple[Any, ...]]]

UNFINISHED: Final = "('QUEUED', 'RUNNING', 'REVIEW')"
#: Short runs begin and end between two looks.
NEWEST: Final = 50
#: Characters of outputs that are kept.
_SHOWN: Final = 80
_BUSY_S: Final = 10.0
_RUN: Final = (
    "SELECT id, inputs, root_id, parent_id, status, revision, attempt, ended_us, owner"
    " FROM executions"
)
_NODES: Final = (
    "SELECT n.run_id, n.ordinal, n.id, n.block_id, n.status, n.outputs, n.error, n.start_us,"
    " n.end_us, n.revision, (SELECT {joined} FROM (SELECT items FROM node_outputs"
    " WHERE run_id = n.run_id AND ordinal = n.ordinal ORDER BY first) o)"
    " FROM node_executions n"
)


class Snapshot:
    """The rows as they were at one moment."""

    def __init__(self, ask: Ask, *, joined: str, newest: str) -> None:
        """
        Read by *ask*.

        Args:
            joined: The expression that joins all ``o.items`` with commas.
            newest: The clause that puts first what may have begun and ended a moment ago.
        """
        self._ask = ask
        self._nodes = _NODES.format(joined=joined)
        self._newest = newest

    def unfinished(self) -> Iterator[RunRow]:
        """Yield the runs that have not ended."""
        return self._runs(f"WHERE status IN {UNFINISHED}")

    def newest(self) -> Iterator[RunRow]:
        """Yield the runs that were started, or have ended, last."""
        return self._runs(f"{self._newest} LIMIT {NEWEST}")

    def run(self, run_id: str) -> RunRow | None:
        """Return one run, if it is there."""
        return next(self._runs("WHERE id = ?", run_id), None)

    def runs(self) -> Iterator[RunRow]:
        """Yield all runs."""
        return self._runs("")

    def nodes(self) -> Iterator[NodeRow]:
        """Yield all node executions."""
        return (_node_row(row) for row in self._ask(self._nodes, ()))

    def ended_nodes(self, run_id: str, after: int) -> Iterator[NodeRow]:
        """Yield the finished node executions of a run that have changed after a number."""
        where = "WHERE n.run_id = ? AND n.revision > ? AND n.end_us IS NOT NULL"
        found = self._ask(f"{self._nodes} {where}", (run_id, after))
        return (_node_row(row) for row in found)

    def graph_ids(self) -> Mapping[str, str]:
        """Return the graph of each run."""
        return dict(self._ask("SELECT id, graph_id FROM executions", ()))

    def _runs(self, where: str, *values: Any) -> Iterator[RunRow]:
        return (_run_row(row) for row in self._ask(f"{_RUN} {where}", values))


class Rows(Protocol):
    """A database that is read from outside, while others write."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a snapshot: all that is read from it was so at one moment."""

    def ticks(self) -> AbstractContextManager[Callable[[], object]]:
        """Give a cheap question whose answer changes when anybody commits something of a run."""

    def open_transactions(self) -> list[str]:
        """Return who has a transaction open now, for how long, and what it is at: for who looks for a cause."""

    def close(self) -> None:
        """Let go of the database. Twice is harmless."""


class SqliteRows:
    """
    See Rows; a file.

    Connections are short: one that stays open would keep SQLite's shared memory alive over the
    death of all others, and what the server does after a power cut would never be tried.
    """

    def __init__(self, database: Path) -> None:
        """Prepare; *database* need not be there yet."""
        self._database = database

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open a transaction that reads."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            yield Snapshot(
                connection.execute, joined="group_concat(o.items)", newest="ORDER BY rowid DESC"
            )

    @contextmanager
    def ticks(self) -> Iterator[Callable[[], object]]:
        """Ask SQLite for its counter of commits."""
        with self._reading() as connection:
            yield lambda: connection.execute("PRAGMA data_version").fetchone()

    def open_transactions(self) -> list[str]:
        """Nobody can tell."""
        return []

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        uri = f"file:{quote(str(self._database))}?mode=ro"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
        ) as connection:
            yield connection


def _run_row(row: tuple[Any, ...]) -> RunRow:
    run_id, inputs, root_id, parent_id, status, revision, attempt, ended_us, owner = row
    return RunRow(
        id=run_id,
        name=str((json.loads(inputs) or {}).get("run", "")),
        root_id=root_id,
        parent_id=parent_id,
        status=status,
        revision=revision,
        attempt=attempt,
        ended_us=ended_us,
        owner=owner,
    )


def _digest(text: str) -> str:
    """Return *text*, or of a long one its beginning and what tells it from others."""
    if len(text) <= _SHOWN:
        return text
    return f"{text[: _SHOWN // 2]}… ({hashlib.blake2b(text.encode(), digest_size=8).hexdigest()})"


def _node_row(row: tuple[Any, ...]) -> NodeRow:
    *fields, streamed = row
    run_id, ordinal, node_exec_id, block_id, status, outputs, error, start_us, end_us, number = (
        fields
    )
    return NodeRow(
        # A long check sees hundreds of thousands of rows: what they share is kept once.
        run_id=sys.intern(run_id),
        ordinal=ordinal,
        id=node_exec_id,
        block_id=sys.intern(block_id),
        status=sys.intern(status),
        outputs=_digest(f"{streamed or ''}{outputs or ''}"),
        error=error,
        start_us=start_us,
        end_us=end_us,
        revision=number,
    )

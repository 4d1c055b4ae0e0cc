"""Looks into the database file from outside, reads only, and remembers what it has seen committed.

Connections are short: one that stays open would keep SQLite's shared memory alive over the death
of all others, and what the server does after a power cut would never be tried.
"""

import hashlib
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from backend.core import json
from backend.selfcheck.history import NodeRow, RunRow, now_us
from backend.selfcheck.rules import FINAL

_LOOK_S: Final = 0.05
_TURN_S: Final = 0.0005
#: Characters of outputs that are kept.
_SHOWN: Final = 80
_BUSY_S: Final = 10.0
_UNFINISHED: Final = "('QUEUED', 'RUNNING', 'REVIEW')"
_RUN: Final = (
    "SELECT id, inputs, root_id, parent_id, status, revision, attempt, ended_us FROM executions"
)
_NODES: Final = (
    "SELECT n.run_id, n.ordinal, n.id, n.block_id, n.status, n.outputs, n.error, n.start_us,"
    " n.end_us, n.revision, (SELECT group_concat(o.items) FROM (SELECT items FROM node_outputs"
    " WHERE run_id = n.run_id AND ordinal = n.ordinal ORDER BY first) o)"
    " FROM node_executions n"
)


class Witness:
    """
    Sees runs and node executions change.

    Attributes:
        seen_runs: Each run's rows, in the order in which they changed.
        seen_nodes: Node executions that had finished, as they first were so.
        slowest: The longest time that a run needed after a kill until it went on, in seconds, with
            the run; nothing yet: 0.
    """

    def __init__(self, database: Path) -> None:
        """Prepare; *database* need not be there yet."""
        self.seen_runs: dict[str, list[RunRow]] = {}
        self.seen_nodes: dict[tuple[str, int], NodeRow] = {}
        self.slowest: tuple[float, str] = (0.0, "")
        self.recoveries_s: list[float] = []
        self._database = database
        self._open: set[str] = set()
        self._interrupted: dict[str, tuple[int, int]] = {}  #: by root: when, and its numbers then
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._watching: Future[None] | None = None

    def start(self) -> None:
        """Begin to look, again and again."""
        self._watching = self._pool.submit(self._watch)

    def close(self) -> None:
        """Look no more; raises what went wrong in between. Twice is harmless."""
        self._over.set()
        self._pool.shutdown()
        if self._watching is not None:
            self._watching.result()

    def unfinished(self) -> int:
        """Return how many runs have not ended, those that wait for a person too."""
        with self._reading() as connection:
            found = connection.execute(
                f"SELECT count(*) FROM executions WHERE status IN {_UNFINISHED}"  # noqa: S608 -- our own text
            )
            return int(found.fetchone()[0])

    def has_ended(self, run_id: str) -> bool:
        """Tell whether a run was seen to have ended."""
        with self._lock:
            seen = self.seen_runs.get(run_id)
            return bool(seen) and seen is not None and seen[-1].status in FINAL

    def look(self) -> None:
        """Take in what is committed now."""
        with self._lock, self._reading() as connection:
            # One snapshot: a run's row and those of its nodes belong together.
            connection.execute("BEGIN")
            rows = list(self._changed_runs(connection))
            for row in rows:
                before = self.seen_runs.get(row.id)
                after = -1 if before is None else before[-1].revision
                if before is None or before[-1] != row:
                    self.seen_runs.setdefault(row.id, []).append(row)
                    if row.revision > after:
                        self._note_nodes(connection, row.id, after)
            self._open = {row.id for row in rows if row.status not in FINAL}
            self._note_recoveries()

    def interrupted(self, at_us: int) -> None:
        """Note that what runs now was interrupted at that time; call it after `look`."""
        with self._lock:
            resting = {row.root_id for row in self._last(self._open) if row.status == "REVIEW"}
            for root, number in self._numbers().items():
                if root not in resting:
                    self._interrupted.setdefault(root, (at_us, number))

    def wait_for_commits(self, count: int, *, limit_s: float) -> bool:
        """Wait until *count* more transactions of anybody are committed; False: not in time."""
        end = time.monotonic() + limit_s
        with self._reading() as connection:
            last = connection.execute("PRAGMA data_version").fetchone()[0]
            while count > 0:
                if time.monotonic() > end:
                    return False
                time.sleep(_TURN_S)
                now = connection.execute("PRAGMA data_version").fetchone()[0]
                if now != last:
                    count, last = count - 1, now
        return True

    def revision_of(self, run_id: str) -> int:
        """Return the number of a run's last committed change; 0 if it is not there."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT revision FROM executions WHERE id = ?", (run_id,)
            ).fetchone()
            return int(found[0]) if found else 0

    def graph_ids(self) -> Mapping[str, str]:
        """Return the graph of each run."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT id, graph_id FROM executions").fetchall())

    def rows(self) -> tuple[dict[str, RunRow], dict[tuple[str, int], NodeRow]]:
        """Return all runs and node executions as they are now."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            runs = [_run_row(row) for row in connection.execute(_RUN)]
            nodes = [_node_row(row) for row in connection.execute(_NODES)]
            return {row.id: row for row in runs}, {row.place: row for row in nodes}

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            self.look()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        uri = f"file:{quote(str(self._database))}?mode=ro"
        with closing(
            sqlite3.connect(uri, uri=True, timeout=_BUSY_S, isolation_level=None)
        ) as connection:
            yield connection

    def _changed_runs(self, connection: sqlite3.Connection) -> Iterator[RunRow]:
        found = set()
        for row in connection.execute(f"{_RUN} WHERE status IN {_UNFINISHED}"):
            run = _run_row(row)
            found.add(run.id)
            yield run
        newest = connection.execute(f"{_RUN} ORDER BY rowid DESC LIMIT 50").fetchall()
        for row in newest:  # short runs begin and end between two looks
            if row[0] not in found:
                found.add(row[0])
                yield _run_row(row)
        for run_id in self._open - found:
            row = connection.execute(f"{_RUN} WHERE id = ?", (run_id,)).fetchone()
            if row is not None:
                yield _run_row(row)

    def _note_nodes(self, connection: sqlite3.Connection, run_id: str, after: int) -> None:
        query = f"{_NODES} WHERE n.run_id = ? AND n.revision > ? AND n.end_us IS NOT NULL"
        for row in connection.execute(query, (run_id, after)):
            node = _node_row(row)
            self.seen_nodes.setdefault(node.place, node)

    def _last(self, run_ids: Iterable[str]) -> Iterator[RunRow]:
        return (self.seen_runs[run_id][-1] for run_id in run_ids)

    def _numbers(self) -> dict[str, int]:
        """Return, of each run tree that has not ended, a number that grows with each change."""
        numbers: dict[str, int] = {}
        for row in self._last(self._open):
            numbers[row.root_id] = numbers.get(row.root_id, 0) + row.revision
        return numbers

    def _note_recoveries(self) -> None:
        if not self._interrupted:
            return
        now, numbers = now_us(), self._numbers()
        for root, (at_us, number) in list(self._interrupted.items()):
            # A tree that is not open has ended; one that shrank has lost a member by its end.
            if numbers.get(root) != number:
                del self._interrupted[root]
                took_s = (now - at_us) / 1e6
                self.recoveries_s.append(took_s)
                self.slowest = max(self.slowest, (took_s, root))


def _run_row(row: tuple[Any, ...]) -> RunRow:
    run_id, inputs, root_id, parent_id, status, revision, attempt, ended_us = row
    return RunRow(
        id=run_id,
        name=str((json.loads(inputs) or {}).get("run", "")),
        root_id=root_id,
        parent_id=parent_id,
        status=status,
        revision=revision,
        attempt=attempt,
        ended_us=ended_us,
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

"""Looks into the database from outside, reads only, and remembers what it has seen committed."""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from backend.selfcheck.history import NodeRow, RunRow, now_us
from backend.selfcheck.rows import Rows, Snapshot
from backend.selfcheck.rules import FINAL

_LOOK_S: Final = 0.05
_TURN_S: Final = 0.0005


class Witness:
    """
    Sees runs and node executions change.

    Attributes:
        seen_runs: Each run's rows, in the order in which they changed.
        seen_nodes: Node executions that had finished, as they first were so.
        slowest: The longest time that a run needed after a kill until it went on, in seconds, with
            the run; nothing yet: 0.
    """

    def __init__(self, rows: Rows) -> None:
        """Prepare to look at *rows*, which stay the caller's and need not be there yet."""
        self.seen_runs: dict[str, list[RunRow]] = {}
        self.seen_nodes: dict[tuple[str, int], NodeRow] = {}
        self.slowest: tuple[float, str] = (0.0, "")
        self.recoveries_s: list[float] = []
        self._rows = rows
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
        with self._rows.snapshot() as snapshot:
            return sum(1 for _ in snapshot.unfinished())

    def has_ended(self, run_id: str) -> bool:
        """Tell whether a run was seen to have ended."""
        with self._lock:
            seen = self.seen_runs.get(run_id)
            return bool(seen) and seen is not None and seen[-1].status in FINAL

    def look(self) -> None:
        """Take in what is committed now."""
        # One snapshot: a run's row and those of its nodes belong together.
        with self._lock, self._rows.snapshot() as snapshot:
            rows = list(self._changed_runs(snapshot))
            for row in rows:
                before = self.seen_runs.get(row.id)
                after = -1 if before is None else before[-1].revision
                if before is None or before[-1] != row:
                    self.seen_runs.setdefault(row.id, []).append(row)
                    if row.revision > after:
                        self._note_nodes(snapshot, row.id, after)
            self._open = {row.id for row in rows if row.status not in FINAL}
            self._note_recoveries()

    def interrupted(self, at_us: int, owners: Collection[str] | None = None) -> None:
        """
        Note that what runs now was interrupted at that time; call it after `look`.

        Args:
            owners: The executors that died; None: all there are.
        """
        with self._lock:
            spared = {
                row.root_id
                for row in self._last(self._open)
                if row.status == "REVIEW" or _is_spared(row, owners)
            }
            for root, number in self._numbers().items():
                if root not in spared:
                    self._interrupted.setdefault(root, (at_us, number))

    def wait_for_commits(self, count: int, *, limit_s: float) -> bool:
        """Wait until *count* more transactions of anybody are committed; False: not in time."""
        end = time.monotonic() + limit_s
        with self._rows.ticks() as tick:
            last = tick()
            while count > 0:
                if time.monotonic() > end:
                    return False
                time.sleep(_TURN_S)
                now = tick()
                if now != last:
                    count, last = count - 1, now
        return True

    def revision_of(self, run_id: str) -> int:
        """Return the number of a run's last committed change; 0 if it is not there."""
        with self._rows.snapshot() as snapshot:
            found = snapshot.run(run_id)
            return found.revision if found else 0

    def runs_of(self, owners: Collection[str]) -> frozenset[str]:
        """Return the runs that now are at one of these executors, and run."""
        with self._rows.snapshot() as snapshot:
            return frozenset(
                row.id
                for row in snapshot.unfinished()
                if row.owner in owners and row.status == "RUNNING"
            )

    def have_moved(self, run_ids: Collection[str], owners: Collection[str]) -> bool:
        """Say whether any of these runs is at another executor than these now."""
        with self._rows.snapshot() as snapshot:
            found = [snapshot.run(run_id) for run_id in run_ids]
        return any(row is not None and row.owner not in owners for row in found)

    def open_transactions(self) -> list[str]:
        """See Rows."""
        return self._rows.open_transactions()

    def graph_ids(self) -> Mapping[str, str]:
        """Return the graph of each run."""
        with self._rows.snapshot() as snapshot:
            return snapshot.graph_ids()

    def rows(self) -> tuple[dict[str, RunRow], dict[tuple[str, int], NodeRow]]:
        """Return all runs and node executions as they are now."""
        with self._rows.snapshot() as snapshot:
            runs = {row.id: row for row in snapshot.runs()}
            return runs, {row.place: row for row in snapshot.nodes()}

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            self.look()

    def _changed_runs(self, snapshot: Snapshot) -> Iterator[RunRow]:
        found = set()
        for run in (*snapshot.unfinished(), *snapshot.newest()):
            if run.id not in found:
                found.add(run.id)
                yield run
        for run_id in self._open - found:
            last = snapshot.run(run_id)
            if last is not None:
                yield last

    def _note_nodes(self, snapshot: Snapshot, run_id: str, after: int) -> None:
        for node in snapshot.ended_nodes(run_id, after):
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


def _is_spared(row: RunRow, owners: Collection[str] | None) -> bool:
    """Say whether a tree goes on: nested runs are where their root is."""
    return owners is not None and row.parent_id is None and row.owner not in owners

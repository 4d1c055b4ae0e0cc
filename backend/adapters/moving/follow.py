"""Keeps a copy like its source while others write to that one, until nobody does any more.

Each time it copies what was noted since the last time, as it all is at one moment. So what is left
for the time in which nobody is served does not depend on how long the copy took before.
"""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from backend.adapters.database_place import Place
from backend.adapters.moving.backup import Say
from backend.adapters.moving.changes import PostgresSide, Side, SqliteSide
from backend.adapters.moving.rows import Shape, sum_of
from backend.adapters.moving.sources import postgres_connection, postgres_errors, raw_of
from backend.adapters.moving.switch import close_to_servers, put, require_nobody
from backend.adapters.moving.targets import PostgresTarget, SqliteTarget, Target, flush
from backend.adapters.storage.migrate import HEAD
from backend.core.errors import Unavailable

if TYPE_CHECKING:
    from backend.adapters.moving.move import Copied, Move

#: So few rows are copied in less time than a look at the clock is worth.
_LITTLE: Final = 500
#: If more come than can be copied, another time would leave no fewer.
_TIMES: Final = 12
_BUSY_S: Final = 10.0
#: Who looks whether servers work on a database must not find us.
_NAME: Final = b"SET application_name = 'agpt migrate'"


class Follower:
    """A copy, and where it came from; see `following`. Of one thread."""

    def __init__(self, move: "Move", copied: "Copied", source: Side, target: "Following") -> None:
        self._move = move
        self._copied = copied
        self._source = source
        self._target = target

    def settle(self, say: Say) -> None:
        """Copy what has changed, and again what has meanwhile, until it is little; then count."""
        for _ in range(_TIMES):
            count = self.catch_up()
            say(f"copying what has changed: {self._copied.noted:,}")
            if count <= _LITTLE:
                break
        self.catch_up(counts=True)

    def catch_up(self, *, counts: bool = False) -> int:
        """
        Copy what has changed since the last time, and read it back.

        Args:
            counts: All rows of all tables are counted too, on both sides.

        Returns:
            How many rows have changed.

        Raises:
            Unavailable: If what was written is not what was read.
            Conflict: If somebody works on the target.
        """
        with _errors(self._move.source), _errors(self._move.target):
            self._source.begin()
            keys = self._source.notes()
            self._target.begin()
            if keys:
                self._source.choose(keys)
                self._target.side.choose(keys)
            for shape in self._copied.shapes:
                if shape.name in keys:
                    self._copy(shape)
            if counts:
                self._count()
            # Should this be the last that is done: what is in the target twice is so once.
            self._target.keep()
            self._source.keep()
        changed = sum(map(len, keys.values()))
        self._copied.noted += changed
        return changed

    def finish(self) -> None:
        """
        Copy what has changed since, for the last time, and let servers start on the target only.

        Nobody may write to the source any more, and nobody is let into one of PostgreSQL.

        Raises:
            Unavailable: If it is not right.
            Conflict: If somebody works on one of them.
        """
        close_to_servers(self._move.source)
        self.catch_up(counts=True)
        # Who was about to start before it was closed has come by now.
        require_nobody(self._move.source)
        self._target.open()

    def _copy(self, shape: Shape) -> None:
        side, for_all = self._target.side, self._copied.sums[shape.name]
        for_all.remove(sum_of(shape, side.chosen(shape)))
        side.delete_chosen(shape.name)
        written, changed = self._target.made.fill(shape, self._source.chosen(shape))
        self._copied.changed += changed
        if sum_of(shape, side.chosen(shape)) != written:
            raise Unavailable(f"rows of {shape.name} are not what was written")
        for_all.merge(written)

    def _count(self) -> None:
        names = [shape.name for shape in self._copied.shapes]
        # Both at once: it is all that takes longer the longer the history is.
        with ThreadPoolExecutor(1) as beside:
            counting = beside.submit(lambda: [self._source.count(name) for name in names])
            ours = [self._target.side.count(name) for name in names]
            theirs = counting.result()
        for name, *counts in zip(names, theirs, ours, strict=True):
            if counts != [self._copied.sums[name].count] * 2:
                raise Unavailable(
                    f"the table {name} has {counts[0]:,} rows, its copy {counts[1]:,}: begin again"
                )


@contextmanager
def following(move: "Move", copied: "Copied") -> Iterator[Follower]:
    """
    Open the source, and the copy that `copy_running` has made of it.

    Raises:
        Unavailable: If one of them cannot be used.
    """
    with _live(move.source) as source, _opened(move) as target:
        yield Follower(move, copied, source, target)


class Following(Protocol):
    """The target, transaction by transaction."""

    made: Target
    side: Side

    def begin(self) -> None:
        """Begin what is kept or lost together."""

    def keep(self) -> None:
        """Keep it, on disk."""

    def open(self) -> None:
        """Let servers start on it; the last that is done."""


class _Postgres:
    def __init__(self, made: PostgresTarget, place: Place) -> None:
        self.made: Target = made
        self.side: Side = PostgresSide(made.connection)
        self._locked = made
        self._place = place
        self.keep()

    def begin(self) -> None:
        self._locked.take_locks(self._place)

    def keep(self) -> None:
        self.side.keep()

    def open(self) -> None:
        self.made.open_at(HEAD)
        self.keep()


class _Sqlite:
    def __init__(self, made: SqliteTarget, place: Path) -> None:
        self.made: Target = made
        self.side: Side = SqliteSide(made.connection)
        self._file = made
        self._place = place

    def begin(self) -> None:
        self.side.begin()

    def keep(self) -> None:
        self.side.keep()
        # What is not on disk by now must be put there while nobody is served.
        flush(self._file.path)

    def open(self) -> None:
        self.made.open_at(HEAD)
        self._file.close()
        put(self._file.path, self._place)


@contextmanager
def _opened(move: "Move") -> Iterator[Following]:
    if not move.target.url:
        made = SqliteTarget(move.staged, exists=True)
        with closing(made.connection):
            yield _Sqlite(made, move.target.path)
        return
    with (
        postgres_errors(move.target),
        postgres_connection(move.target.url, writes=True) as outer,
    ):
        raw_of(outer).execute(_NAME)
        yield _Postgres(PostgresTarget(outer), move.target)


@contextmanager
def _live(place: Place) -> Iterator[Side]:
    """Open a database to which others write, to read single rows of it."""
    if place.url:
        with (
            postgres_errors(place),
            postgres_connection(place.url, writes=True, isolation="REPEATABLE READ") as outer,
        ):
            raw_of(outer).execute(_NAME)
            side = PostgresSide(raw_of(outer))
            side.keep()
            yield side
        return
    with (
        _errors(place),
        closing(
            sqlite3.connect(
                place.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        ) as connection,
    ):
        yield SqliteSide(connection)


@contextmanager
def _errors(place: Place) -> Iterator[None]:
    """Tell of what a database refuses in a sentence: raises Unavailable."""
    if place.url:
        with postgres_errors(place):
            yield
        return
    try:
        yield
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {place} cannot be used: {exc}") from exc

"""
Takes the rows of an installation from one database to another, while it runs, but for a moment.

First everything is copied as it is at one moment, and read back; which rows change meanwhile is
noted. Then, when nobody writes any more, those rows are copied again. What is copied has the step
`unfinished` until all of it is right: no server starts on it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.adapters.database_place import Place
from backend.adapters.moving.backup import Say, told
from backend.adapters.moving.changes import begin_notes, end_notes
from backend.adapters.moving.emptiness import table_with_rows
from backend.adapters.moving.rows import Shape, Sum, difference, sum_of
from backend.adapters.moving.sources import (
    PostgresSource,
    Source,
    SqliteSource,
    frozen,
    postgres_connection,
    postgres_errors,
    raw_of,
)
from backend.adapters.moving.switch import (
    STAGE,
    Note,
    make_stage,
    open_to_servers,
    read_note,
    remove_stage,
    shut,
)
from backend.adapters.moving.targets import PostgresTarget, SqliteTarget, Target, flush
from backend.adapters.storage.migrate import HEAD, UNFINISHED, refuse_unknown
from backend.adapters.storage.postgres import engine_for
from backend.core.errors import CannotStart, Conflict, NotFound, Unavailable
from backend.core.ids import DEFAULT_USER_ID


@dataclass(frozen=True, kw_only=True)
class Move:
    """From where to where. *again*: what is there of this installation goes."""

    source: Place
    target: Place
    data_dir: Path
    again: bool

    @property
    def staged(self) -> Path:
        """Where a SQLite file is made."""
        return self.data_dir / STAGE / self.target.path.name


@dataclass(kw_only=True)
class Copied:
    """
    What was copied, and how it must be summed.

    Attributes:
        sums: Of the tables of the target, as they were read back.
        changed: Rows that had to lose a NUL.
        noted: Rows that were copied again.
    """

    shapes: list[Shape]
    sums: dict[str, Sum]
    changed: int = 0
    noted: int = 0

    @property
    def rows(self) -> int:
        """The rows of all tables."""
        return sum(one.count for one in self.sums.values())


def copy_running(move: Move, say: Say) -> Copied:
    """
    Copy everything as it is now, and note from now on what changes. Servers may run.

    Raises:
        NotFound, CannotStart: If the source is not there, or at another step.
        Conflict: If there are rows in the target, or somebody works on it.
        Unavailable: If one of them cannot be used. Nothing is noted any more then.
    """
    _require_movable(move)
    try:
        stage = make_stage(move.data_dir, move.source, move.target)
        begin_notes(move.source)
        with frozen(move.source, stage) as source, _new_target(move) as target:
            return _copied(source, target, say)
    except OSError as exc:
        give_up(move)
        raise Unavailable(f"{move.data_dir} cannot be written: {exc.strerror or exc}") from exc
    except BaseException:
        give_up(move)
        raise


def give_up(move: Move, *, was_opened: bool = False) -> None:
    """
    Forget it: nothing is noted any more, and servers start on the source as before.

    Args:
        was_opened: `Follower.finish` has let servers in; none has started on the copy.
    """
    if was_opened:
        shut(move.target)
    open_to_servers(move.source)
    end_notes(move.source)
    # Last: while the note is there, the next start does what is missing here.
    remove_stage(move.data_dir)


def _require_movable(move: Move) -> None:
    if move.target.url:
        engine_for(move.target.url).dispose()  # it says what is no address
    nothing = f"There is no database at {move.source}: no server was started on it yet."
    if not move.source.url and not move.source.path.exists():
        raise NotFound(nothing)
    killed = read_note(move.data_dir)
    if killed is not None and killed.source == str(move.source):
        open_to_servers(move.source)  # no server has started since
    with _read(move.source) as source:
        step, ours = source.step(), _installation(source)
    if step is None:
        raise NotFound(nothing)
    if step != HEAD:
        refuse_unknown(step, move.source, needs=None)
        raise CannotStart(f"{move.source} is at step {step}; this program needs {HEAD}.")
    _require_free(move, ours, killed)


def _require_free(move: Move, ours: object, killed: Note | None) -> None:
    table = table_with_rows(move.target)
    if table is None:
        return
    with _read(move.target) as found:
        is_ours = ours is not None and _installation(found) == ours
        is_unused = found.step() == UNFINISHED
    if not is_ours:
        raise Conflict(f"{move.target} is not empty: its table {table} has rows.")
    # Of a copy that was broken off we know that no server has ever worked on it.
    is_unused |= killed is not None and killed.target == str(move.target)
    if not move.again and not is_unused:
        raise Conflict(
            f"{move.target} has rows of this installation already; `--again` copies all anew."
        )


def _installation(source: Source) -> object:
    """Return what tells one installation from others: the moment at which its owner was made."""
    for shape in source.shapes():
        if shape.name == "users":
            owner, made = shape.names.index("id"), shape.names.index("created_us")
            return next(
                (row[made] for row in source.rows(shape) if row[owner] == DEFAULT_USER_ID), None
            )
    return None


@contextmanager
def _new_target(move: Move) -> Iterator[Target]:
    """Give an empty target; what is in it at the end is kept."""
    if not move.target.url:
        made = SqliteTarget(move.staged)
        try:
            yield made
        finally:
            made.connection.close()
        flush(move.staged)
        return
    with postgres_errors(move.target), postgres_connection(move.target.url, writes=True) as outer:
        target = PostgresTarget(outer)
        target.take_locks(move.target)
        target.drop()
        yield target
        outer.commit()


def _copied(source: Source, target: Target, say: Say) -> Copied:
    target.make(HEAD)
    done = Copied(shapes=source.shapes(), sums={})
    for shape in done.shapes:
        rows = told(source.rows(shape), f"copying rows of {shape.name}", say)
        done.sums[shape.name], changed = target.fill(shape, rows)
        done.changed += changed
    target.index()
    _compare(done, target.source, say)
    return done


def _compare(done: Copied, found: Source, say: Say) -> None:
    sums = {
        shape.name: sum_of(shape, told(found.rows(shape), f"checking {shape.name}", say))
        for shape in done.shapes
    }
    wrong = difference(done.sums, sums)
    if wrong is not None:
        raise Unavailable(f"what was copied cannot be used: {wrong}")


def check_source(place: Place, done: Copied, say: Say) -> None:
    """
    Read all that was copied once more where it came from; nobody may have written to it since.

    Raises:
        Unavailable: If it is not what was copied.
    """
    if done.changed:
        return  # the copy differs from it, in what was told
    with _read(place) as source:
        _compare(done, source, say)


@contextmanager
def _read(place: Place) -> Iterator[Source]:
    """Open a database to read it, as it is now."""
    if place.url:
        with postgres_errors(place), postgres_connection(place.url, writes=False) as outer:
            yield PostgresSource(raw_of(outer))
        return
    try:
        with closing(sqlite3.connect(place.path, isolation_level=None)) as connection:
            yield SqliteSource(connection)
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {place} cannot be read: {exc}") from exc

"""
Takes the rows of an installation from one database to another, while it runs, but for a moment.

First everything is copied as it is at one moment, and read back; which rows change meanwhile is
noted. Then, when nobody writes any more, those rows are copied again. What is copied has the step
`unfinished` until all of it is right: no server starts on it.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend.adapters.database_place import Place
from backend.adapters.files.draft import sync_folder
from backend.adapters.moving.backup import Say, told
from backend.adapters.moving.changes import (
    PostgresSide,
    Side,
    SqliteSide,
    begin_notes,
    end_notes,
)
from backend.adapters.moving.emptiness import table_with_rows
from backend.adapters.moving.restore import write_ahead_into
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
from backend.adapters.moving.targets import PostgresTarget, SqliteTarget, Target, flush
from backend.adapters.storage.migrate import HEAD
from backend.adapters.storage.postgres import engine_for
from backend.core.errors import CannotStart, Conflict, NotFound, Unavailable
from backend.core.ids import DEFAULT_USER_ID

#: The folder of the data directory in which a SQLite file is made, and copied.
STAGE: Final = "moving"


@dataclass(frozen=True, kw_only=True)
class Move:
    """From where to where. *again*: what is there of this installation goes."""

    source: Place
    target: Place
    data_dir: Path
    again: bool


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
    stage = move.data_dir / STAGE
    try:
        if stage.exists():
            shutil.rmtree(stage)  # of one that was killed
        stage.mkdir(mode=0o700)
        begin_notes(move.source)
        with frozen(move.source, stage) as source, _new_target(move, stage) as target:
            return _copied(source, target, say)
    except OSError as exc:
        give_up(move)
        raise Unavailable(f"{stage} cannot be written: {exc.strerror or exc}") from exc
    except BaseException:
        give_up(move)
        raise


def give_up(move: Move) -> None:
    """Note nothing any more, and forget what was made of a SQLite file."""
    end_notes(move.source)
    shutil.rmtree(move.data_dir / STAGE, ignore_errors=True)


def _require_movable(move: Move) -> None:
    if move.target.url:
        engine_for(move.target.url).dispose()  # it says what is no address
    nothing = f"There is no database at {move.source}: no server was started on it yet."
    if not move.source.url and not move.source.path.exists():
        raise NotFound(nothing)
    with _side(move.source) as (source, _):
        step, ours = source.step(), _installation(source)
    if step is None:
        raise NotFound(nothing)
    if step != HEAD:
        raise CannotStart(f"{move.source} is at step {step}; this program needs {HEAD}.")
    table = table_with_rows(move.target)
    if table is None:
        return
    with _side(move.target) as (found, _):
        is_ours = ours is not None and _installation(found) == ours
    if not is_ours:
        raise Conflict(f"{move.target} is not empty: its table {table} has rows.")
    if not move.again:
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
def _new_target(move: Move, stage: Path) -> Iterator[Target]:
    """Give an empty target; what is in it at the end is kept."""
    if not move.target.url:
        made = SqliteTarget(stage / move.target.path.name)
        try:
            yield made
        finally:
            made.connection.close()
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


def finish(move: Move, done: Copied) -> None:
    """
    Copy what has changed since, check it, and let servers start on the target.

    Nobody may write to the source any more. What was noted is forgotten.

    Raises:
        Unavailable: If it is not right; the source is as it was, and no server starts on the target.
    """
    with _side(move.source) as (_, source):
        if move.target.url:
            place = move.target
            with postgres_errors(place), postgres_connection(place.url, writes=True) as outer:
                made = PostgresTarget(outer)
                made.take_locks(place)
                _catch_up(source, PostgresSide(made.connection), made, done)
                outer.commit()
        else:
            staged = move.data_dir / STAGE / move.target.path.name
            again = SqliteTarget(staged, exists=True)
            _catch_up(source, SqliteSide(again.connection), again, done)
            again.close()
            _put(staged, move.target.path)
    give_up(move)


def _catch_up(source: Side, side: Side, target: Target, done: Copied) -> None:
    keys = source.notes()
    side.note(keys)
    done.noted = sum(map(len, keys.values()))
    for shape in done.shapes:
        if shape.name in keys:
            for_all = done.sums[shape.name]
            for_all.remove(sum_of(shape, side.noted(shape)))
            side.delete_noted(shape.name)
            written, changed = target.fill(shape, source.noted(shape))
            done.changed += changed
            if sum_of(shape, side.noted(shape)) != written:
                raise Unavailable(f"rows of {shape.name} are not what was written")
            for_all.merge(written)
        counts = source.count(shape.name), side.count(shape.name), done.sums[shape.name].count
        if len(set(counts)) != 1:
            raise Unavailable(
                f"the table {shape.name} has {counts[0]:,} rows, its copy {counts[1]:,}: begin again"
            )
    target.open_at(HEAD)


def check_source(place: Place, done: Copied, say: Say) -> None:
    """
    Read all that was copied once more where it came from; nobody may have written to it since.

    Raises:
        Unavailable: If it is not what was copied.
    """
    if done.changed:
        return  # the copy differs from it, in what was told
    with _side(place) as (source, _):
        _compare(done, source, say)


def set_aside(path: Path, name: str) -> Path:
    """Give a SQLite file that nobody uses any more another name, so that no server starts on it."""
    write_ahead_into(path)
    aside = path.with_name(name)
    path.rename(aside)
    sync_folder(path.parent)
    return aside


def _put(staged: Path, place: Path) -> None:
    flush(staged)
    if place.exists():
        write_ahead_into(place)
        place.rename(place.with_name(f"{place.name}.before"))
    staged.rename(place)
    sync_folder(place.parent)


@contextmanager
def _side(place: Place) -> Iterator[tuple[Source, Side]]:
    """Open a database to read it, as it is now."""
    if place.url:
        with postgres_errors(place), postgres_connection(place.url, writes=False) as outer:
            yield PostgresSource(raw_of(outer)), PostgresSide(raw_of(outer))
        return
    try:
        with closing(sqlite3.connect(place.path, isolation_level=None)) as connection:
            yield SqliteSource(connection), SqliteSide(connection)
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {place} cannot be read: {exc}") from exc

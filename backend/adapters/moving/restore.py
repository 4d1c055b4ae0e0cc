"""Puts an archive back: files and rows, all of them or none."""

import io
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from backend.adapters.database_place import Place
from backend.adapters.files.draft import sync_folder
from backend.adapters.files.trees import BucketTree
from backend.adapters.moving.archive import Manifest
from backend.adapters.moving.archive_reader import Visitor, verify, walk
from backend.adapters.moving.backup import Say, told
from backend.adapters.moving.emptiness import STAGE, require_empty, table_with_rows
from backend.adapters.moving.filling import BucketFiller
from backend.adapters.moving.places import FILES, FOLDERS, KEYS
from backend.adapters.moving.rows import Sum, difference, row_of, sum_of
from backend.adapters.moving.sources import postgres_connection, postgres_errors
from backend.adapters.moving.targets import PostgresTarget, SqliteTarget, Target, flush
from backend.adapters.storage.migrate import HEAD, migrate, to_step
from backend.core.errors import CannotStart, Unavailable

_COPIED: Final = 1024 * 1024
#: A restore needs some room beside what it writes.
_SPARE: Final = 64 * 1024 * 1024
_TOLD_FILES: Final = 1_000
_IN_FILES: Final = f"{FILES}/"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """
    Where an archive is to go.

    Attributes:
        place: For the rows.
        data_dir: For the files; nobody else may use it meanwhile.
        bucket: For files of users and runs, if they do not lie there.
        replaces: What is there goes: files and SQLite files into a folder of their own.
    """

    archive: Path
    place: Place
    data_dir: Path
    replaces: bool
    now_us: int
    bucket: BucketTree | None = None


@dataclass(frozen=True, kw_only=True)
class Restored:
    """
    What was put back.

    Attributes:
        aside: Where lies what was there before; None if there was nothing.
        changed: Rows that had to lose a NUL, which texts of PostgreSQL do not have.
    """

    manifest: Manifest
    aside: Path | None
    changed: int


def restore(wish: Wish, say: Say) -> Restored:
    """
    Check all of the archive, write it beside what is there, check that, and put it in its place.

    Raises:
        BadRequest: If it is no whole archive.
        CannotStart: If it is of a newer program.
        Conflict: If there is something already, and it is not to be replaced.
        Unavailable: If it cannot be written. Nothing has changed in all these cases.
    """
    manifest = verify(wish.archive, say)
    if manifest.step > HEAD:
        raise CannotStart(
            f"{wish.archive} is at step {manifest.step}, made by a newer agpt; this one knows steps"
            f" up to {HEAD}: install the newer one."
        )
    if not wish.replaces:
        has_files = not manifest.header.get("without_bucket")
        require_empty(wish.place, wish.data_dir, wish.bucket, needs_bucket=has_files)
    stage = wish.data_dir / STAGE
    try:
        if stage.exists():
            shutil.rmtree(stage)  # of one that was killed
        _require_room(wish, manifest)
        stage.mkdir(mode=0o700)
        try:
            return _restored(wish, manifest, stage, say)
        finally:
            shutil.rmtree(stage)
    except OSError as exc:
        raise Unavailable(f"{wish.data_dir} cannot be written: {exc.strerror or exc}") from exc


def _require_room(wish: Wish, manifest: Manifest) -> None:
    needed = (0 if wish.bucket else manifest.file_bytes) + _SPARE
    if not wish.place.url:
        needed += wish.archive.stat().st_size - manifest.file_bytes
    free = shutil.disk_usage(wish.data_dir).free
    if free < needed:
        raise Unavailable(
            f"{wish.data_dir} has {free / 1e6:,.0f} MB free; this archive needs"
            f" {needed / 1e6:,.0f} MB or more"
        )


def _restored(wish: Wish, manifest: Manifest, stage: Path, say: Say) -> Restored:
    with _bucket_filler(wish) as bucket, _target(wish, stage) as (target, put_rows):
        target.make(manifest.step)
        filler = _Filler(target, manifest, stage, bucket, say)
        walk(
            wish.archive,
            Visitor(rows=filler.rows, file=filler.file, link=filler.link, key=filler.key),
        )
        if bucket is not None:
            bucket.finish()
        target.index()
        _check(manifest, target, filler, say)
        target.open_at(manifest.step)
        say("putting it in its place")
        placer = _Placer(wish, stage)
        for top in (*FOLDERS, KEYS):
            if bucket is None or top != FILES:
                placer.put(top)
        # Last: until then it is as if nothing had been done.
        put_rows(placer)
        if bucket is not None:
            bucket.unmark()
    return Restored(manifest=manifest, aside=placer.used, changed=filler.changed)


def _bucket_filler(wish: Wish) -> AbstractContextManager["BucketFiller | None"]:
    if wish.bucket is None:
        return nullcontext()
    return BucketFiller(wish.bucket, merges=wish.replaces)


@contextmanager
def _target(wish: Wish, stage: Path) -> Iterator[tuple[Target, Callable[["_Placer"], None]]]:
    """Give what the rows go into, and what puts that in its place."""
    if not wish.place.url:
        staged = stage / wish.place.path.name
        made = SqliteTarget(staged)

        def put_file(placer: "_Placer") -> None:
            made.close()
            migrate(staged)
            flush(staged)
            placer.put_database()

        try:
            yield made, put_file
        finally:
            made.connection.close()
        return
    with postgres_errors(wish.place), postgres_connection(wish.place.url, writes=True) as outer:
        target = PostgresTarget(outer)
        target.take_locks(wish.place)
        target.drop()

        def commit(_: "_Placer") -> None:
            to_step(outer, HEAD)
            outer.commit()

        yield target, commit


class _Filler:
    """Puts the members of an archive where they are made ready."""

    def __init__(
        self,
        target: Target,
        manifest: Manifest,
        stage: Path,
        bucket: BucketFiller | None,
        say: Say,
    ) -> None:
        self._target = target
        self._shapes = {shape.name: shape for shape in manifest.shapes}
        self._stage = stage
        self._bucket = bucket
        self._say = say
        self.expected = {name: Sum() for name in self._shapes}
        self.changed = 0
        self._files = 0

    def rows(self, table: str, lines: list[bytes]) -> None:
        shape = self._shapes[table]
        row = row_of(shape)
        total, changed = self._target.fill(shape, map(row, lines))
        self.expected[table].merge(total)
        self.changed += changed
        self._say(f"writing rows of {table}: {self.expected[table].count:,}")

    def file(self, name: str, source: Any) -> None:
        if self._bucket is not None and name.startswith(_IN_FILES):
            self._bucket.file(name.removeprefix(_IN_FILES), source, source.size)
        else:
            self._write(name, source)
        self._files += 1
        if self._files % _TOLD_FILES == 0:
            self._say(f"writing files: {self._files:,}")

    def _write(self, name: str, source: Any) -> None:
        place = self._made(name)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while piece := source.read(_COPIED):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def link(self, name: str, to: str) -> None:
        if self._bucket is not None and name.startswith(_IN_FILES):
            self._bucket.link(name.removeprefix(_IN_FILES), to.removeprefix(_IN_FILES))
            return
        os.link(self._stage / to, self._made(name))

    def key(self, name: str, content: bytes) -> None:
        self._write(name, io.BytesIO(content))

    def _made(self, name: str) -> Path:
        place = self._stage / name
        # One by one: those between would be open to others.
        for folder in reversed(place.relative_to(self._stage).parents[:-1]):
            (self._stage / folder).mkdir(mode=0o700, exist_ok=True)
        return place


def _check(manifest: Manifest, target: Target, filler: _Filler, say: Say) -> None:
    """Read back what was written. Raises Unavailable if it is not what the archive has."""
    found: dict[str, Sum] = {}
    for shape in manifest.shapes:
        rows = told(target.source.rows(shape), f"checking rows of {shape.name}", say)
        found[shape.name] = sum_of(shape, rows)
    wrong = difference(filler.expected, found)
    for name, (count, total) in manifest.sums.items():
        is_other = not filler.changed and found[name].hex != total
        if wrong is None and (found[name].count != count or is_other):
            wrong = f"the rows of the table {name} are not those of the archive"
    if wrong is not None:
        raise Unavailable(f"what was written cannot be used: {wrong}")


class _Placer:
    """Gives what is ready its name, and what had the name before a folder of its own."""

    def __init__(self, wish: Wish, stage: Path) -> None:
        self._wish = wish
        self._stage = stage
        moment = datetime.fromtimestamp(wish.now_us / 1e6, UTC)
        self._aside = wish.data_dir / f"replaced-{moment:%Y%m%dT%H%M%S}"
        self.used: Path | None = None

    def put(self, top: str) -> None:
        """Put a folder in its place; keys only if there are others."""
        staged, place = self._stage / top, self._wish.data_dir / top
        if not staged.is_dir() and top == KEYS:
            return
        if place.is_dir() and any(place.iterdir()):
            self._set_aside().mkdir(mode=0o700, exist_ok=True)
            place.rename(self._aside / top)
        if staged.is_dir():
            if place.is_dir():
                place.rmdir()
            staged.rename(place)
        sync_folder(self._wish.data_dir)

    def put_database(self) -> None:
        """Put the file of the rows in its place."""
        place = self._wish.place.path
        if place.exists():
            # All of it into the file itself: the new one must not find the log of the old one.
            write_ahead_into(place)
            if table_with_rows(Place(place)) is not None:
                self._set_aside().mkdir(mode=0o700, exist_ok=True)
                os.link(place, self._aside / place.name)
        (self._stage / place.name).rename(place)
        sync_folder(self._wish.data_dir)

    def _set_aside(self) -> Path:
        self.used = self._aside
        return self._aside


def write_ahead_into(path: Path) -> None:
    """Carry the log of a database file over into it. Nobody else may have it open."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError as exc:
        raise Unavailable(f"the database {path} cannot be read: {exc}") from exc
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)

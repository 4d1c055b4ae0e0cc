"""Makes an archive of an installation, while it runs; see archive.py for what is in it."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backend import __version__
from backend.adapters.database_place import Place
from backend.adapters.files.draft import sync_folder
from backend.adapters.files.trees import BucketTree
from backend.adapters.moving.archive import Manifest, Writer
from backend.adapters.moving.archive_reader import verify
from backend.adapters.moving.places import KEYS, FileCopier
from backend.adapters.moving.rows import Row
from backend.adapters.moving.sources import Source, frozen
from backend.adapters.storage.migrate import HEAD
from backend.core.errors import CannotStart, Conflict, NotFound, Unavailable

Say = Callable[[str], None]

_TOLD_FILES: Final = 1_000
_TOLD_ROWS: Final = 20_000
_WORK: Final = re.compile(r"\.agpt-backup\.(\d+)")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """
    What is to be copied.

    Attributes:
        place: Of the rows.
        data_dir: Of the files.
        bucket: Of files of users and runs, if they do not lie there.
        leaves_bucket: They are not copied.
        key: Tells the key that seals secrets from others; not the key.
        with_keys: The keys too.
    """

    place: Place
    data_dir: Path
    key: str
    with_keys: bool
    now_us: int
    bucket: BucketTree | None = None
    leaves_bucket: bool = False


def back_up(wanted: Wanted, target: Path, say: Say) -> Manifest:
    """
    Write the archive *target*, read it back, and only then give it its name. Servers may run.

    Raises:
        Conflict: If there is such a file.
        NotFound, CannotStart: If there are no rows, or they are of a newer program.
        Unavailable: If something cannot be read or written; *target* is not there then.
    """
    if target.exists():
        raise Conflict(f"{target} is there already: give another name, or a folder.")
    try:
        with _workplace(target.parent) as folder:
            part = folder / "archive.tar"
            _write(wanted, part, folder, say)
            manifest = verify(part, say)
            if target.exists():
                raise Conflict(f"{target} is there already: give another name, or a folder.")
            part.rename(target)
            sync_folder(target.parent)
            return manifest
    except OSError as exc:
        raise Unavailable(f"{target} cannot be written: {exc.strerror or exc}") from exc


def _write(wanted: Wanted, part: Path, folder: Path, say: Say) -> None:
    with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
        header = {
            "program": __version__,
            "step": _step_of(wanted.place),
            "database": "postgresql" if wanted.place.url else "sqlite",
            "made_us": wanted.now_us,
            "key": wanted.key,
            "without_bucket": wanted.leaves_bucket,
        }
        writer = Writer(file, header)
        in_bucket = wanted.bucket is not None or wanted.leaves_bucket
        bucket = None if wanted.leaves_bucket else wanted.bucket
        copier = FileCopier(wanted.data_dir, writer, bucket, in_bucket=in_bucket)
        # First most of the files, then the rows as they are at one moment, then the files that came
        # in between: a file is there before a row names it.
        _copy_files(copier, say)
        with frozen(wanted.place, folder) as source:
            if source.step() != header["step"]:
                raise Unavailable("the database was upgraded meanwhile: try again")
            _copy_files(copier, say)
            _copy_rows(source, writer, say)
        if wanted.with_keys:
            for key in sorted((wanted.data_dir / KEYS).glob("*.key")):
                writer.keys(f"{KEYS}/{key.name}", key.read_bytes())
        writer.close()
        file.flush()
        os.fsync(file.fileno())


def _step_of(place: Place) -> str:
    from backend.adapters.storage.doctor import reading  # noqa: PLC0415 - see dialects.py
    from backend.adapters.storage.migrate import current_version  # noqa: PLC0415 - the same

    with reading(place) as connection:
        step = current_version(connection)
    if step is None:
        raise NotFound(f"There is no database at {place}: no server has been started on it yet.")
    if step > HEAD:
        raise CannotStart(
            f"The database {place} is at step {step}; this agpt knows steps up to {HEAD}:"
            " use the one that made it."
        )
    return step


def _copy_files(copier: FileCopier, say: Say) -> None:
    for count in copier.copy():
        if count % _TOLD_FILES == 0:
            say(f"copying files: {count:,}")


def _copy_rows(source: Source, writer: Writer, say: Say) -> None:
    for shape in source.shapes():
        writer.rows(shape, told(source.rows(shape), f"copying rows of {shape.name}", say))


def told(rows: Iterable[Row], what: str, say: Say) -> Iterator[Row]:
    """Yield *rows*, and say how far it is."""
    for count, row in enumerate(rows):
        if count % _TOLD_ROWS == 0:
            say(f"{what}: {count:,}" if count else what)
        yield row


@contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    """Give a folder beside the target, gone afterwards; also those of programs that were killed."""
    if not parent.is_dir():
        raise NotFound(f"There is no folder {parent}.")
    for left in parent.glob(".agpt-backup.*"):
        match = _WORK.fullmatch(left.name)
        if match and not _is_alive(int(match[1])):
            shutil.rmtree(left)
    made = parent / f".agpt-backup.{os.getpid()}"
    made.mkdir(mode=0o700)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

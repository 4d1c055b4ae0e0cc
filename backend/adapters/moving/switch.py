"""The steps by which an installation leaves one database for another, and how each is taken back.

At every moment servers can start on one of the two at most. Of one that was killed between two steps
a note in the folder `moving` tells, until a server starts again, or the move is begun again.
"""

import json
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from backend.adapters.database_place import Place
from backend.adapters.files.draft import sync_folder
from backend.adapters.moving.changes import end_notes
from backend.adapters.moving.restore import write_ahead_into
from backend.adapters.moving.sources import (
    postgres_by_statement,
)
from backend.adapters.storage.migrate import HEAD, MOVED, UNFINISHED
from backend.adapters.storage.postgres import SERVERS
from backend.core.errors import Conflict

#: The folder of the data directory in which a SQLite file is made, and copied.
STAGE: Final = "moving"
_NOTE: Final = "move.json"
#: A session is seen a little longer than the process that had it.
_GONE_S: Final = 5.0
_LOOK_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Note:
    """From where to where a move goes, or went until it was killed; without passwords."""

    source: str
    target: str


def read_note(data_dir: Path) -> Note | None:
    """Return the note of a move that works or was killed; None if there is none that can be read."""
    try:
        return Note(**json.loads((data_dir / STAGE / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def make_stage(data_dir: Path, source: Place, target: Place) -> Path:
    """Make the folder anew, with the note. Raises OSError."""
    stage = data_dir / STAGE
    if stage.exists():
        shutil.rmtree(stage)  # of one that was killed
    stage.mkdir(mode=0o700)
    with (stage / _NOTE).open("w", encoding="utf-8") as file:
        json.dump({"source": str(source), "target": str(target)}, file)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(stage)
    sync_folder(data_dir)
    return stage


def remove_stage(data_dir: Path) -> None:
    """Remove the folder. Twice is harmless."""
    shutil.rmtree(data_dir / STAGE, ignore_errors=True)


def settle_killed(data_dir: Path, place: Place, *, file: Path) -> None:
    """
    Do for a move that was killed what it would have done, before a server starts on *place*.

    Args:
        file: Where a SQLite file of this installation has its name.
    """
    note = read_note(data_dir)
    if note is not None and note.source == str(place):
        open_to_servers(place)
    elif note is not None and note.source == str(file) and file.exists():
        moment = datetime.fromtimestamp(time.time(), UTC)
        set_aside(file, name_aside(file, moment))
    if place.url or place.path.exists():
        end_notes(place)
    remove_stage(data_dir)


def close_to_servers(place: Place) -> None:
    """
    Let no server start on a database of PostgreSQL any more; of a file the lock keeps them away.

    Raises:
        Conflict: If one works on it. No other one starts all the same.
    """
    if place.url:
        _turn(place, HEAD, MOVED)
        require_nobody(place)


def open_to_servers(place: Place) -> None:
    """Take `close_to_servers` back. Harmless where nothing is closed."""
    if place.url:
        _turn(place, MOVED, HEAD)


def require_nobody(place: Place) -> None:
    """Wait some seconds until no server and no command has a session there. Raises Conflict."""
    if not place.url:
        return
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name ~ %s"
    )
    until = time.monotonic() + _GONE_S
    with postgres_by_statement(place) as server:
        server.execute(b"SET application_name = 'agpt migrate'")
        while (found := server.execute(query.encode(), (SERVERS,)).fetchone()) != (0,):
            if time.monotonic() > until:
                assert found is not None
                raise Conflict(
                    f"Other servers or commands work on {place} ({found[0]} sessions): stop them"
                    " all, and begin again."
                )
            time.sleep(_LOOK_S)


def shut(place: Place) -> None:
    """Take it back that servers may start on a copy which nobody has used."""
    if place.url:
        _turn(place, HEAD, UNFINISHED)
        return
    place.path.unlink(missing_ok=True)


def put(staged: Path, place: Path) -> None:
    """Give a file that is whole and on disk its name; what had the name gets another one."""
    if place.exists():
        write_ahead_into(place)
        place.rename(place.with_name(f"{place.name}.before"))
    staged.rename(place)
    sync_folder(place.parent)


def name_aside(path: Path, moment: datetime) -> str:
    """Return the name of a file whose rows went to another database at *moment*."""
    return f"{path.name}.moved-{moment:%Y%m%dT%H%M%S}"


def set_aside(path: Path, name: str) -> Path:
    """Give a SQLite file that nobody uses any more another name, so that no server starts on it."""
    write_ahead_into(path)
    aside = path.with_name(name)
    path.rename(aside)
    sync_folder(path.parent)
    return aside


def _turn(place: Place, before: str, after: str) -> None:
    query = "UPDATE alembic_version SET version_num = %s WHERE version_num = %s"
    with postgres_by_statement(place) as server:
        server.execute(query.encode(), (after, before))

"""Brings the database of an installation up to date, with a way back. Part of wiring.py."""

from typing import Final

from sqlalchemy import Connection, inspect

from backend.adapters.clock import SystemClock
from backend.adapters.database_place import Place
from backend.adapters.storage.migrate import HEAD, current_version, migrate
from backend.core.errors import CannotStart
from backend.settings import Settings
from backend.wiring import database_path, database_place

#: The lock of `agpt migrate`, among those of services; the table and the folder that it needs
#: meanwhile. Named here too, so that a start does not load what moves.
MOVE: Final = "move"
NOTES: Final = "agpt_move_notes"
STAGE: Final = "moving"
_KEPT: Final = 2


def bring_up_to_date(settings: Settings, *, goal: str = HEAD, only_adds: bool = False) -> str:
    """
    Make the tables that this program needs, or take the steps to them: all of them, or none.

    Blocks. Before steps are taken, a SQLite file is copied beside itself, and with
    UPGRADE_RESTORE_POINT=backup an archive is made of either kind of database.

    Args:
        goal: A step before the newest, for a server that does not know that one.
        only_adds: Stop before the first step that does not only add: members of a cluster may be at
            work that do not know it.

    Returns:
        What was done: "current", "created" or "upgraded from …".

    Raises:
        CannotStart: If it was made by a newer program, cannot be used, or there is no room for a copy.
        Unavailable: If the archive cannot be made.
    """
    place = database_place(settings)
    if settings.upgrade_restore_point == "backup":
        _back_up(settings, place)
    if place.url:
        from backend.adapters.storage.migrate_postgres import migrate_postgres

        done = migrate_postgres(place.url, goal=goal, only_adds=only_adds)
    else:
        done = migrate(place.path, keeps_copy=settings.upgrade_restore_point == "copy", goal=goal)
    return done


def has_notes(connection: Connection) -> bool:
    """Say whether an `agpt migrate` that works, or was killed, has changes noted here."""
    return inspect(connection).has_table(NOTES)


def has_stage(settings: Settings) -> bool:
    """Say whether an `agpt migrate` works on the data directory, or was killed there."""
    return (settings.agpt_data_dir / STAGE).exists()


def forget_broken_move(settings: Settings) -> bool:
    """
    Do what is left to do of an `agpt migrate` that was killed; say whether there was something.

    Changes are noted no more, and what must not be used any more cannot be. Blocks. One that works
    holds its lock, and is left alone.

    Raises:
        Unavailable: If a database cannot be used.
    """
    from backend.adapters.storage.doctor import reading
    from backend.util.locks import take_service

    place = database_place(settings)
    if not has_stage(settings):
        with reading(place) as connection:
            if not has_notes(connection):
                return False
    try:
        lock = take_service(settings.agpt_data_dir, MOVE)
    except CannotStart:
        return False
    try:
        from backend.adapters.moving.switch import settle_killed

        settle_killed(settings.agpt_data_dir, place, file=database_path(settings))
    finally:
        lock.release()
    return True


def _back_up(settings: Settings, place: Place) -> None:
    """Make an archive, if steps are to be taken; of older ones made so, one stays."""
    from backend.adapters.moving.backup import Wanted, back_up
    from backend.adapters.storage.doctor import reading
    from backend.adapters.vault import fingerprint, keys_in

    if not place.url and not place.path.exists():
        return
    with reading(place) as connection:
        step = current_version(connection)
    if step is None or step >= HEAD:
        return
    folder = settings.agpt_data_dir / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    now_us = SystemClock().now_us()
    wanted = Wanted(
        place=place,
        data_dir=settings.agpt_data_dir,
        key=fingerprint(keys_in(settings.encryption_key.get_secret_value())[0]),
        with_keys=False,
        now_us=now_us,
        # Steps of the tables leave files alone.
        leaves_bucket=bool(settings.files_url),
    )
    path = folder / f"before-{HEAD}-{now_us}.tar"
    back_up(wanted, path, lambda _: None)
    older = sorted(folder.glob("before-*.tar"), key=lambda one: one.stat().st_mtime)
    for one in older[:-_KEPT]:
        one.unlink()

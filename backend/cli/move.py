"""`agpt migrate`: takes an installation from one database to another, and stops it for a moment only."""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backend.adapters.database_place import Place
from backend.cli.backup import progress
from backend.cli.options import json_option, print_json
from backend.cli.pidfile import get_pid
from backend.cli.server import (
    data_dir_option,
    overrides_of,
    server_status,
    start_server,
    stop_server,
)
from backend.core.errors import AgentServerError, BadRequest, CannotStart, Conflict

if TYPE_CHECKING:
    from backend.adapters.moving.move import Copied, Move
    from backend.settings import Settings
    from backend.util.locks import HeldLock

#: So long somebody has time to stop a server that this command may not stop.
_WAIT_S: Final = 600.0
_LOOK_S: Final = 0.1
_SQLITE: Final = "sqlite:"
_SETTING: Final = "database_url"


@dataclass(kw_only=True)
class _Moved:
    """
    How it went.

    Attributes:
        stop_s: How long nobody served; *copy_s* of it is neither stopping nor starting.
        aside: Where the old file is now.
    """

    copied: "Copied"
    stop_s: float = 0.0
    copy_s: float = 0.0
    aside: Path | None = None
    is_started: bool = False


@click.command()
@click.option("--to", "address", required=True, help="postgresql://…, or `sqlite:` for the file.")
@click.option("--switch", "switches", is_flag=True, help="Stop, set DATABASE_URL, start again.")
@click.option("--again", is_flag=True, help="In the place of an earlier copy of this installation.")
@json_option
@data_dir_option
def migrate(
    *, address: str, switches: bool, again: bool, as_json: bool, data_dir: Path | None
) -> None:
    """
    Copy all rows into another database, in which there is nothing yet; the server may run.

    Most is copied while it runs. With --switch the background server is then stopped, what has
    changed since is copied and checked, DATABASE_URL is written into `config.json` of the data
    directory, and the server is started again: a few seconds. Without --switch the command waits
    until somebody has stopped the server, and says what is to be set. Files and keys stay where
    they are. If it fails, or is killed, the old database is as it was: begin again.
    """
    from backend.adapters.moving.move import Move  # noqa: PLC0415 -- help does without
    from backend.settings import load_settings  # noqa: PLC0415 -- the same
    from backend.wiring import database_path, database_place  # noqa: PLC0415 -- the same

    settings, sources = load_settings(overrides_of(data_dir))
    target = Place(database_path(settings), "" if address == _SQLITE else address)
    source = database_place(settings)
    if target == source:
        raise BadRequest(f"{source} is where the rows are already.")
    if switches and sources[_SETTING] not in ("default", str(_config(settings))):
        raise BadRequest(
            f"DATABASE_URL is set in {sources[_SETTING]}, which stands before config.json: --switch"
            " cannot change it. Go without, and change it there."
        )
    move = Move(source=source, target=target, data_dir=settings.agpt_data_dir, again=again)
    done = _moved(settings, move, switches=switches)
    _say(move, done, switches=switches, as_json=as_json)


def _moved(settings: "Settings", move: "Move", *, switches: bool) -> _Moved:
    from backend.adapters.moving.move import check_source, copy_running  # noqa: PLC0415 -- help does without
    from backend.util.locks import take_service  # noqa: PLC0415 -- the same
    from backend.wiring_upgrade import MOVE  # noqa: PLC0415 -- the same

    alone = take_service(settings.agpt_data_dir, MOVE)
    try:
        say = progress()
        copied = copy_running(move, say)
        done = _switched(settings, move, copied, switches=switches)
        old = move.source if done.aside is None else Place(done.aside)
        check_source(old, copied, say)
        return done
    finally:
        alone.release()


def _switched(settings: "Settings", move: "Move", copied: "Copied", *, switches: bool) -> _Moved:
    """Take over: with the server stopped, copy what has changed since."""
    from backend.adapters.moving.move import finish, give_up, set_aside  # noqa: PLC0415 -- help does without

    data_dir = settings.agpt_data_dir
    begun_s = time.monotonic()
    has_stopped, lock = False, None
    try:
        has_stopped = switches and _is_ours(data_dir) and stop_server().pid is not None
        lock = _alone(data_dir, wait_s=5.0 if has_stopped else _WAIT_S)
        alone_s = time.monotonic()
        begun_s = begun_s if has_stopped else alone_s
        finish(move, copied)
        done = _Moved(copied=copied)
        if switches:
            _set(settings, move.target.url)
            if not move.source.url:
                moment = datetime.fromtimestamp(time.time(), UTC)
                name = f"{move.source.path.name}.moved-{moment:%Y%m%dT%H%M%S}"
                done.aside = set_aside(move.source.path, name)
        done.copy_s = time.monotonic() - alone_s
    except BaseException:
        give_up(move)
        if lock is not None:
            lock.release()
        if has_stopped:
            _start(data_dir)
        raise
    lock.release()
    if has_stopped:
        _start(data_dir)
        done.is_started = True
    done.stop_s = time.monotonic() - begun_s
    return done


def _is_ours(data_dir: Path) -> bool:
    """Say whether the server that works on the data directory is the one that `agpt stop` stops."""
    pid = server_status(data_dir)["pid"]
    return pid is not None and pid == get_pid()


def _alone(data_dir: Path, *, wait_s: float) -> "HeldLock":
    """Wait until no server works on the data directory, and keep it so."""
    from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- help does without

    if server_status(data_dir)["state"] == "running":
        click.echo("Everything is copied. Stop the server now: what has changed follows.", err=True)
    end_s = time.monotonic() + wait_s
    while True:
        try:
            return take_data_dir_alone(data_dir)
        except CannotStart as exc:
            if time.monotonic() > end_s:
                raise Conflict(f"The server did not stop, so nothing was changed. {exc}") from exc
            time.sleep(_LOOK_S)


def _start(data_dir: Path) -> None:
    try:
        start_server({"agpt_data_dir": str(data_dir)})
    except AgentServerError as exc:
        click.echo(f"agpt: the server was stopped, and does not start: {exc}", err=True)


def _config(settings: "Settings") -> Path:
    return settings.agpt_data_dir / "config.json"


def _set(settings: "Settings", url: str) -> None:
    """Write where the rows are into `config.json`: all of it, or nothing."""
    from backend.adapters.files.draft import sync_folder  # noqa: PLC0415 -- help does without

    path = _config(settings)
    values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    values = {name: value for name, value in values.items() if name.lower() != _SETTING}
    if url:
        values[_SETTING] = url
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(values, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def _say(move: "Move", done: _Moved, *, switches: bool, as_json: bool) -> None:
    copied = done.copied
    if as_json:
        print_json(
            {
                "from": str(move.source),
                "to": str(move.target),
                "rows": copied.rows,
                "changed_meanwhile": copied.noted,
                "rows_without_nul": copied.changed,
                "stop_s": round(done.stop_s, 2),
                "copy_s": round(done.copy_s, 2),
                "switched": switches,
                "started": done.is_started,
                "aside": None if done.aside is None else str(done.aside),
            }
        )
        return
    if copied.changed:
        click.echo(
            f"{copied.changed:,} rows had a NUL in a text, which PostgreSQL cannot keep: U+FFFD stands"
            " in its place.",
            err=True,
        )
    if done.aside is not None:
        click.echo(
            f"The old file is {done.aside} now; delete it when you do not need it.", err=True
        )
    what = f"{copied.rows:,} rows are in {move.target}, checked; {copied.noted:,} changed meanwhile"
    if switches:
        served = "the server runs on it" if done.is_started else "`agpt start` runs on it"
        click.echo(f"{what}; {served}, after {done.stop_s:.1f} s.")
        return
    setting = "unset DATABASE_URL" if not move.target.url else "set DATABASE_URL to its address"
    click.echo(f"{what}. Before the next start, {setting}.")

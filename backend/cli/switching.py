"""What takes an installation to another place has in common: the server stops for a moment, and begins there."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backend.cli.pidfile import get_pid
from backend.cli.server import server_status, start_server
from backend.core.errors import AgentServerError, BadRequest, CannotStart, Conflict

if TYPE_CHECKING:
    from backend.settings import Settings
    from backend.util.locks import HeldLock

#: So long somebody has time to stop a server that a command may not stop, or did.
_WAIT_S: Final = 600.0
_STOPPED_WAIT_S: Final = 5.0
_LOOK_S: Final = 0.1


def require_changeable(settings: "Settings", sources: Mapping[str, str], name: str) -> None:
    """Raise BadRequest if a setting is made where it stands before `config.json`."""
    if sources[name] not in ("default", str(_config(settings))):
        raise BadRequest(
            f"{name.upper()} is set in {sources[name]}, which stands before config.json: --switch"
            " cannot change it. Go without, and change it there."
        )


def is_ours(data_dir: Path) -> bool:
    """Say whether the server that works on the data directory is the one that `agpt stop` stops."""
    pid = server_status(data_dir)["pid"]
    return pid is not None and pid == get_pid()


def alone(settings: "Settings", *, is_stopped: bool) -> "HeldLock":
    """
    Wait until no server works on the data directory, and keep it so.

    Args:
        is_stopped: It was told to stop; else somebody is asked to do that, and has ten minutes.

    Raises:
        Conflict: If one works for longer.
    """
    from backend.util.locks import take_data_dir_alone  # noqa: PLC0415 -- help does without

    data_dir = settings.agpt_data_dir
    if server_status(data_dir)["state"] == "running":
        click.echo("Everything is copied. Stop the server now: what has changed follows.", err=True)
    end_s = time.monotonic() + (_STOPPED_WAIT_S if is_stopped else _WAIT_S)
    while True:
        try:
            lock = take_data_dir_alone(data_dir)
        except CannotStart as exc:
            problem = str(exc)
        else:
            problem = _others(settings)
            if not problem:
                return lock
            lock.release()
        if time.monotonic() > end_s:
            raise Conflict(f"The server did not stop, so nothing was changed. {problem}")
        time.sleep(_LOOK_S)


def _others(settings: "Settings") -> str:
    """Say whether somebody on another machine works on the rows; nothing, if nobody does."""
    if not settings.database_url:
        return ""
    from backend.adapters.storage.repair_transactions import sessions_at  # noqa: PLC0415 -- help does without

    found = sessions_at(settings.database_url)
    return f"Services work on its database: {found}." if found else ""


def start_again(data_dir: Path) -> None:
    """Start the background server; says so if that fails."""
    try:
        start_server({"agpt_data_dir": str(data_dir)})
    except AgentServerError as exc:
        click.echo(f"agpt: the server was stopped, and does not start: {exc}", err=True)


def set_in_config(settings: "Settings", wanted: Mapping[str, str]) -> None:
    """Write settings into `config.json`, or take out those that are empty: all of it, or nothing."""
    from backend.adapters.files.draft import sync_folder  # noqa: PLC0415 -- help does without

    path = _config(settings)
    values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    values = {name: kept for name, kept in values.items() if name.lower() not in wanted}
    values |= {name: value for name, value in wanted.items() if value}
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(values, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def _config(settings: "Settings") -> Path:
    return settings.agpt_data_dir / "config.json"

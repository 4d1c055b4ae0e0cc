"""`agpt files`: takes files from the data directory to a bucket, and back."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from backend.cli.backup import progress
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of, stop_server
from backend.cli.switching import alone, is_ours, require_changeable, set_in_config, start_again
from backend.core.errors import BadRequest

if TYPE_CHECKING:
    from backend.adapters.files.trees import Tree
    from backend.adapters.moving.files import Moved
    from backend.settings import Settings

_FOLDER: Final = "folder"
_SETTING: Final = "files_url"


@dataclass(frozen=True, kw_only=True)
class _Move:
    """From where to where; *address* is what FILES_URL is then."""

    settings: "Settings"
    source: "Tree"
    target: "Tree"
    address: str


@dataclass(kw_only=True)
class _Done:
    """How it went. *stop_s*: how long nobody served."""

    first: "Moved"
    last: "Moved"
    stop_s: float = 0.0
    aside: Path | None = None
    is_started: bool = False


@click.group()
def files() -> None:
    """Take files from one place to another."""


@files.command("move")
@click.option("--to", "address", required=True, help="s3://BUCKET/PREFIX, or `folder`.")
@click.option("--switch", "switches", is_flag=True, help="Stop, set FILES_URL, start again.")
@json_option
@data_dir_option
def move(*, address: str, switches: bool, as_json: bool, data_dir: Path | None) -> None:
    """
    Copy all files of users and runs into a bucket, or back into the data directory.

    Most is copied while the server runs; each file is read back. With --switch the background
    server is then stopped, what came, changed or went since follows, FILES_URL is written into
    `config.json` of the data directory, and the server is started again. Without --switch the
    command waits until somebody has stopped the server, in a cluster on all machines, and says what
    is to be set. The old files stay. If it fails, or is killed, they are in use as before: begin
    again, and it goes on where it was.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- help does without

    settings, sources = load_settings(overrides_of(data_dir))
    wanted = "" if address == _FOLDER else address
    if wanted == settings.files_url:
        raise BadRequest(f"{wanted or 'The data directory'} is where the files are already.")
    if switches:
        require_changeable(settings, sources, _SETTING)
    there, _ = load_settings({**overrides_of(data_dir), _SETTING: wanted})
    made = _Move(
        settings=settings,
        source=_tree(settings, is_target=False),
        target=_tree(there, is_target=True),
        address=wanted,
    )
    _say(made, _moved(made, switches=switches), switches=switches, as_json=as_json)


def _tree(settings: "Settings", *, is_target: bool) -> "Tree":
    from backend.adapters.files.trees import FolderTree  # noqa: PLC0415 -- help does without
    from backend.adapters.moving.files import staged  # noqa: PLC0415 -- the same
    from backend.wiring_files import bucket_tree  # noqa: PLC0415 -- the same

    bucket = bucket_tree(settings)
    if bucket is not None:
        return bucket
    folder = settings.agpt_data_dir
    return staged(folder) if is_target else FolderTree(folder / "files")


def _moved(made: _Move, *, switches: bool) -> _Done:
    from backend.adapters.moving.files import begin, copy_running  # noqa: PLC0415 -- help does without
    from backend.util.locks import take_service  # noqa: PLC0415 -- the same
    from backend.wiring_upgrade import MOVE  # noqa: PLC0415 -- the same

    lock = take_service(made.settings.agpt_data_dir, MOVE)
    try:
        begin(made.target)
        since_s = time.time()
        first = copy_running(made.source, made.target, progress())
        return _switched(made, first, since_s, switches=switches)
    finally:
        lock.release()


def _switched(made: _Move, first: "Moved", since_s: float, *, switches: bool) -> _Done:
    """Take over: with the server stopped, copy what has changed since."""
    from backend.adapters.moving.files import finish  # noqa: PLC0415 -- help does without

    data_dir = made.settings.agpt_data_dir
    begun_s = time.monotonic()
    has_stopped, lock = False, None
    try:
        has_stopped = switches and is_ours(data_dir) and stop_server().pid is not None
        lock = alone(made.settings, is_stopped=has_stopped)
        begun_s = begun_s if has_stopped else time.monotonic()
        last = finish(made.source, made.target, since_s, progress())
        done = _Done(first=first, last=last)
        done.aside = _placed(made, switches=switches)
    finally:
        if lock is not None:
            lock.release()
        if has_stopped:
            start_again(data_dir)
    done.is_started = has_stopped
    done.stop_s = time.monotonic() - begun_s
    return done


def _placed(made: _Move, *, switches: bool) -> Path | None:
    """Let servers use what was copied."""
    from backend.adapters.files.trees import FolderTree  # noqa: PLC0415 -- help does without
    from backend.adapters.moving.files import place, set_aside, unmark  # noqa: PLC0415 -- the same

    data_dir, now_us = made.settings.agpt_data_dir, time.time_ns() // 1000
    if isinstance(made.target, FolderTree):
        place(made.target, data_dir, now_us)
    if not switches:
        unmark(made.target)
        return None
    set_in_config(made.settings, {_SETTING: made.address})
    unmark(made.target)
    if isinstance(made.source, FolderTree) and made.source.root.exists():
        return set_aside(made.source.root, "moved", now_us)
    return None


def _say(made: _Move, done: _Done, *, switches: bool, as_json: bool) -> None:
    there = made.address or str(made.settings.agpt_data_dir / "files")
    count, size = done.first.files + done.last.files, done.first.bytes + done.last.bytes
    if as_json:
        print_json(
            {
                "from": str(made.source),
                "to": there,
                "files": count,
                "bytes": size,
                "copied_while_stopped": done.last.files,
                "stop_s": round(done.stop_s, 2),
                "switched": switches,
                "started": done.is_started,
                "aside": None if done.aside is None else str(done.aside),
            }
        )
        return
    if done.aside is not None:
        click.echo(
            f"The old folder is {done.aside} now; delete it when you do not need it.", err=True
        )
    what = f"{count:,} files, {size / 1e6:,.1f} MB, were copied to {there}, and read back"
    if switches:
        served = "the server runs on them" if done.is_started else "`agpt start` runs on them"
        click.echo(f"{what}; {served}, after {done.stop_s:.1f} s.")
        return
    setting = f"set FILES_URL to {made.address}" if made.address else "unset FILES_URL"
    click.echo(f"{what}. Before the next start, {setting}.")

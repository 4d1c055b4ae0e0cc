"""`agpt logs`: the end of the log files, and what is added to them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from backend.cli.server import data_dir_option, overrides_of
from backend.core.errors import NotFound

_BLOCK_BYTES: Final = 65536
_POLL_S: Final = 0.2


@click.command()
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(0, 1_000_000))
@data_dir_option
def logs(service: str | None, follow: bool, lines: int, data_dir: Path | None) -> None:  # noqa: FBT001 -- click hands it over by name
    """Show the log of SERVICE, or of all services by time."""
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    folder = load_settings(overrides_of(data_dir))[0].agpt_data_dir / "logs"
    files = log_files(folder, service)
    for line in last_lines(files, lines):
        click.echo(line)
    if follow:
        _follow(files)


def log_files(folder: Path, service: str | None) -> list[Path]:
    """Return the files of *service* (any case) or of all. Raises NotFound with the names there are."""
    found = sorted(folder.glob("*.log"))
    if service is None:
        return [path for path in found if path.stem != "server"]
    matching = [path for path in found if path.stem.lower() == service.lower()]
    if not matching:
        names = ", ".join(path.stem for path in found) or "none yet"
        raise NotFound(f"There is no log of {service}. There are: {names}.")
    return matching


def last_lines(files: Sequence[Path], count: int) -> list[str]:
    """Return the last *count* lines of all files together, oldest first."""
    gathered = [line for path in files for line in _tail(path, count)]
    if len(files) > 1:
        gathered.sort(key=_time_of)
    return gathered[len(gathered) - count if len(gathered) > count else 0 :] if count else []


def _tail(path: Path, count: int) -> list[str]:
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END)
        blocks: list[bytes] = []
        newlines = 0
        while left > 0 and newlines <= count:
            size = min(_BLOCK_BYTES, left)
            left -= size
            file.seek(left)
            blocks.append(file.read(size))
            newlines += blocks[-1].count(b"\n")
    text = b"".join(reversed(blocks)).decode("utf-8", errors="replace")
    return text.splitlines()[-count:] if count else []


def _time_of(line: str) -> str:
    """Return the text after `"timestamp"`; lines without one come first."""
    return line.partition('"timestamp":')[2].lstrip(' "')[:23]


def _follow(files: Sequence[Path]) -> None:
    # Rotation moves a file away and begins a new one: a place is an inode and an offset.
    places = {path: (path.stat().st_ino, path.stat().st_size) for path in files}
    while True:
        for path in files:
            places[path] = _show_news(path, *places[path])
        time.sleep(_POLL_S)


def _show_news(path: Path, inode: int, offset: int) -> tuple[int, int]:
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if state.st_ino != inode or state.st_size < offset:
                offset = 0
            file.seek(offset)
            block = file.read(_BLOCK_BYTES)
    except FileNotFoundError:
        return inode, offset
    whole = block[: block.rfind(b"\n") + 1]
    click.echo(whole.decode("utf-8", errors="replace"), nl=False)
    return state.st_ino, offset + len(whole)

"""`agpt logs`: the end of the log files, and what is added to them."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import click

from backend.cli.options import print_json
from backend.cli.server import data_dir_option, overrides_of
from backend.core.errors import NotFound

_BLOCK_BYTES: Final = 65536
_POLL_S: Final = 0.2
#: Shows one line of a service.
Show: TypeAlias = Callable[[str, str], None]


@click.command()
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(0, 1_000_000))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, for programs.")
@data_dir_option
def logs(
    *, service: str | None, follow: bool, lines: int, as_json: bool, data_dir: Path | None
) -> None:
    """
    Show the log of SERVICE, or of all services by time.

    With --json each line is an object, and `log` names the service that wrote it; a line that is
    none in the file stands in `event`.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    folder = load_settings(overrides_of(data_dir))[0].agpt_data_dir / "logs"
    files = log_files(folder, service)
    show = _show_json if as_json else _show
    for name, line in last_lines(files, lines):
        show(name, line)
    if follow:
        _follow(files, show)


def _show(_service: str, line: str) -> None:
    click.echo(line)


def _show_json(service: str, line: str) -> None:
    try:
        entry = json.loads(line, parse_constant=str)
    except (ValueError, RecursionError):
        entry = None
    # Else no logger of ours wrote it: a traceback of Python's own, the output of a library.
    facts = entry if isinstance(entry, dict) else {"event": line}
    print_json({**facts, "log": service})


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


def last_lines(files: Sequence[Path], count: int) -> list[tuple[str, str]]:
    """Return the last *count* lines of all files together, oldest first: (service, line)."""
    gathered = [(path.stem, line) for path in files for line in _tail(path, count)]
    if len(files) > 1:
        gathered.sort(key=lambda found: _time_of(found[1]))
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
    return _lines(text)[-count:] if count else []


def _lines(text: str) -> list[str]:
    """Return the lines of *text*. Only a line feed ends one: other ends may stand in a value."""
    return text.removesuffix("\n").split("\n") if text else []


def _time_of(line: str) -> str:
    """Return the text after `"timestamp"`; lines without one come first."""
    return line.partition('"timestamp":')[2].lstrip(' "')[:23]


def _follow(files: Sequence[Path], show: Show) -> None:
    # Rotation moves a file away and begins a new one: a place is an inode and an offset.
    places = {path: (path.stat().st_ino, path.stat().st_size) for path in files}
    while True:
        for path in files:
            places[path] = news_of(path, *places[path], show)
        time.sleep(_POLL_S)


def news_of(path: Path, inode: int, offset: int, show: Show) -> tuple[int, int]:
    """Show some of the whole lines behind a place in a file; return the place behind them."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if state.st_ino != inode or state.st_size < offset:
                offset = 0
            file.seek(offset)
            block = file.read(_BLOCK_BYTES)
            if b"\n" not in block:
                block += file.readline()  # one line that is longer
    except FileNotFoundError:
        return inode, offset
    whole = block[: block.rfind(b"\n") + 1]
    for line in _lines(whole.decode("utf-8", errors="replace")):
        show(path.stem, line)
    return state.st_ino, offset + len(whole)

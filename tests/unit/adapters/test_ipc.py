"""Where the sockets lie: private, short enough, and never in the way of a new start."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from backend.adapters.ipc import LONGEST_PATH_BYTES, bind, leave, open_socket, socket_path
from backend.core.errors import CannotStart


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def runtime_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path; those of pytest are long."""
    with tempfile.TemporaryDirectory(prefix="rt") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)


def test_a_socket_lies_in_a_private_folder_of_the_data_directory(tmp_path: Path) -> None:
    address = socket_path(tmp_path, "events")

    assert address == f"ipc://{tmp_path}/run/events.sock"
    assert mode_of(tmp_path / "run") == 0o700


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)

    socket_path(tmp_path, "events")

    assert mode_of(tmp_path / "run") == 0o700


def test_a_long_data_directory_gets_a_short_path(tmp_path: Path, runtime_dir: Path) -> None:
    long = tmp_path / ("d" * LONGEST_PATH_BYTES)

    address, other = socket_path(long, "events"), socket_path(Path(f"{long}2"), "events")

    path = Path(address.removeprefix("ipc://"))
    assert path.is_relative_to(runtime_dir)
    assert mode_of(path.parent) == 0o700
    assert socket_path(long, "events") == address != other


def test_length_is_counted_in_bytes(tmp_path: Path, runtime_dir: Path) -> None:
    address = socket_path(tmp_path / ("ü" * 50), "events")

    assert str(runtime_dir) in address


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, runtime_dir: Path) -> None:
    long = tmp_path / ("d" * LONGEST_PATH_BYTES)
    folder = Path(socket_path(long, "events").removeprefix("ipc://")).parent
    folder.rmdir()
    folder.symlink_to(tmp_path)

    with pytest.raises(CannotStart, match="belongs to somebody else"):
        socket_path(long, "events")


def test_no_short_place_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("r" * LONGEST_PATH_BYTES)))

    with pytest.raises(CannotStart, match="XDG_RUNTIME_DIR"):
        socket_path(tmp_path / ("d" * LONGEST_PATH_BYTES), "events")


def test_what_a_killed_process_left_does_not_hinder_the_next(tmp_path: Path) -> None:
    address = socket_path(tmp_path, "events")
    pid = os.fork()
    if pid == 0:
        bind(open_socket(zmq.PULL, limit=1), address)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert Path(address.removeprefix("ipc://")).exists()

    socket = open_socket(zmq.PULL, limit=1)
    bind(socket, address)

    socket.close(0)


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    address = socket_path(tmp_path, "events")
    Path(address.removeprefix("ipc://")).mkdir()

    with pytest.raises(CannotStart, match=r"events\.sock"):
        bind(open_socket(zmq.PULL, limit=1), address)


def test_a_socket_that_is_left_has_no_file_any_more(tmp_path: Path) -> None:
    address = socket_path(tmp_path, "events")
    socket = open_socket(zmq.PULL, limit=1)
    bind(socket, address)
    assert (tmp_path / "run" / "events.sock").exists()

    socket.close(0)
    leave(address)
    leave(address)

    assert list((tmp_path / "run").iterdir()) == []


def test_the_short_folder_goes_with_its_last_socket(tmp_path: Path, runtime_dir: Path) -> None:
    long = tmp_path / ("d" * LONGEST_PATH_BYTES)
    addresses = [socket_path(long, name) for name in ("events", "signals")]
    for address in addresses:
        Path(address.removeprefix("ipc://")).touch()

    leave(addresses[0])
    between = len(list(runtime_dir.iterdir()))
    leave(addresses[1])

    assert (between, list(runtime_dir.iterdir())) == (1, [])

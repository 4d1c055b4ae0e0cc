"""Locks on a data directory: who may be there together, and who is told about whom."""

import os
from pathlib import Path

import pytest

from backend.core.errors import CannotStart
from backend.util.locks import share_data_dir, take_data_dir_alone, take_service


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_service_runs_once_per_directory(data: Path) -> None:
    held = take_service(data, "Engine")

    with pytest.raises(CannotStart, match=f"in use by pid {os.getpid()}"):
        take_service(data, "Engine")

    held.release()
    take_service(data, "Engine").release()


def test_different_services_may_run_side_by_side(data: Path) -> None:
    locks = [
        share_data_dir(data),
        take_service(data, "Engine"),
        share_data_dir(data),
        take_service(data, "Door"),
    ]

    for lock in locks:
        lock.release()


def test_who_wants_a_directory_alone_is_told_who_is_there(data: Path) -> None:
    locks = [share_data_dir(data), take_service(data, "Engine")]

    with pytest.raises(CannotStart, match=f"in use by pid {os.getpid()}"):
        take_data_dir_alone(data)

    for lock in locks:
        lock.release()
    take_data_dir_alone(data).release()


def test_who_has_a_directory_alone_keeps_servers_out(data: Path) -> None:
    alone = take_data_dir_alone(data)

    with pytest.raises(CannotStart, match=f"in use by pid {os.getpid()}"):
        share_data_dir(data)

    alone.release()
    alone.release()


def test_a_directory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be opened"):
        share_data_dir(tmp_path / "nowhere")

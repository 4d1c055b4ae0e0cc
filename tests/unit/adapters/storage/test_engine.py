"""One engine for all connections of a process: each of them is its opener's own."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from backend.adapters.storage import engine


def test_connections_of_two_threads_are_to_the_files_that_each_has_named(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    both = threading.Barrier(2)

    def use(name: str) -> None:
        def open_raw() -> sqlite3.Connection:
            both.wait(10)  # both are being opened at the same time
            return sqlite3.connect(tmp_path / name)

        with engine.connect(open_raw) as connection:
            row = connection.exec_driver_sql("PRAGMA database_list").one()
            found[name] = Path(row.file).name

    threads = [threading.Thread(target=use, args=(name,)) for name in ("a.db", "b.db")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert found == {"a.db": "a.db", "b.db": "b.db"}


def test_what_cannot_be_opened_is_an_error_and_hinders_nobody(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="unable to open"):
        engine.connect(lambda: sqlite3.connect(tmp_path / "no" / "such.db"))

    with engine.connect(lambda: sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1

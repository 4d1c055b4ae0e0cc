"""Everything goes into an archive and comes back the same, whatever kind of database it goes through."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from backend.adapters.database_place import Place
from backend.adapters.moving.archive import Manifest
from backend.adapters.moving.backup import Wanted, back_up
from backend.adapters.moving.restore import Restored, Wish, restore
from backend.adapters.moving.rows import Row, Shape, row_of
from backend.adapters.storage import migrate as migrations
from backend.adapters.storage.migrate import HEAD, migrate
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.core.errors import BadRequest, Conflict, Unavailable
from tests.databases import emptied
from tests.filled import ROWS, fill
from tests.services import require_service


def silent(_: str) -> None:
    """Say nothing."""


def backed_up(data: Path, url: str = "", *, with_keys: bool = False) -> tuple[Path, Manifest]:
    """Make an archive of the data directory *data*."""
    path = data.parent / f"{data.name}.tar"
    wanted = Wanted(
        place=Place(data / "agpt.db", url),
        data_dir=data,
        key="k",
        with_keys=with_keys,
        now_us=1_764_255_600_000_000,
    )
    return path, back_up(wanted, path, silent)


def restored(archive: Path, data: Path, url: str = "", *, replaces: bool = False) -> Restored:
    """Put an archive into *data*, which is made."""
    data.mkdir(exist_ok=True)
    wish = Wish(
        archive=archive,
        place=Place(data / "agpt.db", url),
        data_dir=data,
        replaces=replaces,
        now_us=1_764_255_600_000_000,
    )
    return restore(wish, silent)


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A data directory with something everywhere."""
    data = tmp_path / "full"
    for name in ("files/run-1", "files/scratch-1", "outbox", "drop/in", "keys", "logs", "run"):
        (data / name).mkdir(parents=True)
    fill(data / "agpt.db")
    (data / "files/run-1/a.value").write_bytes(os.urandom(3_000_000))
    os.link(data / "files/run-1/a.value", data / "files/run-1/same")
    (data / "files/run-1/ü 𝄞").write_bytes(b"")
    (data / "files/run-1/half.part").write_bytes(b"half")
    (data / "files/scratch-1/x").write_bytes(b"scratch")
    (data / "outbox/1.eml").write_bytes(b"letter")
    (data / "drop/in/dropped").write_bytes(b"dropped")
    (data / "keys/encryption.key").write_bytes(b"secret\n")
    (data / "logs/server.log").write_bytes(b"log")
    (data / "config.json").write_text('{"database_url": ""}')
    (data / "files/link").symlink_to("/etc/passwd")
    return data


def files_of(data: Path) -> dict[str, bytes]:
    """Return all files but those of the database and of who works on it."""
    tops = ("files", "outbox", "drop", "keys")
    return {
        path.relative_to(data).as_posix(): path.read_bytes()
        for top in tops
        for path in sorted((data / top).rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


@pytest.mark.slow
def test_everything_comes_back_the_same_through_both_kinds(
    full: Path, tmp_path: Path, url: str
) -> None:
    first, made = backed_up(full)
    restored(first, tmp_path / "p", url)
    second, through = backed_up(tmp_path / "p", url)
    restored(second, tmp_path / "s")
    _, last = backed_up(tmp_path / "s")

    assert made.rows == ROWS * len(made.shapes)
    assert made.sums == through.sums == last.sums
    assert files_of(tmp_path / "s") == files_of(tmp_path / "p")
    kept = ["drop/in/dropped", "files/run-1/a.value", "files/run-1/same", "files/run-1/ü 𝄞"]
    assert sorted(files_of(tmp_path / "s")) == [*kept, "outbox/1.eml"]
    both = [(tmp_path / "s" / name).stat() for name in kept[1:3]]
    assert both[0].st_ino == both[1].st_ino
    assert all(one.st_mode & 0o777 == 0o600 for one in both)
    folders = [path for path in (tmp_path / "s").rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert _whole(tmp_path / "s" / "agpt.db")


def test_keys_are_in_it_only_if_asked_for(full: Path, tmp_path: Path) -> None:
    path, _ = backed_up(full, with_keys=True)
    target = tmp_path / "t"
    (target / "keys").mkdir(parents=True)
    (target / "keys/encryption.key").write_bytes(b"fresh\n")

    done = restored(path, target)

    assert (target / "keys/encryption.key").read_bytes() == b"secret\n"
    assert (target / "keys/encryption.key").stat().st_mode & 0o777 == 0o600
    assert done.aside is not None
    assert (done.aside / "keys/encryption.key").read_bytes() == b"fresh\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_written_over(full: Path) -> None:
    path, _ = backed_up(full)
    before = path.read_bytes()

    with pytest.raises(Conflict, match="is there already"):
        backed_up(full)

    assert path.read_bytes() == before


def test_nothing_is_left_of_a_backup_that_fails(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend.adapters.moving.archive.Writer.keys", refuse)
    (tmp_path / ".agpt-backup.999999999").mkdir()
    with pytest.raises(Unavailable, match="No space left on device"):
        backed_up(full, with_keys=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_there_must_be_nothing_where_it_goes(full: Path, tmp_path: Path) -> None:
    path, made = backed_up(full)
    target = tmp_path / "t"
    target.mkdir()
    fill(target / "agpt.db", 2)
    with pytest.raises(Conflict, match="its table accounts has rows"):
        restored(path, target)
    (target / "agpt.db").unlink()
    (target / "outbox").mkdir()
    (target / "outbox/mine").write_bytes(b"mine")
    with pytest.raises(Conflict, match="outbox/mine is there"):
        restored(path, target)
    fill(target / "agpt.db", 2)

    done = restored(path, target, replaces=True)

    assert done.aside is not None
    assert (done.aside / "outbox/mine").read_bytes() == b"mine"
    with closing(sqlite3.connect(done.aside / "agpt.db")) as old:
        assert old.execute("SELECT count(*) FROM users").fetchone() == (2,)
    _, again = backed_up(target)
    assert again.sums == made.sums


@pytest.mark.slow
def test_rows_of_postgres_are_replaced_only_if_asked_for(
    full: Path, tmp_path: Path, url: str
) -> None:
    path, made = backed_up(full)
    restored(path, tmp_path / "a", url)
    with pytest.raises(Conflict, match="is not empty"):
        restored(path, tmp_path / "b", url)

    restored(path, tmp_path / "c", url, replaces=True)

    shutil.rmtree(tmp_path / "c" / "files")
    assert backed_up(tmp_path / "c", url)[1].sums == made.sums


@pytest.mark.slow
def test_what_was_restored_has_the_tables_that_the_program_makes(
    full: Path, tmp_path: Path, url: str
) -> None:
    query = (
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION ALL SELECT table_name, column_name, data_type || is_nullable"
        " || coalesce(column_default, '') || coalesce(collation_name, '')"
        " FROM information_schema.columns WHERE table_schema = 'public'"
    )

    def shape() -> set[tuple[object, ...]]:
        with psycopg.connect(url) as connection:
            return set(connection.execute(query).fetchall())

    path, _ = backed_up(full)
    before = shape()
    restored(path, tmp_path / "p", url)
    restored(path, tmp_path / "s")

    assert shape() == before
    assert _schema(tmp_path / "s/agpt.db") == _schema(full / "agpt.db")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.slow
def test_an_archive_of_an_older_program_is_brought_up_to_date(
    tmp_path: Path, kind: str, url: str
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    _at_step(old / "agpt.db", "0024")
    with closing(sqlite3.connect(old / "agpt.db")) as connection, connection:
        connection.execute("INSERT INTO installation VALUES ('a', 'b')")
    path, made = backed_up(old)
    assert made.step == "0024"

    target = url if kind == "postgresql" else ""
    restored(path, tmp_path / "new", target)

    _, again = backed_up(tmp_path / "new", target)
    assert again.step == HEAD
    assert again.sums["installation"] == made.sums["installation"]
    if target:
        assert migrate_postgres(target) == "current"
    else:
        assert migrate(tmp_path / "new/agpt.db") == "current"


def test_what_was_written_wrong_is_not_kept(
    full: Path, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = backed_up(full)

    def forgetful(shape: Shape) -> Callable[[bytes], Row]:
        row = row_of(shape)
        return lambda line: (*row(line)[:-1], None)

    monkeypatch.setattr("backend.adapters.moving.restore.row_of", forgetful)
    for target, name in (("", "s"), (url, "p")):
        with pytest.raises((Unavailable, BadRequest)):
            restored(path, tmp_path / name, target)
        assert not (tmp_path / name / "agpt.db").exists()
        assert not (tmp_path / name / "files").exists()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_damaged_archive_changes_nothing(full: Path, tmp_path: Path) -> None:
    path, _ = backed_up(full)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(BadRequest, match="is damaged"):
        restored(path, tmp_path / "t")

    assert list((tmp_path / "t").iterdir()) == []


def _at_step(path: Path, step: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        migrations.to_step(connection, step)
        connection.commit()
    engine.dispose()


def _whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def _schema(path: Path) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        pragmas = [("journal", connection.execute("PRAGMA journal_mode").fetchone())]
        pragmas += [("vacuum", connection.execute("PRAGMA auto_vacuum").fetchone())]
        rows = connection.execute("SELECT name, sql FROM sqlite_master").fetchall()
        return {*rows, *pragmas}

"""Backups of a server that works, taken up elsewhere; kills and full disks in the middle of it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from backend.adapters.clock import SystemClock
from backend.adapters.database_place import Place
from backend.adapters.moving import restore as restoring
from backend.adapters.moving.archive_reader import verify
from backend.adapters.moving.restore import Wish, restore
from backend.core.errors import Unavailable
from bench.seed import Sizes, seed
from tests.databases import emptied
from tests.e2e.conftest import StartServer
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import assert_consistent
from tests.e2e.running import ROOT
from tests.e2e.test_disk_faults import small_disk
from tests.e2e.test_kills import STEPS, assert_completed
from tests.services import require_service
from tests.stores import STORES

__all__ = ["small_disk"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SIZES = Sizes(
    runs=3_000, nodes=10, graphs=5, versions=2, schedules=5, reviews=0, notices=5, strangers_runs=0
)


def at(url: str) -> dict[str, str]:
    """Return what sets the database at *url*; none: that of the data directory."""
    return {"DATABASE_URL": url} if url else {}


def begun(*words: str, data: Path, url: str = "") -> subprocess.Popen[str]:
    """Begin a command on the data directory *data*."""
    return subprocess.Popen(
        [sys.executable, "-m", "backend.cli", *words],
        cwd=ROOT,
        env={**os.environ, "AGPT_DATA_DIR": str(data), **at(url)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def agpt(*words: str, data: Path, url: str = "") -> tuple[int, str]:
    """Run a command; return its exit code, and what it said."""
    process = begun(*words, data=data, url=url)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out + errors


def killed_when(process: subprocess.Popen[str], is_time: Callable[[], bool]) -> None:
    """Kill a command, without warning, as soon as *is_time*."""
    end = time.monotonic() + 60
    while not is_time():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


IN_THE_FILE = pytest.mark.embedded("it is about the archive of a file that is full of rows")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("seeded") / "data"
    seed(data / "agpt.db", SIZES, now_us=SystemClock().now_us())
    return data


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_runs_of_a_backup_go_on_elsewhere(
    start_server: StartServer, outside: EffectCounter, tmp_path: Path, kind: str
) -> None:
    server = start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    large = "x" * 400_000
    ended = server.rest.start(graph, run=large)
    server.rest.ended(graph, ended)
    outside.effects.clear()
    outside.slow_s = 1.0
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 4)
    archive = tmp_path / "a.tar"

    code, said = agpt("backup", str(archive), "--with-keys", data=server.data_dir)
    assert (code, "read back and whole" in said) == (0, True), said
    server.kill_everything()
    done = len(outside.effects)
    outside.slow_s = 0.05
    url = emptied(require_service("postgres")) if kind == "postgresql" else ""
    if not url:
        STORES.at(tmp_path / "new")
    code, said = agpt("restore", str(archive), data=tmp_path / "new", url=url)
    assert (code, "as they were" in said) == (0, True), said
    other = start_server("new", TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin, **at(url))
    run = other.rest.ended(graph, run_id)

    assert_completed(run)
    assert done < STEPS, "nothing was left to go on with"
    effects = outside.of("r")
    assert sorted(effects, key=int) == [str(step) for step in range(STEPS)]
    assert all(len({one.key for one in same}) == 1 for same in effects.values())
    assert other.rest.run(graph, ended)["inputs"] == {"run": large}
    other.stop()
    code, said = agpt("doctor", data=tmp_path / "new", url=url)
    assert code == 0, said
    if not url:
        assert_consistent(other)


@IN_THE_FILE
def test_a_killed_backup_leaves_no_archive_and_the_next_one_cleans_up(
    seeded: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar"
    for pattern in (".agpt-backup.*/rows.db", ".agpt-backup.*/archive.tar"):
        process = begun("backup", str(archive), data=seeded)
        killed_when(process, lambda pattern=pattern: any(tmp_path.glob(pattern)))  # type: ignore[misc]
        assert not archive.exists()

    code, said = agpt("backup", str(archive), data=seeded)

    assert code == 0, said
    assert [one.name for one in tmp_path.iterdir()] == ["a.tar"]
    assert verify(archive, lambda _: None).rows == SIZES.runs * 11 + 17 + 10


@IN_THE_FILE
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_restore_has_done_nothing_and_can_be_begun_again(
    seeded: Path, tmp_path: Path, kind: str
) -> None:
    archive, data = tmp_path / "a.tar", tmp_path / "new"
    agpt("backup", str(archive), data=seeded)
    url = emptied(require_service("postgres")) if kind == "postgresql" else ""

    process = begun("restore", str(archive), data=data, url=url)
    killed_when(process, (data / "restoring").is_dir)
    assert not (data / "agpt.db").exists()
    if url:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM executions").fetchone() == (0,)
    code, said = agpt("restore", str(archive), data=data, url=url)

    assert code == 0, said
    assert not (data / "restoring").exists()
    assert agpt("db", "check", data=data, url=url)[0] == 0


@IN_THE_FILE
def test_a_full_disk_refuses_a_restore_and_keeps_nothing(
    seeded: Path, tmp_path: Path, small_disk: Path
) -> None:
    archive, data = tmp_path / "a.tar", small_disk / "new"
    agpt("backup", str(archive), data=seeded)
    data.mkdir()
    before = {one.name for one in data.iterdir()}

    with (small_disk / "filler").open("wb") as filler:
        filler.write(b"\0" * 40 * 1024 * 1024)
    code, said = agpt("restore", str(archive), data=data)

    assert code == 1
    assert "MB free; this archive needs" in said
    assert "Traceback" not in said
    assert not (data / "agpt.db").exists()
    assert {one.name for one in data.iterdir()} - before <= {"run", "logs", "keys", "server.lock"}


@IN_THE_FILE
def test_a_disk_that_fills_up_while_rows_are_written_keeps_nothing(
    seeded: Path, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows take more room than the archive: how much, nobody knows before."""
    archive, data = tmp_path / "a.tar", small_disk / "new"
    agpt("backup", str(archive), data=seeded)
    data.mkdir()
    filler = small_disk / "filler"
    left = archive.stat().st_size + 1_000_000
    with filler.open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(small_disk).free - left))
    monkeypatch.setattr(restoring, "_SPARE", 0)
    wish = Wish(
        archive=archive, place=Place(data / "agpt.db"), data_dir=data, replaces=False, now_us=1
    )

    with pytest.raises(Unavailable, match="disk"):
        restore(wish, lambda _: None)
    assert list(data.iterdir()) == []
    filler.unlink()
    monkeypatch.undo()
    monkeypatch.setattr(restoring, "_SPARE", 0)

    assert restore(wish, lambda _: None).manifest.rows > SIZES.runs


@IN_THE_FILE
def test_a_disk_that_fills_up_meanwhile_keeps_nothing_either(
    seeded: Path, small_disk: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "a.tar"
    agpt("backup", str(archive), data=seeded)
    full = small_disk / "full.tar"
    with (small_disk / "filler").open("wb") as filler:
        filler.write(b"\0" * 47 * 1024 * 1024)

    code, said = agpt("backup", str(full), data=seeded)

    assert code == 1
    assert "Traceback" not in said
    assert [one.name for one in small_disk.iterdir()] == ["filler"]

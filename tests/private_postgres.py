"""A PostgreSQL of the tests' own, which they may stop and start: nothing outside a folder."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.running import free_port

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_LIMIT_S = 90.0


class PrivatePostgres:
    """One server, made and started. It refuses root, so that root lends it to *postgres*."""

    def __init__(
        self,
        folder: Path,
        port: int,
        *,
        settings: str = "",
        let_in: str = "",
        reads: Path | None = None,
    ) -> None:
        """
        Make and start it.

        Args:
            settings: Further lines of its postgresql.conf.
            let_in: Lines of pg_hba.conf, in place of those that let everybody in.
            reads: A folder of files that its settings name; they become its own.
        """
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        self._data = folder / "data"
        self._user: str | None = None
        if os.geteuid() == 0:
            self._user = "postgres"
            owner = pwd.getpwnam(self._user)
            # Its superiors must let it through, and nobody else may look in.
            for one in (folder, *folder.parents):
                if one == Path("/") or one.stat().st_mode & 0o001:
                    continue
                one.chmod(one.stat().st_mode | 0o001)
            for one in (folder, *(reads.iterdir() if reads else ())):
                os.chown(one, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "--no-sync")
        with (self._data / "postgresql.conf").open("a", encoding="ascii") as file:
            file.write(
                f"port = {port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{folder}'\nmax_connections = 200\n{settings}"
            )
        if let_in:
            (self._data / "pg_hba.conf").write_text(let_in, encoding="ascii")
        self._log = folder / "log"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "start")

    def crash(self) -> None:
        """End it at once, as a crash does: what is not in its log is lost."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def close(self) -> None:
        """End it, whatever it does."""
        program = [*self._as_user(), _program("pg_ctl"), "-D", str(self._data)]
        subprocess.run(
            [*program, "-m", "immediate", "-w", "stop"],
            cwd=self._data.parent,
            check=False,
            capture_output=True,
            timeout=_LIMIT_S,
        )

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user(), _program(name), *arguments],
            cwd=self._data.parent,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=_LIMIT_S,
        )

    def _as_user(self) -> list[str]:
        return [] if self._user is None else ["runuser", "-u", self._user, "--"]


@contextmanager
def postgres_at(folder: Path, **options: Any) -> Iterator[PrivatePostgres]:
    """A server that nobody else uses; without PostgreSQL's programs the test is skipped."""
    if not _program("initdb"):
        message = "the programs of PostgreSQL are needed: initdb, pg_ctl"
        if os.environ.get("AGPT_REQUIRE_SERVICES", "") in ("", "0"):
            pytest.skip(message)
        pytest.fail(message, pytrace=False)
    made = PrivatePostgres(folder, free_port(), **options)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def private_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivatePostgres]:
    """See `postgres_at`."""
    with postgres_at(tmp_path_factory.mktemp("postgres")) as made:
        yield made


def _program(name: str) -> str:
    return shutil.which(name, path=os.pathsep.join(map(str, _PLACES))) or ""

"""Commands on a database of PostgreSQL that nobody has started a server on: they say just that."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import main
from tests.stores import Stores


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("DATABASE_URL", "RABBITMQ_URL"):
        monkeypatch.delenv(name, raising=False)
    stores = Stores("cluster")
    stores.at(tmp_path / "data", tables=False)
    yield tmp_path / "data"
    stores.drop()


def test_what_needs_rows_says_that_no_server_was_started(data: Path) -> None:
    for line in ("db check", "migrate --to sqlite:", "pause server", "backup a.tar"):
        ended = CliRunner().invoke(main, line.split(), env={"AGPT_DATA_DIR": str(data)})

        assert (ended.exit_code, ended.stdout) == (1, ""), line
        assert "There is no database at postgresql://" in ended.stderr, line
        assert ended.stderr.count("\n") == 1, line

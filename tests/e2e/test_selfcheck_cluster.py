"""`agpt selfcheck` of a cluster: it finds nothing and leaves nothing, neither here nor at its servers."""

from pathlib import Path

import psycopg
import pytest

from tests.e2e.test_selfcheck import processes_of, report_of, selfcheck
from tests.services import require_service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]


def servers() -> tuple[str, ...]:
    database, broker = require_service("postgres"), require_service("rabbitmq")
    return "--database", database, "--broker", broker


def databases() -> set[str]:
    """Return the databases of checks."""
    with psycopg.connect(require_service("postgres")) as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE 'agpt_selfcheck_%'"
        return {name for (name,) in connection.execute(query).fetchall()}


def test_nothing_is_lost_in_a_short_check_of_a_cluster(tmp_path: Path) -> None:
    before = databases()

    code, report = report_of(
        "--kills", "25", "--seed", "5", "--data-dir", str(tmp_path), *servers(), limit_s=900
    )

    assert report["violations"] == []
    assert (code, report["ok"], report["kills"], report["kept"]) == (0, True, 25, None)
    assert report["strikes"].keys() >= {"freeze", "member", "sessions", "cut", "silence"}
    assert report["recovery_seconds"]["count"] > 0
    assert report["calls"]["at_most_once"]["repeated"] == 0
    assert report["events"]["runs"] > 0
    assert (list(tmp_path.iterdir()), list(processes_of(tmp_path))) == ([], [])
    assert databases() <= before


def test_a_user_who_may_make_no_database_is_told_so(tmp_path: Path) -> None:
    server = require_service("postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS agpt_selfcheck_nobody")
        connection.execute("CREATE ROLE agpt_selfcheck_nobody LOGIN PASSWORD 'nothing'")
        info = connection.info
        url = f"postgresql://agpt_selfcheck_nobody:nothing@{info.host}:{info.port}/{info.dbname}"
        try:
            check = selfcheck(
                "--kills", "1", "--data-dir", str(tmp_path),
                "--database", url, "--broker", require_service("rabbitmq"),
            )  # fmt: skip
            out, errors = check.communicate(timeout=60)
        finally:
            connection.execute("DROP ROLE agpt_selfcheck_nobody")

    assert (check.returncode, out) == (1, "")
    assert "may not make a database for the check (CREATEDB)." in errors
    assert "nothing@" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_in_five_hundred_kills_of_a_cluster(tmp_path: Path, seed: int) -> None:
    code, report = report_of(
        "--kills", "500", "--seed", str(seed), "--data-dir", str(tmp_path), *servers(),
        limit_s=3 * 3600,
    )  # fmt: skip

    assert report["violations"] == []
    assert (code, report["kills"]) == (0, 500)

"""A whole server whose database is one of PostgreSQL: kills, a cut database, the command line."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from backend.adapters.database_place import Place
from backend.adapters.storage.doctor import examine
from backend.ports.doctor import Rule
from tests.databases import emptied
from tests.e2e.conftest import StartServer
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server
from tests.e2e.test_kills import STEPS, assert_completed, assert_done_once
from tests.services import require_service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


@pytest.fixture
def server(start_server: StartServer, outside: EffectCounter, url: str) -> Server:
    return start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin, DATABASE_URL=url)


def cut(url: str) -> int:
    """End all sessions of a database, as a restart of the server does; return how many."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query).fetchone()
    assert found is not None
    return int(found[0])


def assert_nothing_broken(url: str) -> None:
    with examine(Place(Path("none"), url)) as records:
        broken = [found for rule in Rule for found in records.broken(rule)]
    assert broken == []


def test_a_run_ends_though_its_executor_is_killed(
    server: Server, outside: EffectCounter, url: str
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(STEPS // 2)

    server.kill("ExecutionManager")
    run = server.rest.ended(graph, run_id)

    assert_completed(run)
    assert_done_once("r", outside.of("r"))
    assert_nothing_broken(url)
    assert not list(server.data_dir.glob("*.db"))
    server.stop()
    server.assert_nothing_left()


def test_runs_end_though_the_database_is_cut_off_again_and_again(
    server: Server, outside: EffectCounter, url: str
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    runs = [server.rest.start(graph, run=f"r{number}") for number in range(3)]
    for quarter in range(1, 4):
        outside.wait_for(STEPS * len(runs) * quarter // 4)
        assert cut(url) >= 1

    ended = [server.rest.ended(graph, run_id) for run_id in runs]

    for number, run in enumerate(ended):
        assert_completed(run)
        assert_done_once(f"r{number}", outside.of(f"r{number}"), kills=3)
    assert_nothing_broken(url)


def test_a_second_server_on_one_database_is_refused(
    server: Server, start_server: StartServer, url: str
) -> None:
    assert server.pid("ExecutionManager")
    with pytest.raises(AssertionError, match="in use by another executor"):
        start_server("elsewhere", DATABASE_URL=url)


def test_the_address_of_the_database_is_told_without_its_password(
    start_server: StartServer, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = urlsplit(url)
    secret = f"postgresql://postgres:hunter2@{parts.hostname}:1{parts.path}"
    with pytest.raises(AssertionError) as caught:
        start_server(DATABASE_URL=secret)

    said = str(caught.value) + capfd.readouterr().err
    assert "cannot be used" in said
    assert "hunter2" not in said

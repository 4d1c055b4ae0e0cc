"""A server that works goes over to PostgreSQL, and its runs go on there; kills in the middle of it."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from backend.adapters.clock import SystemClock
from bench.seed import Sizes, seed
from tests.databases import emptied
from tests.e2e.conftest import StartServer
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import until
from tests.e2e.test_backup import agpt, begun
from tests.e2e.test_kills import STEPS, assert_completed
from tests.services import require_service

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.embedded("it moves rows out of the file"),
]

SIZES = Sizes(
    runs=3_000, nodes=10, graphs=5, versions=2, schedules=5, reviews=0, notices=5, strangers_runs=0
)


@pytest.fixture
def url() -> str:
    return emptied(require_service("postgres"))


def said(process: "subprocess.Popen[str]", word: str) -> None:
    """Wait until a command says *word* on standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    pytest.fail(f"it ended without {word!r}: {process.communicate()}")


def test_runs_under_way_go_on_in_the_other_database(
    start_server: StartServer, outside: EffectCounter, url: str
) -> None:
    server = start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    large = "x" * 400_000
    ended = server.rest.start(graph, run=large)
    server.rest.ended(graph, ended)
    outside.effects.clear()
    outside.slow_s = 1.0
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(2)

    moving = begun("migrate", "--to", url, data=server.data_dir)
    said(moving, "Stop the server now")
    during = [server.rest.start(graph, run=f"late{number}") for number in range(3)]
    server.stop()
    out, errors = moving.communicate(timeout=60)
    assert (moving.returncode, "set DATABASE_URL" in out) == (0, True), out + errors
    outside.slow_s = 0.05
    other = start_server(TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin, DATABASE_URL=url)

    run = other.rest.ended(graph, run_id)
    assert_completed(run)
    effects = outside.of("r")
    assert sorted(effects, key=int) == [str(step) for step in range(STEPS)]
    assert all(len({one.key for one in same}) == 1 for same in effects.values())
    for late in during:
        assert_completed(other.rest.ended(graph, late))
    assert other.rest.run(graph, ended)["inputs"] == {"run": large}
    other.stop()
    code, text = agpt("doctor", data=other.data_dir, url=url)
    assert code == 0, text


@pytest.mark.parametrize("pause_s", [0.0, 1.0])
def test_a_killed_move_leaves_the_source_whole_and_can_be_begun_again(
    tmp_path: Path, url: str, pause_s: float
) -> None:
    data = tmp_path / "data"
    seed(data / "agpt.db", SIZES, now_us=SystemClock().now_us())
    process = begun("migrate", "--to", url, data=data)
    until(lambda: (data / "moving").exists() or process.poll(), what="the move")
    time.sleep(pause_s)
    process.kill()
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert agpt("db", "check", data=data)[0] == 0
    code, text = agpt("migrate", "--to", url, "--again", data=data)

    assert code == 0, text
    assert f"{SIZES.runs * 11 + 27:,} rows" in text
    assert agpt("db", "check", data=data, url=url)[0] == 0
    assert not (data / "moving").exists()

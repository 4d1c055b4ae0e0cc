"""A cluster goes from this version to the next, member by member, while it works."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from backend.adapters.storage.migrate import HEAD
from backend.adapters.storage.steps import needed
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import SERVICES
from tests.e2e.members import MODULES, Cluster
from tests.e2e.running import ROOT, Running, free_ports
from tests.e2e.test_kills import STEPS, assert_completed, assert_done_once

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]

PRE: Final = f"{int(HEAD) + 1:04}"
POST: Final = f"{int(HEAD) + 2:04}"
_STEP: Final = '''"""{what}

Mark: {mark}
"""

from alembic import op

revision = "{number}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("{statement}")
'''
#: What the older program does not know, and what it cannot live with.
_ADDS: Final = "ALTER TABLE executions ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'"
_TAKES: Final = "ALTER TABLE executions ALTER COLUMN colour DROP DEFAULT"


class Next:
    """The next version: this package with another number, one step that adds and one that takes."""

    def __init__(self, folder: Path, *, takes: str = _TAKES) -> None:
        # With what was compiled: to compile all anew takes longer than a service may.
        shutil.copytree(ROOT / "backend", folder / "backend")
        self.environment = {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
        self._storage = folder / "backend" / "adapters" / "storage"
        _replace(folder / "backend" / "__init__.py", '"0.1.0"', '"0.2.0"')
        _replace(self._storage / "migrate.py", f'"{HEAD}"', f'"{POST}"')
        self.step(PRE, HEAD, "pre", _ADDS)
        self.step(POST, PRE, "post", takes)

    def step(self, number: str, before: str, mark: str, statement: str) -> None:
        """Write a step."""
        text = _STEP.format(
            what="A step.", number=number, before=before, mark=mark, statement=statement
        )
        (self._storage / "migrations" / "versions" / f"{number}_next.py").write_text(text)

    def upgrade(self, cluster: Cluster, folder: Path, *arguments: str) -> tuple[int, str]:
        """Run its `agpt db upgrade`; return the exit code and what it said."""
        ended = subprocess.run(
            [sys.executable, "-m", "backend.cli", "db", "upgrade", *arguments],
            env={
                **os.environ,
                **cluster.server.settings,
                **self.environment,
                "AGPT_DATA_DIR": str(folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def step_of(cluster: Cluster) -> str:
    with psycopg.connect(cluster.url) as connection:
        [found] = connection.execute("SELECT version_num FROM alembic_version").fetchone() or [""]
    return str(found)


@pytest.fixture
def outside() -> Iterator[EffectCounter]:
    made = EffectCounter()
    made.slow_s = 0.05
    yield made
    made.close()


def test_a_cluster_is_upgraded_member_by_member_while_it_works(
    outside: EffectCounter, tmp_path: Path
) -> None:
    assert needed() == HEAD
    newer = Next(tmp_path / "next")
    cluster = Cluster(tmp_path, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    try:
        old = cluster.start().add("ExecutionManager")
        rest = cluster.server.rest
        graph = rest.add(web_chain(outside.origin, STEPS))
        runs = [rest.start(graph, run=f"r{number}") for number in range(3)]

        # The older program goes on with the tables of the newer one, in both versions' executors.
        assert newer.upgrade(cluster, tmp_path / "tool", "--pre")[0] == 0
        assert step_of(cluster) == PRE
        cluster.add("ExecutionManager", **newer.environment)
        new_rest = cluster.add("AgentServer", **newer.environment).rest
        runs += [new_rest.start(graph, run=f"r{number}") for number in range(3, 6)]
        old.stop()
        runs += [rest.start(graph, run=f"r{number}") for number in range(6, 9)]
        cluster.server.stop()
        before = cluster.server.settings
        cluster.server.become(**newer.environment)
        cluster.server.start()
        assert step_of(cluster) == PRE  # its own start takes nothing away
        runs.append(new_rest.start(graph, run="r9"))
        ended = [new_rest.ended(graph, run_id) for run_id in runs]

        for number, run in enumerate(ended):
            assert_completed(run)
            assert_done_once(f"r{number}", outside.of(f"r{number}"), kills=2)

        # No older one is left: what it needs may go, and it does not come back.
        failing = Next(tmp_path / "failing", takes="ALTER TABLE nothing DROP COLUMN colour")
        code, said = failing.upgrade(cluster, tmp_path / "tool")
        assert (code, "is as it was" in said, step_of(cluster)) == (1, True, PRE), said
        assert newer.upgrade(cluster, tmp_path / "tool")[0] == 0
        assert step_of(cluster) == POST
        late = Running(
            "-m",
            MODULES["ExecutionManager"],
            environment={
                **before,
                **free_ports(SERVICES.values()),
                "AGPT_DATA_DIR": str(tmp_path / "late"),
            },
        )
        code, said = late.finish(60)
        late.kill_all()
        assert code != 0
        assert f"is at step {POST}, made by a newer agpt-server" in said
        cluster.assert_nothing_broken()
    finally:
        cluster.finish()

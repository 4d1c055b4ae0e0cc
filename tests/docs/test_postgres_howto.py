"""docs/howto/use-postgresql.md: the commands, on a database that is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import emptied
from tests.e2e.harness import SERVICES
from tests.e2e.running import ROOT, free_ports
from tests.services import require_service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = "docs/howto/use-postgresql.md"


def test_the_commands_of_the_page_start_a_server_on_the_database(tmp_path: Path) -> None:
    page = (ROOT / PAGE).read_text()
    _, _, rest = page.partition("```sh\n")
    script, _, _ = rest.partition("```")
    exported, *commands = script.splitlines()
    assert exported.startswith("export DATABASE_URL=postgresql://")
    assert commands == ["agpt config check", "agpt start"]
    environment = {
        **os.environ,
        **free_ports(SERVICES.values()),
        "AGPT_DATA_DIR": str(tmp_path / "data"),
        "HOME": str(tmp_path),
        "DATABASE_URL": emptied(require_service("postgres")),
    }

    def agpt(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "backend.cli", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    checked = agpt("config", "check")
    agpt("start")
    try:
        agpt("run", "--server", "--sample", "-i", "input_1=Hello", "-i", "input_2=World")
        assert "at step" in agpt("config", "check")
        agpt("doctor")
    finally:
        agpt("stop")

    assert "database" in checked
    assert not list((tmp_path / "data").glob("*.db"))

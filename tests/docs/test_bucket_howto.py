"""docs/howto/keep-files-in-a-bucket.md: its settings are settings, its commands work in a bucket."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backend.settings import Settings
from tests.docs.test_readme import assert_session, commands_and_outputs, home
from tests.e2e.harness import SERVICES
from tests.e2e.running import ROOT, free_ports
from tests.s3 import S3

__all__ = ["home"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = "docs/howto/keep-files-in-a-bucket.md"


def test_the_session_of_the_page_prints_what_it_shows(home: dict[str, str], s3: S3) -> None:
    settings = s3.environment()
    address = settings.pop("FILES_URL")

    assert_session(commands_and_outputs(PAGE)[1:], {**home, **settings, "BUCKET": address})


def test_the_commands_of_the_page_start_a_server_on_the_bucket(tmp_path: Path, s3: S3) -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    _, _, rest = page.partition("```sh\n")
    script = rest.partition("```")[0]
    exported = re.findall(r"^export (\w+)=", script, re.MULTILINE)
    commands = [line for line in script.splitlines() if not line.startswith("export ")]
    given = s3.environment()
    assert sorted(exported) == sorted(given)
    assert {name.lower() for name in exported} <= set(Settings.model_fields)
    assert commands == ["agpt config check", "agpt start"]
    environment = {
        **os.environ,
        **free_ports(SERVICES.values()),
        **given,
        "AGPT_DATA_DIR": str(tmp_path / "data"),
        "HOME": str(tmp_path),
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
        agpt("doctor")
    finally:
        agpt("stop")

    assert f"ok       file store: {given['FILES_URL']}\n" in checked

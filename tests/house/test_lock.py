"""The lock file and what the project asks for say the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT


def test_the_lock_file_is_current() -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv is not in this environment; `make setup` puts it there")

    checked = subprocess.run(
        [uv, "lock", "--check", "--offline", "--python", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    if "offline" in checked.stderr.lower() or "network" in checked.stderr.lower():
        pytest.skip("uv has no copy of the packages' descriptions and must not use the network")
    assert checked.returncode == 0, checked.stderr

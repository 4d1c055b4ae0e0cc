"""The API starts fast and stays small: it never loads what only blocks or migrations need."""

import subprocess
import sys

import pytest

from tests.house.source import ROOT
from tests.house.test_forbidden import HEAVY

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("module", ["backend.api.rest_api", "backend.api.ws_api"])
def test_an_api_process_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({set(HEAVY)!r} & set(sys.modules)))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []


@pytest.mark.parametrize(
    "module",
    [
        "backend.app",
        "backend.wiring",
        "backend.executor",
        "backend.notifications",
        "backend.api.rest_api",
        "backend.api.ws_api",
        "backend.util.preload",
    ],
)
def test_without_a_broker_nothing_of_it_is_loaded(module: str) -> None:
    """It would cost each process some 19 MB."""
    code = f"import sys, {module}; print(*sorted({{'aiormq', 'pamqp', 'yarl'}} & set(sys.modules)))"

    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []

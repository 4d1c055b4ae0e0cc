"""A server that has nothing to do: what its processes share, and what each must not have alone."""

import json
import time
from pathlib import Path

import pytest

from tests.e2e.harness import SERVICES, Server, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TOLD = Path(__file__).parent / "told_imports"
#: Not ours, and read for the time zone of this machine alone.
OF_THE_MACHINE = ("tzdata", "zoneinfo")


@pytest.mark.both_stores
def test_no_service_imports_anything_after_the_fork(tmp_path: Path) -> None:
    """
    What is imported after the fork is in memory once for each service: name it in preload.py.

    A single model of pydantic, made after the fork, has cost eight megabytes.
    """
    told = tmp_path / "told"
    told.mkdir()
    server = Server(tmp_path / "data", PYTHONPATH=str(TOLD), IMPORTS_TOLD=str(told))
    try:
        server.start(limit_s=60)
        time.sleep(3)  # the works that begin with the service have begun
        began = time.time()
        files = [told / name for name in SERVICES]
        until(lambda: all(file.exists() and file.stat().st_mtime > began for file in files))
        imported = {file.name: json.loads(file.read_text()) for file in files}
    finally:
        server.finish()

    for service, names in imported.items():
        late = [name for name in names if not name.startswith(OF_THE_MACHINE)]
        assert late == [], f"{service} imports {late} by itself"

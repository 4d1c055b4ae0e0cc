"""Children without multiprocessing's resource tracker, and one that needs it after all."""

import sys
import time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import pytest

from backend.util.boot import (
    end_fork_server,
    no_resource_tracker,
    own_resource_tracker,
    process_context,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="where fork servers are used")


def share_memory(name: str) -> None:
    own_resource_tracker()
    shared = SharedMemory(name, create=True, size=16)
    tracker = vars(resource_tracker)["_resource_tracker"]
    shared.close()
    if tracker._pid is None:
        raise SystemExit(3)
    raise SystemExit(0)  # left behind: its tracker takes it away


@pytest.mark.slow
def test_a_child_without_a_tracker_starts_its_own_when_it_shares_memory() -> None:
    context = process_context()
    child = context.Process(target=share_memory, args=("agpt-test-boot",))  # type: ignore[attr-defined] # typeshed: only concrete contexts

    with no_resource_tracker():
        child.start()
    child.join(30)

    end_fork_server()

    assert child.exitcode == 0
    until = time.monotonic() + 20
    while Path("/dev/shm/agpt-test-boot").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_multiprocessing_says_is_put_back() -> None:
    before = (resource_tracker.getfd, resource_tracker.ensure_running)

    with no_resource_tracker():
        assert resource_tracker.getfd() >= 0

    assert (resource_tracker.getfd, resource_tracker.ensure_running) == before

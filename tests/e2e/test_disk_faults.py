"""A disk that is full, or takes nothing; a database that somebody locks; a frozen executor."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, assert_consistent, serving, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEPS = 12


ON_THE_DISK = pytest.mark.embedded("the rows are in the file on the disk that fails")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 48 MiB; only who may mount one has it."""
    with tempfile.TemporaryDirectory() as place:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
        yield Path(place)
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte free on *disk*."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    yield
    filler.unlink()


@contextmanager
def unwritable(disk: Path) -> Iterator[None]:
    """Let *disk* take nothing, as a failing one does that its kernel has set read-only."""
    subprocess.run(["mount", "-o", "remount,ro,size=48m", str(disk)], check=False)
    yield
    subprocess.run(["mount", "-o", "remount,rw,size=48m", str(disk)], check=True)


def assert_ended_well(server: Server, outside: EffectCounter, graph: str, run_id: str) -> None:
    run = server.rest.ended(graph, run_id)
    assert (run["status"], run["stats"]["error"]) == ("COMPLETED", None)
    done = outside.of("r")
    assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
    # Nothing was lost, and no process was killed: nothing is done twice.
    assert {len(effects) for effects in done.values()} == {1}
    assert_consistent(server)


def refusal(server: Server, graph: str) -> httpx2.Response:
    """Ask for another run until the answer is that it cannot be taken."""

    def refused() -> httpx2.Response | None:
        answer = server.rest.ask(
            "POST", f"/graphs/{graph}/execute/1", {"inputs": {"run": "x" * 100_000}}
        )
        return answer if answer.status_code >= 400 else None

    return until(refused, what="a refused run")


@ON_THE_DISK
def test_a_full_disk_refuses_new_runs_and_loses_none(
    small_disk: Path, outside: EffectCounter
) -> None:
    with serving(small_disk / "data", TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin) as server:
        graph = server.rest.add(web_chain(outside.origin, STEPS))
        run_id = server.rest.start(graph, run="r")
        outside.wait_for(3)

        with full(small_disk):
            refused = refusal(server, graph)
            assert refused.status_code == 503
            assert "full" in refused.json()["detail"]

        assert_ended_well(server, outside, graph, run_id)
        assert server.rest.start(graph, run="after")


@ON_THE_DISK
def test_a_server_on_a_disk_that_takes_nothing_says_so_and_goes_on_when_it_does(
    small_disk: Path, outside: EffectCounter
) -> None:
    with serving(small_disk / "data", TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin) as server:
        graph = server.rest.add(web_chain(outside.origin, STEPS))
        run_id = server.rest.start(graph, run="r")
        outside.wait_for(3)
        server.stop()
        done = len(outside.effects)

        with unwritable(small_disk):
            with pytest.raises(AssertionError, match="ended without"):
                server.start()
            code, errors = server.running.finish()
            assert code != 0
            assert "cannot be written" in errors
            assert "Traceback" not in errors
        assert len(outside.effects) == done
        server.start()

        assert_ended_well(server, outside, graph, run_id)


def test_a_database_that_is_locked_for_a_while_only_delays(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(3)

    with server.store.locked():
        before = len(outside.effects)
        # Longer than anybody here waits for a lock; nothing may begin that is not on disk.
        time.sleep(10)
        assert len(outside.effects) <= before + 1

    assert_ended_well(server, outside, graph, run_id)


def test_an_executor_that_is_frozen_for_long_is_replaced_and_its_run_goes_on(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(3)
    frozen = server.pid("ExecutionManager")
    os.kill(frozen, signal.SIGSTOP)
    woken = threading.Timer(60, lambda: _wake(frozen))
    woken.start()
    try:
        until(
            lambda: server.pids().get("ExecutionManager") not in (None, frozen),
            limit_s=50,
            what="another executor",
        )
        run = server.rest.ended(graph, run_id)
    finally:
        woken.cancel()
        _wake(frozen)

    assert run["status"] == "COMPLETED"
    done = outside.of("r")
    assert sorted(done, key=int) == [str(step) for step in range(STEPS)]
    assert sum(len(effects) - 1 for effects in done.values()) <= 1
    assert all(len({effect.key for effect in effects}) == 1 for effects in done.values())
    assert_consistent(server)


def _wake(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)

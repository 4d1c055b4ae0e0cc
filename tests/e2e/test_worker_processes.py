"""A block of another package in a worker process, under the whole server: who is killed, and what is left."""

import os
import re
from pathlib import Path

import httpx2
import psutil
import pytest

from backend.core.block import Place
from backend.core.graph import Graph, Node
from backend.core.ids import GraphId, NodeId
from backend.usecases import sample
from tests.e2e.conftest import StartServer
from tests.e2e.harness import Server, assert_consistent, until
from tests.e2e.running import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ID = "5f0d6c0e-37f5-4b0c-9a3c-0a4f8f3f7a10"
CODE = f'''
import os
import sys
from pathlib import Path

import busy_words_library
from backend.sdk import Block, Effect, Place, pin, pins


class BusyWordsBlock(Block):
    """Says who works for it, and then works for ever, or not."""

    id = "{ID}"
    effect = Effect.READ
    place = Place.{Place.PROCESS.name}

    @pins
    class Input:
        note: str = pin()
        for_ever: bool = pin(default=True)

    @pins
    class Output:
        result: int = pin()

    def run(self, inputs, context):
        Path(inputs.note).write_text(str(os.getpid()))
        yield "result", os.getpid()
        while inputs.for_ever:
            pass
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a package whose block is found by its entry point."""
    place = tmp_path / "packages"
    facts = place / "busy_words-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: busy-words\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[agpt.blocks]\nbusy_words = busy_words:BusyWordsBlock\n"
    )
    (place / "busy_words.py").write_text(CODE)
    (place / "busy_words_library.py").write_text("")
    return place


@pytest.fixture
def server(start_server: StartServer, package: Path) -> Server:
    return start_server(PYTHONPATH=f"{package}{os.pathsep}{ROOT}", BLOCK_PROCESSES="2")


def busy(note: Path, *, for_ever: bool) -> Graph:
    inputs = {"note": str(note), "for_ever": for_ever}
    node = Node(id=NodeId("busy"), block_id=ID, input_default=inputs)  # type: ignore[arg-type]
    return Graph(id=GraphId("busy"), name="busy", description="", nodes=(node,))


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def figure(server: Server, name: str) -> float:
    port = server.ports["ExecutionManager"]
    text = httpx2.get(f"http://localhost:{port}/metrics").text
    found = re.search(rf"^autogpt_{name} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def written(note: Path) -> str | None:
    """Return what is in *note*; None while there is nothing: it is there before it is written."""
    return (note.read_text() if note.exists() else "") or None


def begun(server: Server, note: Path) -> tuple[str, str, int]:
    """Start a run that never ends; return it with its worker, which is at work."""
    graph_id = server.rest.add(busy(note, for_ever=True))
    run_id = server.rest.start(graph_id)
    pid = int(until(lambda: written(note), what="the block to begin"))
    return graph_id, run_id, pid


def test_a_worker_is_there_while_it_is_needed_and_ends_with_its_run_or_the_server(
    server: Server, tmp_path: Path
) -> None:
    assert figure(server, "block_processes") == 0

    graph_id, run_id, pid = begun(server, tmp_path / "note")
    plain = server.rest.add(sample.create_test_graph())
    beside = server.rest.ended(plain, server.rest.start(plain, input_1="a", input_2="b"))
    server.rest.stop(graph_id, run_id)
    stopped = server.rest.ended(graph_id, run_id)

    assert beside["status"] == "COMPLETED"
    assert stopped["status"] == "TERMINATED"
    until(lambda: is_gone(pid), what="the worker's end")
    assert figure(server, "block_processes_lost") == 1
    lag = figure(server, "event_loop_lag_seconds")
    assert figure(server, "event_loop_lag_max_seconds") >= lag
    assert_consistent(server)

    _, _, last = begun(server, tmp_path / "last")
    server.stop()

    assert is_gone(last)
    server.assert_nothing_left()


def test_a_killed_executor_leaves_no_worker_and_the_next_does_the_work_again(
    server: Server, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    graph_id, run_id, pid = begun(server, note)
    idle = server.rest.add(busy(tmp_path / "other", for_ever=False))
    other = server.rest.ended(idle, server.rest.start(idle))
    (rests,) = other["node_executions"][0]["output_data"]["result"]

    server.kill("ExecutionManager")

    until(lambda: is_gone(pid) and is_gone(rests), limit_s=2, what="both workers' end")
    until(lambda: note.read_text() not in ("", str(pid)), what="the block to begin again")
    server.rest.stop(graph_id, run_id)
    assert server.rest.ended(graph_id, run_id)["status"] == "TERMINATED"
    assert_consistent(server)

"""Large values and files on their way through all processes: nothing is lost, and little is held."""

import base64
import random
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, assert_consistent, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MEGABYTE = 1024 * 1024
STEPS = 6


def handing_on(stores: int) -> Graph:
    drawing = Drawing("Handing on", "A file through many nodes.")
    given = drawing.node("AgentFileInputBlock", name="file")
    nodes = [drawing.node("FileStoreBlock") for _ in range(stores)]
    out = drawing.node("AgentOutputBlock", name="file")
    drawing.link(given, "result", nodes[0], "file_in")
    for before, after in pairwise(nodes):
        drawing.link(before, "file_out", after, "file_in")
    drawing.link(nodes[-1], "file_out", out, "value")
    return drawing.graph()


def held(server: Server) -> dict[str, int]:
    """Return what each service holds of the memory, bytes."""
    return {name: psutil.Process(pid).memory_full_info().pss for name, pid in server.pids().items()}


def on_disk(folder: Path) -> int:
    """Return the bytes below *folder*; of a file with several names once."""
    files = {path.stat().st_ino: path.stat() for path in folder.rglob("*") if path.is_file()}
    return sum(one.st_size for one in files.values())


def test_a_large_value_in_flight_survives_a_kill(server: Server, outside: EffectCounter) -> None:
    graph = server.rest.add(web_chain(outside.origin, STEPS))
    text = base64.b64encode(random.randbytes(1_500_000)).decode()
    before = server.store.size_bytes()
    run_id = server.rest.start(graph, run=text)
    outside.wait_for(STEPS // 2)

    server.kill("ExecutionManager")
    run = server.rest.ended(graph, run_id)

    assert (run["status"], run["inputs"]) == ("COMPLETED", {"run": text})
    assert run["outputs"] == {"answer": [{"run": text}]}
    assert_consistent(server)
    assert server.store.size_bytes() - before < 2 * MEGABYTE


def test_a_large_file_through_ten_nodes_is_held_by_nobody(tmp_path: Path) -> None:
    size = 64 * MEGABYTE
    source = tmp_path / "big.bin"
    source.write_bytes(bytes(size))
    with serving(tmp_path / "data") as server:
        graph = server.rest.add(handing_on(9))
        small = server.rest.start(graph, file="data:text/plain,warm")
        server.rest.ended(graph, small)
        memory, disk = held(server), on_disk(server.data_dir / "files")
        others, database = on_disk(server.data_dir) - disk, server.store.size_bytes()

        with source.open("rb") as content:
            response = server.rest._client.post(
                "/api/files/upload", files={"file": ("big.bin", content)}, timeout=120
            )
        run_id = server.rest.start(graph, file=response.json()["file_uri"])
        run = server.rest.ended(graph, run_id)
        grown = {name: size - memory[name] for name, size in held(server).items()}

        assert run["status"] == "COMPLETED"
        assert run["outputs"]["file"][0].startswith(f"workspace://{run_id}_")
        assert sum(grown.values()) < 16 * MEGABYTE, grown
        more = on_disk(server.data_dir / "files") - disk
        assert size <= more < size + MEGABYTE
        assert on_disk(server.data_dir) - disk - more - others < MEGABYTE
        assert server.store.size_bytes() - database < MEGABYTE

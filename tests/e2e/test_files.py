"""A file goes from its sender through a run, over real sockets, and leaves nothing behind."""

import base64
import random

import psutil
import pytest

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing
from tests.e2e.harness import Server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MEGABYTE = 1024 * 1024


def reading() -> Graph:
    drawing = Drawing("Reading", "Keeps a file and reads the beginning of its second row.")
    given = drawing.node("AgentFileInputBlock", name="file")
    reader = drawing.node("FileReadBlock", delimiter="\n", skip_rows=1, row_limit=1)
    out = drawing.node("AgentOutputBlock", name="text")
    drawing.link(given, "result", reader, "file_input")
    drawing.link(reader, "content", out, "value")
    return drawing.graph()


def upload(server: Server, content: bytes) -> str:
    response = server.rest._client.post(
        "/api/files/upload", files={"file": ("big.txt", content, "text/plain")}, timeout=60
    )
    assert response.status_code == 200, response.text
    uri: str = response.json()["file_uri"]
    return uri


def test_an_upload_is_read_by_a_run_which_keeps_its_own_copy(server: Server) -> None:
    graph = server.rest.add(reading())
    lines = base64.b64encode(random.randbytes(30 * MEGABYTE)) + b"\nsecond\nthird"
    rest = psutil.Process(server.pid("AgentServer"))
    before = rest.memory_info().rss

    uri = upload(server, lines)
    run_id = server.rest.start(graph, file=uri)
    run = server.rest.ended(graph, run_id)

    assert run["status"] == "COMPLETED"
    assert run["outputs"] == {"text": ["second"]}
    assert rest.memory_info().rss - before < 24 * MEGABYTE
    copies = [path for path in (server.data_dir / "files" / run_id).iterdir() if not path.suffix]
    assert [path.stat().st_size for path in copies] == [len(lines)]


def test_an_upload_over_its_limit_is_refused(server: Server) -> None:
    response = server.rest._client.post(
        "/api/files/upload",
        files={"file": ("big.txt", bytes(101 * MEGABYTE), "text/plain")},
        timeout=60,
    )

    assert response.status_code == 400
    assert response.json() == {
        "detail": "the file is larger than 100 MB (setting MAX_FILE_SIZE_MB)"
    }
    kept = [path for path in (server.data_dir / "files").rglob("*") if path.is_file()]
    assert kept == []

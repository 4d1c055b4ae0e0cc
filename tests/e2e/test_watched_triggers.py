"""Triggers that the server watches, on a whole server whose scheduler dies in the middle of its work."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backend.core.ids import DEFAULT_USER_ID
from backend.discovery import load_catalog
from tests.e2e.conftest import StartServer
from tests.e2e.harness import Json, Server, assert_consistent, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OUTPUT = "363ae599-353e-4804-937e-b2ee3cef3da4"
ITEMS = 12


class Site(ThreadingHTTPServer):
    """A feed."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.entries: list[str] = []
        self.looks = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        items = "".join(
            f"<item><title>{one}</title><guid>{one}</guid></item>" for one in self.server.entries
        )
        body = f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.looks += 1

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def agent(block: str, pin: str) -> Json:
    """Return a graph that gives out one pin of a trigger."""
    [block_id] = [one.id for one in load_catalog() if one.name == block]
    return {
        "name": block,
        "description": "",
        "nodes": [
            {"id": "in", "block_id": block_id, "input_default": {}},
            {"id": "out", "block_id": OUTPUT, "input_default": {"name": "found"}},
        ],
        "links": [{"source_id": "in", "source_name": pin, "sink_id": "out", "sink_name": "value"}],
    }


def set_up(server: Server, block: str, pin: str, **config: Any) -> tuple[str, Json]:
    graph: str = server.rest.post("/graphs", {"graph": agent(block, pin)})["id"]
    wanted = {"name": "n", "graph_id": graph, "graph_version": 1, "trigger_config": config}
    preset: Json = server.rest.post("/library/presets/setup-trigger", wanted)
    return graph, preset


def found(server: Server, graph: str) -> list[str]:
    """Return what the runs of *graph* have given out, once all have ended."""
    runs = server.rest.get(f"/graphs/{graph}/executions?page_size=100")["executions"]
    ended = [server.rest.ended(graph, run["id"]) for run in runs]
    return [value for run in ended for value in run["outputs"].get("found", [])]


def test_each_file_and_each_entry_starts_one_run_though_the_scheduler_dies(
    start_server: StartServer, site: Site
) -> None:
    server = start_server(TRUST_ENDPOINTS_FOR_REQUESTS=site.origin, MIN_POLL_INTERVAL_S="1")
    files, _ = set_up(server, "FileDropTriggerBlock", "name", folder="in", interval=1, settle=1)
    feed, preset = set_up(server, "FeedTriggerBlock", "title", url=f"{site.origin}/", interval=1)
    until(lambda: site.looks, what="the first look at the feed")
    until(
        lambda: server.rest.get(f"/library/presets/{preset['id']}")["webhook"]["config"]["watch"][
            "looked_at"
        ],
        what="its end",
    )
    place = Path(server.data_dir) / "drop" / DEFAULT_USER_ID / "in"
    place.mkdir(parents=True, exist_ok=True)
    names = [f"n{number}" for number in range(ITEMS)]

    site.entries = names
    for name in names:
        (place / name).write_text(name)
    until(lambda: server.rows("SELECT count(*) FROM executions") > [(1,)], what="two runs")
    server.kill("Scheduler")
    server.wait_ready("Scheduler")

    until(lambda: len(list((place / "done").glob("*"))) == ITEMS, what="all files", limit_s=120)
    until(
        lambda: (
            len(server.rest.get(f"/graphs/{feed}/executions?page_size=100")["executions"]) >= ITEMS
        ),
        what="all entries",
        limit_s=120,
    )
    assert Counter(found(server, files)) == Counter(names)
    assert Counter(found(server, feed)) == Counter(names)
    assert_consistent(server)

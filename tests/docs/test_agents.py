"""The agent files among the documents can be run."""

from itertools import count

from backend.api.wire.graphs import Graph, to_graph
from backend.discovery import load_catalog
from backend.services.runnable import make_ready, require_runnable
from tests.house.source import texts


def test_every_agent_file_of_the_documents_can_be_run() -> None:
    catalog = load_catalog()
    fresh = count()
    agents = {
        name: to_graph(Graph.model_validate_json(text), lambda: f"id-{next(fresh)}")
        for name, text in texts().items()
        if name.startswith("docs/") and name.endswith(".json")
    }

    skipped = {}
    for name, agent in agents.items():
        ready = make_ready(agent, catalog)
        skipped[name] = require_runnable(
            ready, ready.report, {}, {"name": "Ada", "who": "Ada"}
        ).skipped

    assert skipped == {
        "docs/howto/clock.json": (),
        "docs/howto/files.json": (),
        "docs/howto/greeting.json": (),
        "docs/tutorial/hello.json": (),
    }

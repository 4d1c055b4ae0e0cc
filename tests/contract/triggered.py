"""A graph that a webhook starts, and what tests do with its webhook."""

from typing import Any

import httpx2

from tests.contract.rest_server import ANN, INPUT, OUTPUT, Json, RestServer, link

TRIGGER = "8fa8c167-2002-47ce-aba8-97572fc5d387"
#: Known, of the type that its provider registers, and not built here.
GITHUB_TRIGGER = "6c60ec01-8128-419e-988f-96a063ee2fea"
PRESETS = "/api/library/presets"


def triggered_graph() -> Json:
    """Return a graph: a trigger, whose payload and constants go out, and an input of its own."""
    return {
        "name": "Triggered",
        "description": "What comes in goes out",
        "nodes": [
            {"id": "trigger", "block_id": TRIGGER, "input_default": {}},
            {"id": "in", "block_id": INPUT, "input_default": {"name": "city", "value": "Bergen"}},
            {"id": "out", "block_id": OUTPUT, "input_default": {"name": "result"}},
        ],
        "links": [link("trigger", "payload", "out", "value")],
    }


def full(graph: Json, **changes: Any) -> Json:
    """Return a preset of *graph* as a client sends it."""
    return {
        "graph_id": graph["id"],
        "graph_version": graph["version"],
        "inputs": {"text": "kept"},
        "credentials": {},
        "name": "Daily",
        "description": "",
        **changes,
    }


def setup(graph: Json, **changes: Any) -> Json:
    """Return what sets up the trigger of *graph*."""
    return {
        "name": "Triggered",
        "graph_id": graph["id"],
        "graph_version": graph["version"],
        "trigger_config": {"constants": {"shop": "Oslo"}},
        **changes,
    }


async def new_preset(server: RestServer, graph: Json, *, user: str = ANN, **changes: Any) -> Json:
    """Save a preset and return it as answered."""
    response = await server.ask("POST", PRESETS, full(graph, **changes), user=user)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def new_trigger(server: RestServer, *, user: str = ANN, **config: Any) -> Json:
    """Save a triggered graph, set it up, and return its preset as answered."""
    graph = await server.new_graph(triggered_graph(), user=user)
    body = setup(graph, **({"trigger_config": config} if config else {}))
    response = await server.ask("POST", f"{PRESETS}/setup-trigger", body, user=user)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def deliver(server: RestServer, url: str, body: Any = None, **more: Any) -> httpx2.Response:
    """Send *body*, or ``content=``, to a webhook as its sender does: without a token."""
    if body is not None:
        more["json"] = body
    answered = await server.client.post(url, **more)
    await start_all(server)
    return answered


async def start_all(server: RestServer) -> None:
    """Start the runs of what was delivered, as a server does beside its answers."""
    while await server.context.webhooks.runs.work():
        pass


async def runs(server: RestServer, *, user: str = ANN) -> list[Json]:
    """Return a user's runs, newest first."""
    response = await server.ask("GET", "/api/executions", user=user)
    found: list[Json] = response.json()
    return found

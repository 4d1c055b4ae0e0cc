"""Credentials on a whole server: they reach who they are for, and are found nowhere else."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.stored import CANARY, EVERY_KIND
from tests.e2e.harness import Json, Server, Socket, serving
from tests.e2e.misbehaving import Misbehaving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEND = "fff86bcd-e001-4bad-a7f6-2eae4720c8dc"
OUTPUT = "363ae599-353e-4804-937e-b2ee3cef3da4"
PATHS = ("ok", "refused", "broken", "garbage", "away", "cut")


@pytest.fixture(scope="module")
def outside() -> Iterator[Misbehaving]:
    server = Misbehaving()
    yield server
    server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, outside: Misbehaving) -> Iterator[Server]:
    trusted = f"{outside.origin},{outside.origin.replace('127.0.0.1', 'localhost')}"
    place = tmp_path_factory.mktemp("server") / "data"
    with serving(place, TRUST_ENDPOINTS_FOR_REQUESTS=trusted) as made:
        yield made


def keep(server: Server, provider: str, **changes: Any) -> Json:
    """Keep credentials, and return a reference to them."""
    body = {**EVERY_KIND[provider], **changes}
    response = server.rest.ask("POST", f"/integrations/{provider}/credentials", body)
    assert response.status_code == 201, response.text
    assert CANARY not in response.text
    return {"id": response.json()["id"], "provider": provider, "type": body["type"]}


def asking(outside: Misbehaving, *paths: str, credentials: Json | None = None) -> Json:
    """Return a graph with a request for each path, and outputs for all that comes of it."""
    nodes: list[Json] = []
    links: list[Json] = []
    for path in paths:
        given: Json = {"url": f"{outside.origin}/{path}", "method": "GET"}
        if credentials is not None:
            given["credentials"] = credentials
        nodes.append({"id": path, "block_id": SEND, "input_default": given})
        for pin in ("response", "client_error", "server_error", "error"):
            name = f"{path}_{pin}"
            nodes.append({"id": name, "block_id": OUTPUT, "input_default": {"name": name}})
            links.append(
                {"source_id": path, "source_name": pin, "sink_id": name, "sink_name": "value"}
            )
    return {"name": "Asking", "description": "", "nodes": nodes, "links": links}


def new_graph(server: Server, graph: Json) -> Json:
    made: Json = server.rest.post("/graphs", {"graph": graph})
    return made


def test_secrets_reach_who_they_are_for_and_stay_nowhere_else(
    server: Server, outside: Misbehaving
) -> None:
    for provider in ("openai", "smtp", "github"):
        keep(server, provider)
    mine = keep(server, "http", host="127.0.0.1")
    graph = new_graph(server, asking(outside, *PATHS))
    [group] = graph["credentials_input_schema"]["properties"]
    body = {"credentials_inputs": {group: mine}}

    run = server.rest.post(f"/graphs/{graph['id']}/execute/1", body)
    socket = Socket(server)
    socket.subscribe(run["id"], after=0)
    events = socket.until_ended()
    socket.close()
    ended = server.rest.ended(graph["id"], run["id"])

    assert {path: outside.shown[f"/{path}"].get("x-key") for path in PATHS} == dict.fromkeys(
        PATHS, CANARY
    )
    assert "x-key" not in outside.shown["/stranger"]
    assert "authorization" not in outside.shown["/stranger"]
    outputs = ended["outputs"]
    assert outputs["ok_response"] == [{"fine": True}]
    assert "**********" in outputs["refused_client_error"][0]
    assert "**********" in outputs["broken_server_error"][0]
    assert "is not JSON" in outputs["garbage_error"][0]
    shown = [
        repr(events),
        repr(ended),
        server.rest.ask("GET", f"/graphs/{graph['id']}?for_export=true").text,
        server.rest.ask("GET", "/integrations/credentials").text,
        *(server.log(service) for service in server.pids()),
        *files_in(server.data_dir),
    ]
    found = [text[max(0, at - 80) : at + 80] for text in shown for at in places_of_canary(text)]
    assert found == []


def test_credentials_in_a_node_work_too_and_do_not_leave_with_it(
    server: Server, outside: Misbehaving
) -> None:
    mine = keep(server, "http", host="127.0.0.1")
    graph = new_graph(server, asking(outside, "ok", credentials=mine))

    run = server.rest.post(f"/graphs/{graph['id']}/execute/1", {})
    exported = server.rest.get(f"/graphs/{graph['id']}?for_export=true")

    ended = server.rest.ended(graph["id"], run["id"])
    assert ended["outputs"] == {"ok_response": [{"fine": True}]}
    assert mine["id"] not in repr(exported)


def test_headers_for_another_host_are_not_sent(server: Server, outside: Misbehaving) -> None:
    other = keep(server, "http", host="*.example.com")
    outside.shown.clear()
    graph = new_graph(server, asking(outside, "ok", credentials=other))

    run = server.rest.post(f"/graphs/{graph['id']}/execute/1", {})

    ended = server.rest.ended(graph["id"], run["id"])
    assert "credentials are for *.example.com" in ended["outputs"]["ok_error"][0]
    assert outside.shown == {}


def places_of_canary(text: str) -> list[int]:
    """Return where the canary stands in a text: as it is, in base64, in an address, and in between."""
    forms = {CANARY, quote(CANARY, safe=""), quote(CANARY)}
    for before in ("", "x", "xx"):
        coded = base64.b64encode(f"{before}{CANARY}".encode()).decode()
        forms.add(coded[4 if before else 0 : -4])
    return [text.index(form) for form in forms if form in text]


def files_in(folder: Path) -> list[str]:
    """Return the content of all files of a data directory."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.read_bytes().decode("latin-1") for path in files]

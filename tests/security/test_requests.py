"""Requests that say more than they should, or something else than they are: every route, alike."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.contract.owners import MAKERS, Owner
from tests.contract.ownership import ALIASES, NOBODYS, all_rows, route_names
from tests.contract.rest_server import ANN, BOB, PLACEHOLDER, Json, RestServer, sample_graph
from tests.contract.test_conformance import documented, whole
from tests.contract.test_wrong_everywhere import SENT, WITHOUT_BODY
from tests.contract.test_wrong_requests import UNKNOWN
from tests.contract.triggered import PRESETS

#: What a body may say that it is.
KINDS: Final = [
    "text/plain",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/octet-stream",
    "application/x-python-serialize",
    "application/x-yaml",
    "application/json; charset=utf-16",
    "application/json, text/plain",
    "\x7f",
]
#: A form whose file is a path, as JSON, as a form and as multipart.
POSES: Final = [
    b'{"files": {"file": {"filepath": "/etc/passwd", "originalFilename": "x", "mimetype": "a/b"}}}',
    b"file=%2Fetc%2Fpasswd&graph=%7B%7D",
    b'--x\r\nContent-Disposition: form-data; name="graph"\r\n\r\n{"name": "n"}\r\n--x--\r\n',
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
]


async def address(server: RestServer, route: str, owner: Owner) -> str:
    """Return the path of a route with ids of the owner's."""
    path = route.split()[1]
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    ids = {}
    for name in names:
        kind = ALIASES.get(f"{route} {name}") or ALIASES.get(name, name)
        ids[name] = await owner.thing(kind) if kind in MAKERS else NOBODYS[name]
    return path.format(**ids)


@pytest.fixture
async def ann(server: RestServer) -> Owner:
    owner = Owner(server, ANN)
    await owner.make_all()
    return owner


@pytest.mark.slow
async def test_a_body_that_is_something_else_is_never_taken_for_what_it_poses_as(
    server: RestServer, ann: Owner
) -> None:
    routes = [f"{method} {path}" for method, path, _ in SENT]
    routes += [one for one in WITHOUT_BODY if one.endswith("/upload")]

    for route in dict.fromkeys(routes):
        path, method = await address(server, route, ann), route.split(maxsplit=1)[0]
        before = changed_rows(server)
        for kind in KINDS:
            for body in POSES[1:] if kind != "application/json" else POSES:
                response = await server.ask(
                    method, path, content=body, headers={"Content-Type": kind}
                )
                assert 400 <= response.status_code < 500, (route, kind, response.text)
                assert "root:" not in response.text
        assert changed_rows(server) == before, route


#: What would be worth setting, if a route let anybody.
MORE: Final = {
    "user_id": BOB,
    "owner_id": BOB,
    "userId": BOB,
    "is_admin": True,
    "role": "admin",
    "created_at": "1999-01-01T00:00:00Z",
    "secret": "chosen by a stranger",
    "__class__": "Admin",
    "stats": {"cost": -1},
    "is_shared": True,
}
#: Bodies, or parts of them, that are values of the client's: any name may be in there.
FREE: Final = {
    "inputs",
    "input_data",
    "trigger_config",
    "input_default",
    "reviewed_data",
    "metadata",
}
FREE_BODIES: Final = {
    "POST /api/blocks/{block_id}/execute",
    "POST /graphs/{graph_id}/execute",
    "POST /graphs/{graph_id}/execute/{graph_version}",
}


def with_more(body: Any, inside: str = "") -> Any:
    """Return a body with everything in `MORE` in each object that has fields of its own."""
    if isinstance(body, dict):
        grown = {name: with_more(value, name) for name, value in body.items()}
        return grown if inside in FREE else {**MORE, **grown}
    return [with_more(one, inside) for one in body] if isinstance(body, list) else body


async def test_a_field_that_a_request_does_not_have_sets_nothing(
    server: RestServer, ann: Owner
) -> None:
    """Unknown fields are let pass, as the contract's clients need, or refused; never kept."""
    asked = 0

    for method, path, body in SENT:
        route = f"{method} {path}"
        if route in FREE_BODIES:
            continue
        text = json.dumps(with_more(body))
        for kind in MAKERS:
            text = text.replace(f"{{{kind}}}", await ann.thing(kind))
        target = await address(server, route, ann)
        response = await server.ask(
            method, target, content=text, headers={"Content-Type": "application/json"}
        )
        assert response.status_code < 500, (route, response.text)
        asked += 1

    assert asked > 10
    kept = str(all_rows(server))
    assert "chosen by a stranger" not in kept
    assert "1999-01-01" not in kept
    assert f"'{BOB}'" not in kept


async def test_a_run_takes_its_graph_from_the_store_and_from_nowhere_else(
    server: RestServer,
) -> None:
    graph = await server.new_graph()
    other = sample_graph(
        nodes=[{"id": "x", "block_id": PLACEHOLDER, "input_default": {}}], links=[]
    )
    sent = {"inputs": {"text": "a"}, "graph": other, "data": other, "nodes": other["nodes"]}

    for path in ("execute/1", "execute"):
        response = await server.ask("POST", f"/api/graphs/{graph['id']}/{path}", sent)
        assert response.status_code == 200, response.text

    assert PLACEHOLDER not in str(all_rows(server)["executions"])


HOSTILE: Final = [
    "' OR '1'='1",
    "1; DROP TABLE graphs --",
    "id) UNION SELECT secret FROM webhooks --",
    "user_id",
    "created_us DESC, (SELECT 1)",
    "%' ESCAPE '\\",
    "\"; ATTACH DATABASE '/x' AS y; --",
    "../../etc/passwd",
    "{{7*7}}",
    "a" * 5_000,
]


def parameters_of(server: RestServer) -> Iterator[tuple[str, str, list[Json], str]]:
    for method, path, said in documented(server):
        parameters = said.get("parameters", [])
        for one in parameters:
            if one["in"] == "query" and method == "GET":
                yield method, path, parameters, one["name"]


@pytest.mark.slow
async def test_nothing_in_a_query_becomes_a_part_of_a_statement(
    server: RestServer, ann: Owner
) -> None:
    before, asked = not_bobs(server), 0
    bob = {one["id"] for one in (await server.ask("GET", "/api/graphs", user=BOB)).json()}
    assert bob == set()

    for method, path, parameters, name in parameters_of(server):
        for value in HOSTILE:
            target = whole(path, parameters, **{name: "@"}).replace("=@", "=")
            where, _, query = target.partition("?")
            rest = [one for one in query.split("&") if not one.startswith(f"{name}=")]
            given = dict(one.split("=", 1) for one in rest if "=" in one)
            response = await server.ask(method, where, params={**given, name: value}, user=BOB)
            assert response.status_code < 500, (path, name, value, response.text)
            found = [id_ for id_ in ann.things.values() if id_ in response.text]
            assert found == [], (path, name, value)
            asked += 1

    assert asked > 50
    assert not_bobs(server) == before


def not_bobs(server: RestServer) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows but those that say whom they are of, and it is bob: what he searched for."""
    return {
        table: [row for row in rows if BOB not in row]
        for table, rows in changed_rows(server).items()
    }


def changed_rows(server: RestServer) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows but those of the audit log that say that something was refused."""
    rows = all_rows(server)
    del rows["audit_head"]  # the last row of the log, of whatever kind
    return {**rows, "audit": [row for row in rows["audit"] if "refused" not in row]}


async def test_no_private_answer_may_be_kept_by_a_browser(server: RestServer, ann: Owner) -> None:
    public = {"GET /api/blocks"}

    for name, route in route_names(server):
        if not name.startswith("GET ") or name in public or "/docs" in name:
            continue
        path = route.path.format(**dict.fromkeys(route.param_convertors, UNKNOWN))
        response = await server.ask("GET", path)
        assert "no-store" in response.headers["Cache-Control"], name


async def test_a_block_that_may_not_run_is_refused_by_every_entry(server: RestServer) -> None:
    """One place decides: a graph with it can be kept, and started by nobody."""
    node = {"id": "x", "block_id": PLACEHOLDER, "input_default": {}}
    graph = await server.new_graph(sample_graph(nodes=[node], links=[]))
    of_graph = f"/api/graphs/{graph['id']}"
    preset: Json = {"name": "n", "description": "", "inputs": {}, "credentials": {}}
    preset |= {"graph_id": graph["id"], "graph_version": 1}
    made = await server.ask("POST", PRESETS, preset)

    entries: list[tuple[str, Json]] = [
        (f"/api/blocks/{PLACEHOLDER}/execute", {}),
        (f"{of_graph}/execute/1", {}),
        (f"{of_graph}/execute", {}),
        (of_graph.removeprefix("/api") + "/execute/1", {}),
        (of_graph.removeprefix("/api") + "/execute", {}),
        (f"{of_graph}/schedules", {"name": "s", "cron": "* * * * *", "inputs": {}}),
        (f"{PRESETS}/{made.json()['id']}/execute", {}),
    ]
    for path, body in entries:
        response = await server.ask("POST", path, body)
        assert response.status_code == 400, (path, response.text)
        assert "not built into this server" in response.text

    assert all_rows(server)["executions"] == []
    starts = {
        name
        for name, _ in route_names(server)
        if name.startswith("POST ")
        and name.rsplit("/", 1)[-1].startswith(("execute", "{graph_ver"))
    }
    assert starts <= KNOWN_STARTS, "a new way to start something: add it to the entries above"


KNOWN_STARTS: Final = {
    "POST /api/graphs/{graph_id}/execute/{graph_version}",
    "POST /graphs/{graph_id}/execute/{graph_version}",
    "POST /api/graphs/{graph_id}/execute",
    "POST /graphs/{graph_id}/execute",
    "POST /api/blocks/{block_id}/execute",
    "POST /api/library/presets/{preset_id}/execute",
}

"""Who may touch what: every route of the application, with every id in it, for a stranger.

Nothing here lists routes. They come from the application's own table; their bodies from `SENT`,
where each route that reads one has a whole body already, with `UNKNOWN` for the ids in it. What has
to be said once is how a thing of a user is made (`MAKERS` of
owners.py), and where a name in a route, a query or
a body means such a thing under another name (`ALIASES`).
"""

import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, Final

import httpx2
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Mount

from backend.adapters.storage.schema import metadata
from backend.api.routing import PublicRoute
from tests.contract.api_keys import EXTERNAL
from tests.contract.owners import MAKERS, Owner
from tests.contract.rest_server import ANN, Json, RestServer
from tests.contract.test_wrong_everywhere import SENT
from tests.contract.test_wrong_requests import UNKNOWN
from tests.contract.triggered import PRESETS

Way = tuple[str | int, ...]

#: What is in a path, and is nobody's: what it is filled with.
NOBODYS: Final[dict[str, str]] = {
    "notice_type": "AGENT_RUN",
    "run_id": "00000000-0000-4000-8000-00000000dead",  # administrators name anybody's
    "graph_version": "1",
    "version": "1",
    "block_id": "b1ab9b19-67a6-406d-abf5-2dba76d00c79",
    "provider": "generic_webhook",
    "client_id": "agpt_client_nobody",
    "job_name": "retention",
}

#: Names of ids, and the kind that they mean: everywhere, or (after a route) in that one only.
ALIASES: Final[dict[str, str]] = {
    "graph_execution_id": "graph_exec_id",
    "active_graph_id": "graph_id",
    f"POST {PRESETS}/setup-trigger graph_id": "triggered_graph_id",
    "GET /api/review/execution/{graph_exec_id} graph_exec_id": "asking_run_id",
    "GET /api/chat/sessions/{session_id} session_id": "chat_id",
    "POST /api/chat/sessions/{session_id}/stream session_id": "chat_id",
}

#: Names that end like an id's in bodies and queries, and name nothing that anybody owns.
NO_IDS: Final[dict[str, str]] = {
    "id": "of the graph or node in the same body: what is saved gets ids of its own",
    "block_id": "blocks are everybody's",
    "source_id": "a node of the graph in the same body",
    "sink_id": "a node of the graph in the same body",
    "forked_from_id": "told, never looked up",
    "client_id": "of an app, which is everybody's to let in",
    "user_id": "whose credits an administrator changes; who is none hears 403",
    "notice_id": "of anybody's notice, for administrators; who is none hears 403",
    "search_id": "of the caller's own searches; any other begins a new one (test_builder.py)",
    "block_ids": "blocks are everybody's",
    "ids": "of notices; others' are left as they are, unsaid (test_notifications.py)",
}

#: Bodies beside `SENT`: route, what it is about, body. `UNKNOWN` stands where the id goes.
MORE_BODIES: Final[list[tuple[str, str, Json]]] = [
    (
        f"POST {EXTERNAL}/graphs/{{graph_id}}/execute/{{graph_version}}",
        "",
        {"node_input": {"text": "a"}},
    ),
    (
        f"POST {PRESETS}",
        "webhook_id",
        {
            "graph_id": "{triggered_graph_id}",
            "graph_version": 1,
            "inputs": {},
            "credentials": {},
            "name": "n",
            "description": "",
            "webhook_id": UNKNOWN,
        },
    ),
    (
        f"POST {PRESETS}",
        "graph_execution_id",
        {"graph_execution_id": UNKNOWN, "name": "n", "description": ""},
    ),
    ("PUT /api/budgets", "graph_exec_id", {"limit": 5, "graph_exec_id": UNKNOWN}),
]

#: Ids in queries: route, name, and what else the query needs.
QUERIES: Final[dict[tuple[str, str], str]] = {
    ("POST /api/graphs/{graph_id}/execute/{graph_version}", "preset_id"): "preset_id",
    ("POST /api/graphs/{graph_id}/execute", "preset_id"): "preset_id",
    (f"GET {PRESETS}", "graph_id"): "graph_id",
    ("GET /api/usage", "graph_id"): "graph_id",
}

#: Lists without an id need what else a query must have.
LIST_QUERIES: Final[dict[str, str]] = {
    f"GET {PRESETS}": "?graph_id=",
    "GET /api/builder/blocks/batch": "?block_ids=x",
}

#: Routes where an id is all that a caller needs, and why that is right.
OPEN: Final[dict[str, str]] = {
    "GET /api/oauth/apps/{app_id}/logo": "shown to whoever is asked to let the app in",
    "GET /api/public/shared/{share_token}": "the link is for whoever its owner gives it to",
    "POST /api/integrations/{provider}/webhooks/{webhook_id}/ingress": (
        "senders have no account; the address is secret, and a signature may be asked for"
    ),
}

#: Rows with an owner that no request makes.
NOT_BY_REQUEST: Final[dict[str, str]] = {
    "notice_repeats": "written by the notification service; no route shows them",
    "notices": "made by the executor at the end of a run; whose list shows which: test_notifications.py",
    "trigger_states": "written by the scheduler when it looks; shown with the owner's preset",
    "sign_ins": "made when somebody goes to a provider to sign in",
    "one_time_tokens": "mailed to its owner; who has one names no id",
    "identities": "a provider of identities says who is who",
    "key_values": "written by blocks in a run; no route shows them",
    "model_answers": "kept by the executor when a model has answered; no route shows them",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One request that names *theirs*: places in it that get a stranger's ids, or nobody's."""

    name: str
    method: str
    path: str
    kinds: Mapping[str, str]  #: of the path's parameters
    theirs: frozenset[str]
    query: tuple[str, str] | None = None  #: its name and kind
    body: Any = None
    slot: tuple[Way, str] | None = None  #: the place of an id in the body, and its kind

    def __str__(self) -> str:
        return f"{self.name} with {'+'.join(sorted(self.theirs))}"


@dataclass(kw_only=True)
class Answered:
    """What came back, without what differs between any two answers."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


def route_names(server: RestServer) -> Iterator[tuple[str, APIRoute]]:
    """Yield all routes, also those without ``/api``, by method and path."""
    for route in server.app.routes:
        if isinstance(route, APIRoute):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield f"{method} {route.path}", route


def external_names(server: RestServer) -> Iterator[tuple[str, APIRoute]]:
    """Yield the routes of the external API likewise."""
    mounts = [one for one in server.app.routes if isinstance(one, Mount)]
    for mount in mounts:
        for route in getattr(mount.app, "routes", ()):
            if isinstance(route, APIRoute):
                for method in sorted((route.methods or set()) - {"HEAD"}):
                    yield f"{method} {mount.path}{route.path}", route


def cells(server: RestServer) -> list[Cell]:
    """Return all of the matrix. Raises AssertionError with a sentence for what nobody taught it."""
    return list(
        chain.from_iterable(
            _cells_of(name, route)
            for name, route in (*route_names(server), *external_names(server))
            if name not in OPEN
        )
    )


def kind_of(name: str, route: str) -> str | None:
    """Return which kind a name means in a route; None if it is nobody's."""
    kind = ALIASES.get(f"{route} {name}") or ALIASES.get(name, name)
    if kind in MAKERS:
        return kind
    assert name in NOBODYS, (
        f"The ownership matrix does not know how to fill {{{name}}} of {route}: say in MAKERS of "
        "tests/contract/owners.py how a user gets such a thing, or in NOBODYS that nobody owns it."
    )
    return None


def _cells_of(name: str, route: APIRoute) -> Iterator[Cell]:
    method = name.split(maxsplit=1)[0]
    found = {one: kind_of(one, name) for one in route.param_convertors}
    owned = {one: kind for one, kind in found.items() if kind is not None}
    bodies = _bodies(name)
    whole = bodies[0][1] if bodies else None
    groups = {frozenset(owned), *(frozenset({one}) for one in owned)} - {frozenset()}
    base = partial(Cell, name=name, method=method, path=name.split()[1], kinds=owned)
    for theirs in sorted(groups, key=sorted):
        yield base(theirs=theirs, body=whole)
    for (where, parameter), kind in QUERIES.items():
        if where in (name, _below_api(name)):
            yield base(theirs=frozenset({parameter}), query=(parameter, kind), body=whole)
    for _, body in bodies:
        for way, slot_name in _slots(body):
            slot_kind = kind_of(slot_name, name)
            assert slot_kind is not None, f"{slot_name} in the body of {name}"
            yield base(theirs=frozenset({slot_name}), body=body, slot=(way, slot_kind))


def _below_api(name: str) -> str:
    method, path = name.split()
    return f"{method} /api{path}"


def _bodies(name: str) -> list[tuple[str, Any]]:
    sent = [("", body) for method, path, body in SENT if f"{method} {path}" == name]
    if not sent:
        sent = [("", body) for method, path, body in SENT if f"{method} {path}" == _below_api(name)]
    return sent + [(about, body) for route, about, body in MORE_BODIES if route == name]


def _slots(value: Any, way: Way = ()) -> Iterator[tuple[Way, str]]:
    """Yield the places of ids in a body, with their names."""
    if value == UNKNOWN:
        yield way, str(next(step for step in reversed(way) if isinstance(step, str)))
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _slots(inner, (*way, key))


async def asked(asker: Owner, method: str, path: str, body: Any = None) -> httpx2.Response:
    """Send a request as *asker*: with a token, or with a key where only keys are taken."""
    if not path.startswith(EXTERNAL):
        return await asker.server.ask(method, path, body, user=asker.user)
    key = await asker.thing("key_text")
    more = {} if body is None else {"json": body}
    return await asker.server.client.request(method, path, headers={"X-API-Key": key}, **more)


async def ask(cell: Cell, asker: Owner, other: Owner | None) -> Answered:
    """Send a cell's request as *asker*, with the ids of *other*, or of nobody, where it says."""
    masks: dict[str, str] = {}

    async def filled(place: str, kind: str) -> str:
        if place not in cell.theirs:
            return await asker.thing(kind)
        id_ = _nobodys(kind) if other is None else await other.thing(kind)
        masks[id_] = f"<{kind}>"
        return id_

    ids = {place: await filled(place, kind) for place, kind in cell.kinds.items()}
    path = cell.path.format(**{**NOBODYS, **ids})
    if cell.query is not None:
        path += f"?{cell.query[0]}={await filled(*cell.query)}"
    else:
        path += LIST_QUERIES.get(cell.name, "")
    body = await _body(cell, asker, filled)
    response = await asked(asker, cell.method, path, body)
    return _answered(response, masks)


def _nobodys(kind: str) -> str:
    return str(uuid.uuid5(uuid.UUID(UNKNOWN), kind))


async def _body(cell: Cell, asker: Owner, filled: Callable[[str, str], Awaitable[str]]) -> Any:
    """Return the body, with the asker's own ids in all places but the one that is tried."""

    async def with_ids(value: Any, way: Way) -> Any:
        if value == UNKNOWN:
            name = str(next(step for step in reversed(way) if isinstance(step, str)))
            kind = kind_of(name, cell.name)
            assert kind is not None
            mine = cell.slot is None or way != cell.slot[0]
            return await asker.thing(kind) if mine else await filled(name, kind)
        if isinstance(value, str) and value.startswith("{") and value[1:-1] in MAKERS:
            return await asker.thing(value[1:-1])
        if isinstance(value, dict):
            return {key: await with_ids(inner, (*way, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [await with_ids(inner, (*way, at)) for at, inner in enumerate(value)]
        return value

    return await with_ids(cell.body, ())


def _answered(response: httpx2.Response, masks: Mapping[str, str]) -> Answered:
    text = response.text
    for id_, mask in sorted(masks.items(), key=lambda one: -len(one[0])):
        text = text.replace(id_, mask)
    varying = ("x-request-id", "content-length")
    headers = {key: value for key, value in response.headers.items() if key not in varying}
    return Answered(status=response.status_code, headers=headers, text=text)


def lists(server: RestServer) -> list[str]:
    """Return the paths of what is read without an id."""
    return [
        name.split()[1] + LIST_QUERIES.get(name, "")
        for name, route in (*route_names(server), *external_names(server))
        if name.startswith("GET ")
        and not route.param_convertors
        and not isinstance(route, PublicRoute)
    ]


def names_like_ids(route: APIRoute) -> Iterator[str]:
    """Yield the names in a route's query and body that end like an id's."""
    names = {one.alias for one in route.dependant.query_params}
    if route.body_field is not None:
        annotation: Any = route.body_field.field_info.annotation
        schema = TypeAdapter(annotation).json_schema()
        names |= set(_properties(schema))
    for name in sorted(names):
        if name in ("id", "ids") or name.endswith(("_id", "_ids", "Id")):
            yield name


def _properties(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for inner in schema.values():
            yield from _properties(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _properties(inner)


def all_rows(server: RestServer) -> dict[str, list[tuple[Any, ...]]]:
    """Return everything that is in the database, by table."""
    return server.store.everything()


def rows_but_of(user: str, server: RestServer) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows but those of a user: that a key of theirs was used is written down."""
    return {
        table: [row for row in rows if user not in row] for table, rows in all_rows(server).items()
    }


def owned_tables(server: RestServer) -> Iterator[tuple[str, int]]:
    """Yield the tables whose rows have an owner, and how many rows a user has there."""
    for table in metadata.sorted_tables:
        if "user_id" in table.columns:
            query = f'SELECT count(*) FROM "{table.name}" WHERE user_id = ?'
            yield table.name, server.store.rows(query, ANN)[0][0]

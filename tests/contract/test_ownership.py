"""A stranger's request: the same answer as for an id that does not exist, and nothing changed.

The matrix is made from the route table (`ownership.py`), so a new route is in it by itself. The
last test takes the owner out of storage's functions, one after the other, and sees it turn red.
"""

from collections.abc import AsyncIterator

import pytest
from fastapi.routing import APIRoute

import backend.services.executions
from backend.api.routing import PublicRoute
from tests.contract import ownership
from tests.contract.administrators import FOR_ADMINISTRATORS
from tests.contract.owner_filters import Filters
from tests.contract.owners import MAKERS, Owner
from tests.contract.ownership import (
    LIST_QUERIES,
    NO_IDS,
    NOT_BY_REQUEST,
    OPEN,
    QUERIES,
    Cell,
    all_rows,
    ask,
    asked,
    cells,
    external_names,
    kind_of,
    lists,
    names_like_ids,
    owned_tables,
    route_names,
    rows_but_of,
)
from tests.contract.rest_server import AGENT, ANN, BOB, RestServer, rest_server, sample_graph


@pytest.fixture(autouse=True)
def _nobody_waits_for_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no executor here: who may stop a run hears at once that it has not ended yet."""
    monkeypatch.setattr(backend.services.executions, "STOP_WAIT_S", 0.0)


@pytest.fixture
async def people() -> AsyncIterator[tuple[Owner, Owner]]:
    """Two users with one of each kind of thing."""
    async with rest_server() as server:
        ann, bob = Owner(server, ANN), Owner(server, BOB)
        await ann.make_all()
        await bob.make_all()
        yield ann, bob


async def test_a_strangers_id_is_answered_like_one_that_does_not_exist(
    people: tuple[Owner, Owner],
) -> None:
    ann, bob = people
    before = rows_but_of(bob.user, ann.server)
    matrix = cells(ann.server)

    for cell in matrix:
        theirs, nobodys = await ask(cell, bob, ann), await ask(cell, bob, None)
        assert theirs == nobodys, cell
        assert rows_but_of(bob.user, ann.server) == before, f"{cell} has changed something"

    assert len(matrix) > 50


#: What lists of a graph show.
OF_A_GRAPH = ("graph_exec_id", "schedule_id", "preset_id", "model_usage", "alert_id")


@pytest.mark.slow
async def test_its_owner_is_answered_otherwise(server: RestServer) -> None:
    """Else the test above would hold for a route that refuses everybody."""
    for number, cell in enumerate(cells(server)):
        owner = Owner(server, f"owner-{number}")
        for kind in OF_A_GRAPH:
            await owner.thing(kind)
        nobodys = await ask(cell, owner, None)
        assert await ask(cell, owner, owner) != nobodys, cell


async def test_an_agent_that_runs_somebody_elses_shows_nothing_of_it(
    people: tuple[Owner, Owner],
) -> None:
    """What happens when it runs: tests/unit/engine/test_nesting.py."""
    ann, bob = people
    theirs = await ann.thing("graph_id")
    constants = {"graph_id": theirs, "graph_version": 1, "input_schema": {}, "output_schema": {}}
    node = {"id": "agent", "block_id": AGENT, "input_default": constants}
    body = sample_graph(nodes=[node], links=[])
    graph = await bob.server.new_graph(body, user=bob.user)

    shown = await bob.made("GET", f"/api/graphs/{graph['id']}")

    assert shown["sub_graphs"] == []


async def test_lists_show_nothing_of_others(people: tuple[Owner, Owner]) -> None:
    ann, bob = people
    shown = 0

    for path in _lists(ann.server):
        response = await asked(bob, "GET", path)
        assert response.status_code == 200, path
        assert [id_ for id_ in ann.things.values() if id_ in response.text] == [], path
        shown += any(id_ in response.text for id_ in bob.things.values())

    assert shown >= 4


def _lists(server: RestServer) -> list[str]:
    return [path for path in lists(server) if f"GET {path}" not in FOR_ADMINISTRATORS]


async def test_every_owned_table_has_rows_in_the_matrix(people: tuple[Owner, Owner]) -> None:
    for table, rows in owned_tables(people[0].server):
        assert rows or table in NOT_BY_REQUEST, (
            f"Nobody owns a row of the table {table} in the ownership matrix: say in MAKERS of "
            "tests/contract/owners.py how a user gets one, or in NOT_BY_REQUEST why no request "
            "makes any."
        )


async def test_every_id_in_a_query_or_body_is_in_the_matrix(server: RestServer) -> None:
    matrix = cells(server)

    for name, route in route_names(server):
        for one in names_like_ids(route) if name not in {*OPEN, *FOR_ADMINISTRATORS} else ():
            known = one in NO_IDS or any(
                cell.name == name and one in (*cell.theirs, *_steps(cell)) for cell in matrix
            )
            assert known, (
                f"The ownership matrix does not try {one!r}, which {name} takes in its query or "
                "body: let its body in SENT (test_wrong_everywhere.py) or MORE_BODIES (ownership.py)"
                " have UNKNOWN there, or add it to QUERIES; if nobody owns such a thing, to NO_IDS."
            )


def _steps(cell: Cell) -> tuple[str | int, ...]:
    return () if cell.slot is None else cell.slot[0]


async def test_a_route_whose_id_nobody_knows_is_named(server: RestServer) -> None:
    """What somebody reads who adds a route with a new kind of id."""
    server.app.router.add_api_route(
        "/api/secrets/{secret_id}", lambda: None, methods=["GET"], route_class_override=APIRoute
    )

    with pytest.raises(AssertionError, match=r"does not know how to fill \{secret_id\} of GET"):
        cells(server)


async def test_the_tables_name_nothing_that_is_not_there(server: RestServer) -> None:
    named = (*route_names(server), *external_names(server))
    routes = {name for name, _ in named}

    assert OPEN.keys() <= routes
    assert {route for route, _ in QUERIES} <= routes
    assert LIST_QUERIES.keys() <= routes
    assert {route for route, *_ in ownership.MORE_BODIES} <= routes


async def test_who_is_no_administrator_acts_for_nobody(people: tuple[Owner, Owner]) -> None:
    """On every route, whatever it is asked about."""
    ann, bob = people
    before, asked = all_rows(ann.server), 0

    for name, route in route_names(ann.server):
        if isinstance(route, PublicRoute):
            continue
        ids = {one: await _filled(ann, one, name) for one in route.param_convertors}
        method = name.split()[0]
        response = await bob.server.ask(
            method,
            route.path.format(**ids),
            {} if method in ("POST", "PUT", "PATCH") else None,
            user=bob.user,
            headers={"X-Act-As-User-Id": ann.user},
        )
        assert response.status_code == 403, name
        asked += 1

    assert asked > 40
    assert all_rows(ann.server) == before


async def test_who_is_no_administrator_hears_403_on_their_routes(
    people: tuple[Owner, Owner],
) -> None:
    ann, bob = people
    before = _without_audit(ann)

    for name, route in route_names(ann.server):
        if "/admin/" not in route.path and name not in FOR_ADMINISTRATORS:
            continue
        ids = {one: await _filled(ann, one, name) for one in route.param_convertors}
        response = await bob.server.ask(name.split()[0], route.path.format(**ids), user=bob.user)
        assert response.status_code == 403, name

    assert _without_audit(ann) == before


def _without_audit(owner: Owner) -> object:
    """Return all rows but those which say that somebody was refused."""
    return {n: rows for n, rows in all_rows(owner.server).items() if not n.startswith("audit")}


async def _filled(owner: Owner, name: str, route: str) -> str:
    kind = kind_of(name, route)
    return ownership.NOBODYS[name] if kind is None else await owner.thing(kind)


#: Functions of storage whose owner filter may go unseen, and why that is right.
SECOND_LOCKS = {
    "builder.used": "says only which blocks were run; the spec of its port asks for it",
    "deliveries.get": "it asks for one of a webhook, which is looked up by its owner first",
    "graphs.active_version": "the graph of that version is looked up by its owner then",
    "library._agents": "its ids are of its owner already",
    "notice_channels.waiting": "the channel was looked up by its owner before",
    "reviews.root_of": "says only where a value is kept, of which the question is then looked up",
    "watches.prune": "deletes what no webhook has any more, and there is none such, whosever it is",
    "webhooks.prune": "deletes what no preset names, and there is none such, whosever it is",
}


@pytest.mark.slow
@pytest.mark.embedded(
    "it takes SQLite's statements apart; those of PostgreSQL come from one source"
)
async def test_without_its_owner_filter_every_function_of_storage_turns_the_matrix_red() -> None:
    async with rest_server() as server:
        with Filters() as filters:
            ann, bob = Owner(server, ANN), Owner(server, BOB)
            await ann.make_all()
            await bob.make_all()
            met = await _met(filters, ann, bob)

            unseen = {
                function
                for function, places in met.items()
                if not await _turns_red(filters, server, function, places)
            }

    assert len(met) > 15
    assert unseen == SECOND_LOCKS.keys(), (
        "Without its owner filter, a function of storage gives a stranger nothing that the matrix "
        "sees (or one of SECOND_LOCKS does): let the matrix ask for it, or say why it need not."
    )


async def _met(filters: Filters, ann: Owner, bob: Owner) -> dict[str, list[Cell | str]]:
    """Return where the matrix meets each function that filters by owner."""
    met: dict[str, list[Cell | str]] = {}
    for cell in cells(ann.server):
        filters.met.clear()
        await ask(cell, bob, ann)
        for function in filters.met:
            met.setdefault(function, []).append(cell)
    for path in _lists(ann.server):
        filters.met.clear()
        await asked(bob, "GET", path)
        for function in filters.met:
            met.setdefault(function, []).append(path)
    return met


async def _turns_red(
    filters: Filters, server: RestServer, function: str, places: list[Cell | str]
) -> bool:
    for number, place in enumerate(places):
        ann, bob = (Owner(server, f"{who}-{function}-{number}") for who in (ANN, BOB))
        for kind in OF_A_GRAPH if isinstance(place, Cell) else MAKERS:
            await ann.thing(kind)
        if isinstance(place, Cell):
            await ask(place, bob, ann)  # both have now what it needs
            before, nobodys = rows_but_of(bob.user, server), await ask(place, bob, None)
            with filters.without(function):
                theirs = await ask(place, bob, ann)
            if theirs != nobodys or rows_but_of(bob.user, server) != before:
                return True
        else:
            mine = await asked(bob, "GET", place)
            with filters.without(function):
                all_of_it = await asked(bob, "GET", place)
            if all_of_it.text != mine.text:
                return True
    return False

"""Graphs and their versions (spec/contract.md 5, "Graphs")."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import Routes, read_json
from backend.api.wire import graphs as wire
from backend.core.errors import BadRequest, NotFound
from backend.core.graph import Graph
from backend.core.ids import GraphId
from backend.services.audit import add_facts
from backend.services.portable import read_graph

#: Above this there is no version, and no number that a database could look for.
_MAX_VERSION = 2**31 - 1
#: What a graph is called that has no name.
_UNNAMED: Final = "Imported agent"


def add_graph_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    add = routes.add_graph_route
    add("GET", "/graphs", list_graphs, operation="getV1List user graphs")
    add(
        "POST",
        "/graphs",
        create_graph,
        plain=create_plain_graph,
        operation="postV1Create new graph",
        audit=Audited("create", "graph"),
    )
    add("GET", "/graphs/{graph_id}", get_graph, operation="getV1Get specific graph")
    add(
        "PUT",
        "/graphs/{graph_id}",
        update_graph,
        operation="putV1Update graph version",
        audit=Audited("change", "graph", "graph_id"),
    )
    add(
        "DELETE",
        "/graphs/{graph_id}",
        delete_graph,
        operation="deleteV1Delete graph permanently",
        audit=Audited("delete", "graph", "graph_id"),
    )
    add(
        "GET",
        "/graphs/{graph_id}/versions",
        list_versions,
        operation="getV1Get all graph versions",
    )
    add(
        "PUT",
        "/graphs/{graph_id}/versions/active",
        set_active_version,
        operation="putV1Set active graph version",
        audit=Audited("activate", "graph", "graph_id"),
    )
    add(
        "PATCH",
        "/graphs/{graph_id}/settings",
        change_settings,
        operation="patchV1Update graph settings",
        audit=Audited("change_settings", "graph", "graph_id"),
    )
    add(
        "GET",
        "/graphs/{graph_id}/versions/{version}",
        get_graph_version,
        operation="getV1Get graph version",
    )


async def list_graphs(request: Request) -> Response:
    """Return the active versions of the caller's graphs, newest first."""
    context = context_of(request)
    graphs = await context.graphs.listed(caller_of(request).user_id)
    return answer([wire.graph_meta(graph, context.catalog) for graph in graphs])


async def create_graph(request: Request, body: wire.CreateGraph) -> Response:
    """Save a graph and its sub-graphs under new ids; what is old in them is mended first."""
    fresh = context_of(request).clock.new_id
    sent = body.graph
    if isinstance(sent, str):
        return await _create(request, _in_text(sent, fresh))
    return await _create(request, wire.to_graph(sent, fresh))


def _in_text(text: str, fresh: Callable[[], str]) -> Graph:
    """Return the graph in a text; as lenient as with a file: nobody typed it."""
    try:
        read_json(text.encode())  # not nested too deeply
    except ValueError as exc:
        raise BadRequest("graph is a text, but not one of JSON") from exc
    return read_graph(text, name=_UNNAMED, fresh=fresh)


async def create_plain_graph(request: Request, body: dict[str, Any]) -> Response:
    """Save a graph that is the body itself, or what ``/api/graphs`` takes."""
    wrapped = isinstance(body.get("graph"), dict) and "nodes" not in body
    graph = _validated(body["graph"] if wrapped else body)
    return await _create(request, wire.to_graph(graph, context_of(request).clock.new_id))


def _validated(body: dict[str, Any]) -> wire.Graph:
    try:
        return wire.Graph.model_validate(body)
    except ValidationError as exc:
        errors = [{**error, "loc": ("body", *error["loc"])} for error in exc.errors()]
        raise RequestValidationError(errors) from exc


async def _create(request: Request, graph: Graph) -> Response:
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    made = await context.imports.create(user_id, graph)
    shown = wire.graph_model(made.graph, context.catalog)
    return answer({**shown, "import_report": wire.import_report(made.repairs)})


async def get_graph(
    request: Request,
    graph_id: str,
    version: int | None = None,
    for_export: bool = False,  # noqa: FBT001, FBT002 - the contract's query parameter
) -> Response:
    """Return a graph; the highest version when none is named."""
    _refuse_impossible(graph_id, version)
    context = context_of(request)
    graph = await context.graphs.get(
        caller_of(request).user_id, GraphId(graph_id), version, for_export=for_export
    )
    return answer(wire.graph_model(graph, context.catalog))


async def get_graph_version(
    request: Request,
    graph_id: str,
    version: int | None,
    for_export: bool = False,  # noqa: FBT001, FBT002 - the contract's query parameter
) -> Response:
    """Return one version of a graph."""
    return await get_graph(request, graph_id, version, for_export)


async def update_graph(request: Request, graph_id: str, body: wire.Graph) -> Response:
    """Save the body as the next version of the graph."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    # A body without an id means the graph in the path; the reference invents one and refuses.
    sent = body if body.id else body.model_copy(update={"id": graph_id})
    graph = wire.to_graph(sent, context.clock.new_id)
    saved = await context.graphs.update(user_id, GraphId(graph_id), graph)
    return answer(wire.graph_model(saved, context.catalog))


async def delete_graph(request: Request, graph_id: str) -> Response:
    """Delete all versions of a graph."""
    count = await context_of(request).graphs.delete(caller_of(request).user_id, GraphId(graph_id))
    return answer({"version_counts": count})


async def list_versions(request: Request, graph_id: str) -> Response:
    """Return the versions of a graph, highest first."""
    context = context_of(request)
    versions = await context.graphs.versions(caller_of(request).user_id, GraphId(graph_id))
    return answer([wire.graph_model(version, context.catalog) for version in versions])


async def set_active_version(
    request: Request, graph_id: str, body: wire.SetGraphActiveVersion
) -> Response:
    """Choose the version that runs when none is named."""
    add_facts(version=body.active_graph_version)
    await context_of(request).graphs.set_active(
        caller_of(request).user_id, GraphId(graph_id), body.active_graph_version
    )
    return answer(None)


async def change_settings(request: Request, graph_id: str, body: wire.GraphSettings) -> Response:
    """Set what the body names of an agent's settings, and return all of them."""
    add_facts(**body.changes())
    settings = await context_of(request).graphs.change_settings(
        caller_of(request).user_id, GraphId(graph_id), body.changes()
    )
    return answer(settings)


def _refuse_impossible(graph_id: str, version: int | None) -> None:
    if version is not None and not 0 < version <= _MAX_VERSION:
        raise NotFound(f"Graph #{graph_id} v{version} not found.")

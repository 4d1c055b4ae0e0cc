"""Libraries: the agents that people have (spec/contract.md 5 and 13)."""

from typing import Annotated, Final

from fastapi import Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import Context, caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import library as wire
from backend.api.wire.executions import pagination
from backend.api.wire.text import MAX_VERSION
from backend.core.ids import GraphId, LibraryAgentId
from backend.core.library import LibraryAgent, LibrarySort
from backend.services.library import MAX_PAGE

_AGENTS: Final = f"{PREFIX}/library/agents"
_ONE: Final = f"{_AGENTS}/{{library_agent_id}}"
_TAGS: Final = ("v2", "library", "private")
#: No library is so large.
_LAST_PAGE: Final = 10_000_000

Page = Annotated[int, Query(ge=1)]


def add_library_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    for method, path, endpoint, operation in (
        ("GET", _AGENTS, list_agents, "getV2List library agents"),
        # Before those with an id: "favorites" is none.
        ("GET", f"{_AGENTS}/favorites", list_favorites, "getV2List favorite library agents"),
        (
            "GET",
            f"{_AGENTS}/by-graph/{{graph_id}}",
            get_agent_of_graph,
            "getV2GetLibraryAgentByGraphId",
        ),
        ("GET", _ONE, get_agent, "getV2Get library agent"),
    ):
        routes.add(method, path, endpoint, operation=operation, tags=_TAGS)
    routes.add(
        "PATCH",
        _ONE,
        change_agent,
        operation="patchV2Update library agent",
        tags=_TAGS,
        audit=Audited("change", "library_agent", "library_agent_id"),
    )
    routes.add(
        "POST",
        f"{_ONE}/fork",
        fork_agent,
        operation="postV2Fork library agent",
        tags=_TAGS,
        audit=Audited("fork", "graph", facts=("library_agent_id",)),
    )
    routes.add(
        "DELETE",
        _ONE,
        delete_agent,
        operation="deleteV2Delete library agent",
        tags=_TAGS,
        status=204,
        audit=Audited("delete", "library_agent", "library_agent_id"),
    )


async def list_agents(
    request: Request,
    search_term: Annotated[str | None, Query()] = None,
    sort_by: Annotated[LibrarySort, Query()] = LibrarySort.UPDATED,
    page: Page = 1,
    page_size: Page = 15,
) -> Response:
    """Return a page of the caller's agents, without those that are put away."""
    return await _page(request, page, page_size, search=search_term or "", sort=sort_by)


async def list_favorites(request: Request, page: Page = 1, page_size: Page = 15) -> Response:
    """Return a page of the caller's favourite agents."""
    return await _page(request, page, page_size, only_favorites=True)


async def _page(
    request: Request,
    page: int,
    page_size: int,
    *,
    search: str = "",
    sort: LibrarySort = LibrarySort.UPDATED,
    only_favorites: bool = False,
) -> Response:
    context = context_of(request)
    # The contract knows no largest page; what was really given is told with it.
    page, page_size = min(page, _LAST_PAGE), min(page_size, MAX_PAGE)
    found, total = await context.library.listed(
        caller_of(request).user_id,
        page=page,
        page_size=page_size,
        search=search,
        sort=sort,
        only_favorites=only_favorites,
    )
    return answer(
        {
            "agents": [_form(context, agent) for agent in found],
            "pagination": pagination(total=total, page=page, page_size=page_size),
        }
    )


async def get_agent_of_graph(
    request: Request, graph_id: str, version: Annotated[int | None, Query()] = None
) -> Response:
    """Return the agent of a graph."""
    context = context_of(request)
    # There is no version 0; storage cannot even look for very large ones.
    wanted = None if version is None else version if 0 < version <= MAX_VERSION else 0
    found = await context.library.of_graph(caller_of(request).user_id, GraphId(graph_id), wanted)
    return answer(_form(context, found))


async def get_agent(request: Request, library_agent_id: str) -> Response:
    """Return an agent."""
    context = context_of(request)
    found = await context.library.get(caller_of(request).user_id, LibraryAgentId(library_agent_id))
    return answer(_form(context, found))


async def change_agent(
    request: Request, library_agent_id: str, body: wire.LibraryAgentUpdateRequest
) -> Response:
    """Change what the body names of an agent."""
    context = context_of(request)
    changed = await context.library.change(
        caller_of(request).user_id, LibraryAgentId(library_agent_id), body.changes()
    )
    return answer(_form(context, changed))


async def fork_agent(request: Request, library_agent_id: str) -> Response:
    """Save a copy of an agent, and return it."""
    context = context_of(request)
    made = await context.library.fork(caller_of(request).user_id, LibraryAgentId(library_agent_id))
    return answer(_form(context, made))


async def delete_agent(request: Request, library_agent_id: str) -> Response:
    """Take an agent out of the library."""
    await context_of(request).library.remove(
        caller_of(request).user_id, LibraryAgentId(library_agent_id)
    )
    return Response(status_code=204)


def _form(context: Context, agent: LibraryAgent) -> wire.Values:
    return wire.library_agent(agent, context.catalog, now_us=context.clock.now_us())

"""Budgets that callers set for themselves, and what their agents used. Ours, beside the contract."""

from datetime import date
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import budgets as wire
from backend.api.wire.executions import pagination
from backend.api.wire.text import Id
from backend.core.ids import ExecutionId, GraphId
from backend.services.audit import name_object

_BUDGETS: Final = f"{PREFIX}/budgets"
_TAGS: Final = ("v1", "budgets")
#: Its offset is one that a database can count to.
_LAST_PAGE: Final = 2**31

Page = Annotated[int, Query(ge=1, le=_LAST_PAGE)]
PageSize = Annotated[int, Query(ge=1, le=100)]


def add_budget_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", _BUDGETS, list_budgets, operation="getV1List model budgets", tags=_TAGS)
    routes.add(
        "PUT",
        _BUDGETS,
        set_budget,
        operation="putV1Set model budget",
        tags=_TAGS,
        audit=Audited("set_budget", "user"),
    )
    routes.add(
        "DELETE",
        f"{_BUDGETS}/{{budget_id}}",
        remove_budget,
        operation="deleteV1Remove model budget",
        tags=_TAGS,
        status=204,
        audit=Audited("remove_budget", "user", facts=("budget_id",)),
    )
    routes.add("GET", f"{PREFIX}/usage", get_usage, operation="getV1Get model usage", tags=_TAGS)


async def list_budgets(request: Request, page: Page = 1, page_size: PageSize = 25) -> Response:
    """Return a page of the caller's budgets as they stand, also those that the operator set."""
    found, total = await context_of(request).budgets.page(
        caller_of(request).user_id, page=page, page_size=page_size
    )
    return answer(
        {
            "budgets": [wire.budget_form(one) for one in found],
            "pagination": pagination(total=total, page=page, page_size=page_size),
        }
    )


async def set_budget(request: Request, body: wire.BudgetBody) -> Response:
    """Set a budget of the caller's own, or its limit anew; who waits for it goes on by itself."""
    context, caller = context_of(request), caller_of(request)
    name_object(
        caller.user_id,
        limit=body.limit,
        unit=body.unit.value,
        of=body.graph_id or body.graph_exec_id or "",
    )
    user_id = await context.users.ensure(caller)
    made = await context.budgets.set(
        user_id,
        body.limit,
        unit=body.unit,
        period=body.period,
        graph_id=None if body.graph_id is None else GraphId(body.graph_id),
        run_id=None if body.graph_exec_id is None else ExecutionId(body.graph_exec_id),
    )
    return answer(wire.budget_form(made))


async def remove_budget(request: Request, budget_id: Annotated[Id, Path()]) -> Response:
    """Remove a budget that the caller has set; who waits for it goes on by itself."""
    user_id = caller_of(request).user_id
    name_object(user_id)
    await context_of(request).budgets.remove(user_id, budget_id)
    return Response(status_code=204)


async def get_usage(
    request: Request,
    *,
    first: Annotated[date | None, Query()] = None,
    last: Annotated[date | None, Query()] = None,
    graph_id: Annotated[Id | None, Query()] = None,
    page: Page = 1,
    page_size: PageSize = 100,
) -> Response:
    """Return what the caller's agents asked of models, by day (UTC), agent and model."""
    found = await context_of(request).usage.page(
        caller_of(request).user_id,
        first=first,
        last=last,
        graph_id=None if graph_id is None else GraphId(graph_id),
        page=page,
        page_size=page_size,
    )
    return answer(
        {
            "first": found.first.isoformat(),
            "last": found.last.isoformat(),
            "total": wire.use_form(found.total),
            "days": [wire.day_form(one) for one in found.sums],
            "pagination": pagination(total=found.count, page=page, page_size=page_size),
        }
    )

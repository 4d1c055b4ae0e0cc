"""Budgets and usage of models on the wire. Ours, beside the contract."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from backend.api.wire.text import Id
from backend.core.budgets import MAX_LIMIT, Budget, BudgetPeriod, BudgetScope, BudgetUnit
from backend.core.node_steps import ModelUse
from backend.core.usage import DayUse


class BudgetBody(BaseModel):
    """A budget that somebody sets for themselves: of all their agents, of one, or of one run."""

    # A misspelt id would else make it one of all agents.
    model_config = ConfigDict(extra="forbid")

    #: Micro US dollars, tokens or calls.
    limit: Annotated[int, Field(ge=0, le=MAX_LIMIT)]
    unit: BudgetUnit = BudgetUnit.MONEY
    period: BudgetPeriod | None = None
    graph_id: Id | None = None
    graph_exec_id: Id | None = None


def budget_form(one: Budget) -> dict[str, Any]:
    """Return a budget as it stands: ``ModelBudget``."""
    kind = one.kind
    return {
        "id": one.id,
        "set_by": kind.set_by.value,
        "scope": kind.scope.value,
        "graph_id": kind.scope_id if kind.scope is BudgetScope.GRAPH else None,
        "graph_exec_id": kind.scope_id if kind.scope is BudgetScope.RUN else None,
        "period": kind.period.value,
        "unit": kind.unit.value,
        "limit": one.limit,
        "used": one.used,
        "reserved": one.reserved,
        "waiting": one.waiting,
    }


def use_form(use: ModelUse) -> dict[str, int]:
    """Return what was asked of models: ``ModelUsage``, named as in the stats of runs."""
    return {
        "llm_call_count": use.calls,
        "llm_retry_count": use.retries,
        "llm_cached_count": use.cached_calls,
        "llm_estimated_count": use.estimated_calls,
        "input_token_count": use.input_tokens,
        "output_token_count": use.output_tokens,
        "model_cost_micro_usd": use.cost_micro_usd,
    }


def day_form(one: DayUse) -> dict[str, Any]:
    """Return the sum of a day, agent and model: ``ModelUsageDay``."""
    return {"day": one.day, "graph_id": one.graph_id, "model": one.model, **use_form(one.use)}

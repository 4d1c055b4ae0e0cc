"""Answers about budgets, as OpenAPI shows them. Part of shapes.py, apart only for its size."""

from datetime import date
from typing import Any, Final

from pydantic import BaseModel

from backend.api.wire.shapes import Pagination
from backend.core.budgets import BudgetPeriod, BudgetScope, BudgetSetter, BudgetUnit


class ModelBudget(BaseModel):
    """A budget as it stands; its figures are in its unit, money in micro US dollars."""

    id: str
    set_by: BudgetSetter
    scope: BudgetScope
    graph_id: str | None
    graph_exec_id: str | None
    period: BudgetPeriod
    unit: BudgetUnit
    limit: int
    used: int
    reserved: int
    waiting: int


class ModelBudgetsPaginated(BaseModel):
    """A page of budgets."""

    budgets: list[ModelBudget]
    pagination: Pagination


class ModelUsage(BaseModel):
    """What was asked of models."""

    llm_call_count: int
    llm_retry_count: int
    llm_cached_count: int
    llm_estimated_count: int
    input_token_count: int
    output_token_count: int
    model_cost_micro_usd: int


class ModelUsageDay(ModelUsage):
    """The sum of a day (UTC), agent and model."""

    day: date
    graph_id: str
    model: str


class ModelUsagePaginated(BaseModel):
    """A page of sums, and the sum of all pages."""

    first: date
    last: date
    total: ModelUsage
    days: list[ModelUsageDay]
    pagination: Pagination


#: By operation; see shapes.py.
ANSWERS: Final[dict[str, Any]] = {
    "getV1List model budgets": ModelBudgetsPaginated,
    "putV1Set model budget": ModelBudget,
    "getV1Get model usage": ModelUsagePaginated,
}

"""Budgets: how much money, how many tokens and calls of models somebody's agents may take (pure)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

MAX_LIMIT: Final = 2**53
_MICRO: Final = 1_000_000


class BudgetScope(StrEnum):
    """Whose calls count."""

    USER = "user"
    GRAPH = "graph"  #: runs of one agent, and of all that they run
    RUN = "run"  #: a run with all that it runs


class BudgetUnit(StrEnum):
    """What is counted."""

    MONEY = "money"  #: micro US dollars
    TOKENS = "tokens"  #: of questions and answers together
    CALLS = "calls"


class BudgetPeriod(StrEnum):
    """When counting begins anew."""

    DAY = "day"
    TOTAL = "total"


class BudgetSetter(StrEnum):
    """Who has set a budget; each sets, and takes back, only their own, and all of them hold."""

    USER = "user"
    OPERATOR = "operator"
    DEFAULT = "default"  #: the settings; an operator's of the same kind stands in its place


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetKind:
    """
    Which budget: there is one of each kind.

    Attributes:
        scope_id: The graph or the run; "" for a user.
    """

    user_id: str
    set_by: BudgetSetter
    scope: BudgetScope
    scope_id: str = ""
    period: BudgetPeriod = BudgetPeriod.DAY
    unit: BudgetUnit = BudgetUnit.MONEY


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """
    A budget as it stands.

    Attributes:
        limit, used, reserved: In its unit. *reserved* is for calls under way.
        waiting: Node executions that wait for it.
    """

    id: str
    kind: BudgetKind
    limit: int
    used: int = 0
    reserved: int = 0
    waiting: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetDefaults:
    """What the settings give everybody, micro US dollars; 0 is none."""

    run: int = 0
    user_day: int = 0


NO_DEFAULTS: Final = BudgetDefaults()


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a call may take at most."""

    tokens: int = 0
    micro_usd: int = 0

    def of(self, unit: BudgetUnit) -> int:
        """Return how much of *unit* that is."""
        amounts = {BudgetUnit.MONEY: self.micro_usd, BudgetUnit.TOKENS: self.tokens}
        return amounts.get(unit, 1)


NO_ESTIMATE: Final = Estimate()


class BudgetPending(Exception):
    """A budget has no room: the node waits. Raised through a block; it must let it pass."""

    def __init__(self, words: str) -> None:
        super().__init__(words)


def day_of(at_us: int, timezone: str) -> str:
    """Return the day of a moment in *timezone*, UTC where that is none, as ``2026-01-31``."""
    try:
        zone: ZoneInfo | None = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        zone = None
    return datetime.fromtimestamp(at_us / 1e6, zone or UTC).strftime("%Y-%m-%d")


def amount_words(amount: int, unit: BudgetUnit) -> str:
    """Return an amount as people read it: ``1.25 USD``, ``300 tokens``."""
    if unit is BudgetUnit.MONEY:
        digits = 2 if amount % (_MICRO // 100) == 0 else 6
        return f"{amount / _MICRO:.{digits}f} USD"
    return f"{amount} {unit.value}"


def kind_words(kind: BudgetKind) -> str:
    """Return which budget it is, in words."""
    whose = {
        BudgetScope.USER: "all agents",
        BudgetScope.GRAPH: f"agent {kind.scope_id}",
        BudgetScope.RUN: f"run {kind.scope_id}",
    }[kind.scope]
    when = "a day" if kind.period is BudgetPeriod.DAY else "in all"
    setter = "" if kind.set_by is BudgetSetter.USER else ", set by the operator"
    return f"budget of {whose} ({kind.unit.value} {when}{setter})"


def waits_words(budget: Budget, need: int) -> str:
    """Say what a node waits for that needs up to *need*."""
    unit = budget.kind.unit
    today = " today" if budget.kind.period is BudgetPeriod.DAY else ""
    said = (
        f"{kind_words(budget.kind)}: {amount_words(budget.used, unit)} of"
        f" {amount_words(budget.limit, unit)} used{today}"
    )
    if budget.reserved:
        said += f", {amount_words(budget.reserved, unit)} reserved for calls under way"
    return f"{said}; the next call may need {amount_words(need, unit)}"

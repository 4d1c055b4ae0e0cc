"""Budgets as their owners and the operator see and set them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, select
from sqlalchemy.sql import func

from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import executions, graphs, users
from backend.adapters.storage.tables_budgets import budget_reservations, budget_waits, budgets
from backend.core.budgets import (
    NO_DEFAULTS,
    Budget,
    BudgetDefaults,
    BudgetKind,
    BudgetPeriod,
    BudgetScope,
    BudgetSetter,
    BudgetUnit,
    day_of,
)
from backend.core.errors import NotAllowed, NotFound, TooLarge
from backend.core.ids import UserId, derived_id
from backend.core.node_steps import StepPlace

_B: Final = budgets.c
_W: Final = budget_waits.c
_KIND: Final = ("user_id", "set_by", "scope", "scope_id", "period", "unit")
#: That one user may set for themselves.
MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Days:
    """The day of a moment: for what a user set in their zone, for all else in UTC."""

    theirs: str
    utc: str

    def of(self, row: Row[Any]) -> str:
        """Return the day of the budget *row*; "" for one that has none."""
        if row.period != BudgetPeriod.DAY.value:
            return ""
        # A zone is its user's to choose, and would begin an operator's day anew.
        return self.theirs if row.set_by == BudgetSetter.USER.value else self.utc


class SqlBudgets:
    """See backend.ports.budgets.Budgets."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listed(
        self, user_id: UserId, *, now_us: int, limit: int, offset: int = 0
    ) -> list[Budget]:
        return await self._database.read(lambda c: listed(c, user_id, now_us, limit, offset))

    async def count(self, user_id: UserId) -> int:
        return await self._database.read(lambda c: count(c, user_id))

    async def set(self, kind: BudgetKind, limit: int, *, now_us: int) -> Budget:
        return await self._database.write(lambda c: save(c, kind, limit, now_us))

    async def remove(self, kind: BudgetKind) -> bool:
        return await self._database.write(lambda c: remove(c, kind))

    async def remove_own(self, user_id: UserId, budget_id: str) -> None:
        await self._database.write(lambda c: remove_own(c, user_id, budget_id))


def days(connection: Connection, user_id: str, now_us: int) -> Days:
    """Return the day of a moment for a user's budgets."""
    zone = connection.execute(select(users.c.timezone).where(users.c.id == user_id)).scalar()
    return Days(day_of(now_us, zone or "UTC"), day_of(now_us, "UTC"))


def budget_of(row: Row[Any], day: str) -> Budget:
    """Return the budget of *row*, as it stands on *day*."""
    is_now = row.day == day
    return Budget(
        id=row.id,
        kind=BudgetKind(
            user_id=row.user_id,
            set_by=BudgetSetter(row.set_by),
            scope=BudgetScope(row.scope),
            scope_id=row.scope_id,
            period=BudgetPeriod(row.period),
            unit=BudgetUnit(row.unit),
        ),
        limit=row.limit_amount,
        used=row.used if is_now else 0,
        reserved=row.reserved if is_now else 0,
    )


def listed(
    connection: Connection, user_id: UserId, now_us: int, limit: int, offset: int = 0
) -> list[Budget]:
    """Return a user's budgets; see Budgets.listed."""
    today = days(connection, user_id, now_us)
    found = connection.execute(
        select(budgets)
        .where(_B.user_id == user_id)
        .order_by(_B.scope, _B.scope_id, _B.period, _B.unit, _B.set_by)
        .limit(limit)
        .offset(offset)
    ).all()
    return [_with_waiting(connection, row, today.of(row)) for row in found]


def count(connection: Connection, user_id: UserId) -> int:
    """Return how many budgets a user has; see Budgets.count."""
    query = select(func.count()).select_from(budgets).where(_B.user_id == user_id)
    return connection.execute(query).scalar_one()


def _with_waiting(connection: Connection, row: Row[Any], day: str) -> Budget:
    waiting = connection.execute(
        select(func.count()).select_from(budget_waits).where(_W.budget_id == row.id)
    ).scalar_one()
    found = budget_of(row, day)
    return Budget(
        id=found.id,
        kind=found.kind,
        limit=found.limit,
        used=found.used,
        reserved=found.reserved,
        waiting=waiting,
    )


def save(connection: Connection, kind: BudgetKind, limit: int, now_us: int) -> Budget:
    """Set a budget; see Budgets.set."""
    _require_there(connection, kind)
    own = connection.execute(
        select(func.count())
        .select_from(budgets)
        .where(_B.user_id == kind.user_id, _B.set_by == BudgetSetter.USER.value)
    ).scalar_one()
    if own >= MOST and not _exists(connection, kind):
        raise TooLarge(f"there are {MOST} budgets already, and no more")
    if kind.set_by is BudgetSetter.OPERATOR:
        _take_over(connection, kind)
    _upsert(connection, kind, limit, now_us)
    row = connection.execute(select(budgets).where(*_of(kind))).one()
    return _with_waiting(connection, row, days(connection, kind.user_id, now_us).of(row))


def _require_there(connection: Connection, kind: BudgetKind) -> None:
    if not connection.execute(select(users.c.id).where(users.c.id == kind.user_id)).first():
        raise NotFound(f"User #{kind.user_id} not found.")
    if kind.scope is BudgetScope.USER:
        return
    table = graphs if kind.scope is BudgetScope.GRAPH else executions
    mine = (table.c.id == kind.scope_id, table.c.user_id == kind.user_id)
    if not connection.execute(select(table.c.id).where(*mine)).first():
        word = "Graph" if kind.scope is BudgetScope.GRAPH else "Graph execution"
        raise NotFound(f"{word} #{kind.scope_id} not found.")


def _take_over(connection: Connection, kind: BudgetKind) -> None:
    """Let the operator's budget go on with what was counted for the default of the same kind."""
    if not _exists(connection, kind):
        connection.execute(
            budgets.update()
            .where(*_of(kind, set_by=BudgetSetter.DEFAULT))
            .values(set_by=BudgetSetter.OPERATOR.value)
        )


def _exists(connection: Connection, kind: BudgetKind) -> bool:
    return connection.execute(select(_B.id).where(*_of(kind))).first() is not None


def _of(kind: BudgetKind, set_by: BudgetSetter | None = None) -> tuple[Any, ...]:
    return (
        _B.user_id == kind.user_id,
        _B.scope == kind.scope.value,
        _B.scope_id == kind.scope_id,
        _B.period == kind.period.value,
        _B.unit == kind.unit.value,
        _B.set_by == (set_by or kind.set_by).value,
    )


def _upsert(connection: Connection, kind: BudgetKind, limit: int, now_us: int) -> None:
    values = {name: getattr(kind, name) for name in _KIND}
    changed = {"limit_amount": limit, "updated_us": now_us}
    connection.execute(
        insert_on(connection, budgets)
        .values(
            id=derived_id("budget", *(str(one) for one in values.values())), **values, **changed
        )
        .on_conflict_do_update(
            index_elements=["user_id", "scope", "scope_id", "period", "unit", "set_by"],
            set_=changed,
        )
    )


def remove(connection: Connection, kind: BudgetKind) -> bool:
    """Take a budget away; see Budgets.remove."""
    ids = select(_B.id).where(*_of(kind))
    connection.execute(delete(budget_reservations).where(budget_reservations.c.budget_id.in_(ids)))
    return bool(connection.execute(delete(budgets).where(*_of(kind))).rowcount)


def remove_own(connection: Connection, user_id: UserId, budget_id: str) -> None:
    """Take a budget away that its user has set; see Budgets.remove_own."""
    mine = (_B.id == budget_id, _B.user_id == user_id)
    set_by = connection.execute(select(_B.set_by).where(*mine)).scalar()
    if set_by is None:
        raise NotFound(f"Budget #{budget_id} not found.")
    if set_by != BudgetSetter.USER.value:
        raise NotAllowed("The operator has set this budget; only the operator takes it away.")
    of_it = budget_reservations.c.budget_id == budget_id
    connection.execute(delete(budget_reservations).where(of_it))
    connection.execute(delete(budgets).where(*mine))


def ensure_defaults(
    connection: Connection, place: StepPlace, defaults: BudgetDefaults, now_us: int
) -> None:
    """See that the budgets which the settings give are there, with their present limits."""
    if defaults == NO_DEFAULTS:
        return
    for limit, scope, scope_id, period in (
        (defaults.run, BudgetScope.RUN, place.root_id, BudgetPeriod.TOTAL),
        (defaults.user_day, BudgetScope.USER, "", BudgetPeriod.DAY),
    ):
        kind = BudgetKind(
            user_id=place.user_id,
            set_by=BudgetSetter.DEFAULT,
            scope=scope,
            scope_id=scope_id,
            period=period,
        )
        operators = exists(select(_B.id).where(*_of(kind, set_by=BudgetSetter.OPERATOR)))
        if limit and not connection.execute(select(operators)).scalar():
            _upsert(connection, kind, limit, now_us)

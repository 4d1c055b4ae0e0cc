"""What calls of models take from budgets: reserved before, settled after, in the call's own commits."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql import func

from backend.adapters.storage import notices, reviews
from backend.adapters.storage.budgets import budget_of, days, ensure_defaults
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import executions, graphs
from backend.adapters.storage.tables_budgets import budget_reservations, budget_waits, budgets
from backend.core.budgets import BudgetScope, BudgetUnit, waits_words
from backend.core.ids import ExecutionId
from backend.core.node_steps import CallMade, PlannedCall, StepPlace
from backend.core.notices import waits_for_budget
from backend.core.status import FINAL

_B: Final = budgets.c
_R: Final = budget_reservations.c
_W: Final = budget_waits.c
_E: Final = executions.c
_FINAL: Final = tuple(sorted(status.value for status in FINAL))
#: Waits that are looked at in one transaction.
_AT_ONCE: Final = 500


def reserve(
    connection: Connection, place: StepPlace, key: str, call: PlannedCall, now_us: int
) -> tuple[bool, str | None]:
    """
    Reserve what *call* may take, of all budgets that it counts in, or of none.

    Returns:
        Whether anything was reserved; and what the node waits for, where there is no room.
    """
    ensure_defaults(connection, place, call.defaults, now_us)
    found = _counting(connection, place)
    if not found:
        return False, None
    today = days(connection, place.user_id, now_us)
    wanted = []
    for row in found:
        need, day = call.most.of(BudgetUnit(row.unit)), today.of(row)
        used, reserved = (row.used, row.reserved) if row.day == day else (0, 0)
        if used + reserved + need > row.limit_amount:
            return False, _wait(connection, place, row, day, need, now_us)
        values = {"day": day, "used": used, "reserved": reserved + need}
        wanted.append((row.id, values, need))
    for budget_id, values, need in wanted:
        connection.execute(update(budgets).where(_B.id == budget_id).values(values))
        connection.execute(
            insert(budget_reservations).values(
                run_id=place.run_id,
                node_exec_id=place.node_exec_id,
                key=key,
                budget_id=budget_id,
                day=values["day"],
                amount=need,
            )
        )
    wait_no_more(connection, place)
    return True, None


def wait_no_more(connection: Connection, place: StepPlace) -> None:
    """Note that a node execution waits for no budget."""
    connection.execute(delete(budget_waits).where(*_waits_of(place)))


def _counting(connection: Connection, place: StepPlace) -> Sequence[Row[Any]]:
    """Return the budgets in which a call of *place* counts."""
    root = select(_E.graph_id).where(_E.id == place.root_id).scalar_subquery()
    graph = and_(
        _B.scope == BudgetScope.GRAPH.value,
        or_(_B.scope_id == place.graph_id, _B.scope_id == root),
    )
    run = and_(_B.scope == BudgetScope.RUN.value, _B.scope_id.in_((place.run_id, place.root_id)))
    whose = or_(_B.scope == BudgetScope.USER.value, graph, run)
    query = select(budgets).where(_B.user_id == place.user_id, whose).order_by(_B.id)
    return connection.execute(query).all()


def _waits_of(place: StepPlace) -> tuple[Any, Any]:
    return _W.run_id == place.run_id, _W.node_exec_id == place.node_exec_id


def _wait(
    connection: Connection, place: StepPlace, row: Row[Any], day: str, need: int, now_us: int
) -> str:
    """Note that a node execution waits for a budget; tell its owner, once a budget and day."""
    values = {"budget_id": row.id, "need": need, "created_us": now_us}
    connection.execute(
        insert_on(connection, budget_waits)
        .values(run_id=place.run_id, node_exec_id=place.node_exec_id, **values)
        .on_conflict_do_update(index_elements=["run_id", "node_exec_id"], set_=values)
    )
    words = waits_words(budget_of(row, day), need)
    name = select(graphs.c.name).where(
        graphs.c.id == place.graph_id, graphs.c.user_id == place.user_id
    )
    told = waits_for_budget(
        id_=f"budget:{row.id}:{day}:{row.limit_amount}",
        user_id=place.user_id,
        agent_name=connection.execute(name.limit(1)).scalar() or place.graph_id,
        run_id=place.run_id,
        words=words,
        now_us=now_us,
    )
    notices.add(connection, [told])
    return words


def settle(connection: Connection, place: StepPlace, key: str, call: CallMade | None) -> None:
    """
    End the reservations of a call.

    Args:
        call: What it took; None: nothing.
    """
    mine = (_R.run_id == place.run_id, _R.node_exec_id == place.node_exec_id, _R.key == key)
    found = connection.execute(
        select(budget_reservations, _B.unit).join(budgets, _B.id == _R.budget_id).where(*mine)
    ).all()
    for row in found:
        _give_back(connection, row, 0 if call is None else _taken(call, BudgetUnit(row.unit)))
    connection.execute(delete(budget_reservations).where(*mine))


def settle_in_full(connection: Connection, place: StepPlace, key: str) -> int:
    """End the reservation of a call of which nobody knows what it took: all of it counts as used."""
    return _settle(
        connection,
        _R.run_id == place.run_id,
        _R.node_exec_id == place.node_exec_id,
        _R.key == key,
    )


def settle_dead(connection: Connection, owners: frozenset[str] | None) -> int:
    """Do so for all calls, or those of executors that are gone; see NodeSteps.settle_dead_calls."""
    if owners is None:
        return _settle(connection)
    return _settle(connection, _R.run_id.in_(select(_E.id).where(_E.owner.in_(sorted(owners)))))


def _settle(connection: Connection, *which: ColumnElement[bool]) -> int:
    found = connection.execute(select(budget_reservations).where(*which)).all()
    for row in found:
        _give_back(connection, row, row.amount)
    if found:
        connection.execute(delete(budget_reservations).where(*which))
    return len(found)


def _give_back(connection: Connection, row: Row[Any], taken: int) -> None:
    """Take *row*'s reservation back; what a call of an older day took counts for that day."""
    connection.execute(
        update(budgets)
        .where(_B.id == row.budget_id, _B.day == row.day)
        .values(reserved=_B.reserved - row.amount, used=_B.used + taken)
    )


def _taken(call: CallMade, unit: BudgetUnit) -> int:
    if unit is BudgetUnit.MONEY:
        return call.cost_micro_usd
    return call.input_tokens + call.output_tokens if unit is BudgetUnit.TOKENS else 1


def free(connection: Connection, now_us: int) -> tuple[list[ExecutionId], int]:
    """Let those go on that wait for a budget which has room now; return them, and how many wait."""
    over = ~exists().where(_E.id == _W.run_id, _E.status.not_in(_FINAL))
    connection.execute(delete(budget_waits).where(over))
    found = connection.execute(
        select(budget_waits, _E.user_id.label("owner"))
        .join(executions, _E.id == _W.run_id)
        .order_by(_W.created_us, _W.run_id)
        .limit(_AT_ONCE)
    ).all()
    room: dict[str, int] = {}
    freed: list[ExecutionId] = []
    for row in found:
        if row.budget_id not in room:
            room[row.budget_id] = _room(connection, row, now_us)
        if row.need <= room[row.budget_id]:
            room[row.budget_id] -= row.need
            mine = (_W.run_id == row.run_id, _W.node_exec_id == row.node_exec_id)
            connection.execute(delete(budget_waits).where(*mine))
            freed.append(ExecutionId(row.run_id))
    for run_id in dict.fromkeys(freed):
        reviews.release(connection, run_id, now_us)
    left = connection.execute(select(func.count()).select_from(budget_waits)).scalar_one()
    return freed, left


def _room(connection: Connection, wait: Row[Any], now_us: int) -> int:
    row = connection.execute(select(budgets).where(_B.id == wait.budget_id)).one_or_none()
    if row is None:
        return 2**62  # it was taken away
    if row.day != days(connection, wait.owner, now_us).of(row):
        return int(row.limit_amount)
    return int(row.limit_amount - row.used - row.reserved)


def waits_of(connection: Connection, run_id: ExecutionId) -> dict[str, str]:
    """Return what node executions of a run wait for, in words, with how it stands."""
    found = connection.execute(
        select(budgets, _W.node_exec_id, _W.need)
        .join(budget_waits, _W.budget_id == _B.id)
        .where(_W.run_id == run_id)
    )
    # As of the day of its last call: no clock is asked.
    return {row.node_exec_id: waits_words(budget_of(row, row.day), row.need) for row in found}

"""Steps inside node executions, in rows. Each function runs in a transaction that others share."""

from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.sql import func

from backend.adapters.storage import model_answers, reservations, usage
from backend.adapters.storage.tables import executions, is_unfinished
from backend.adapters.storage.tables_node_steps import node_steps
from backend.core.errors import StaleAttempt, UnknownOutcome
from backend.core.node_steps import NO_USE, CallMade, ModelUse, PlannedCall, StepBegun, StepPlace

_E: Final = executions.c
_T: Final = node_steps.c
INTENT: Final = "intent"
DONE: Final = "done"
#: Columns of a row that say what it used, by the field of ModelUse of the same name.
USED: Final = (
    "calls",
    "retries",
    "input_tokens",
    "output_tokens",
    "cached_calls",
    "cost_micro_usd",
    "estimated_calls",
)
#: What is known when the answer is there.
_TOLD: Final = ("input_tokens", "output_tokens", "cost_micro_usd", "estimated_calls")
_OWNED: Final = select(_E.id).where(
    _E.id == bindparam("run"),
    _E.attempt == bindparam("attempt"),
    _E.owner == bindparam("owner"),
    is_unfinished,
)
_MINE: Final = (
    _T.run_id == bindparam("run"),
    _T.node_exec_id == bindparam("node"),
)
_FIND: Final = select(node_steps).where(*_MINE, _T.key == bindparam("step"))
_SUM: Final = select(*(func.coalesce(func.sum(_T[name]), 0).label(name) for name in USED)).where(
    *_MINE
)


def begin(
    connection: Connection,
    place: StepPlace,
    key: str,
    *,
    repeatable: bool,
    now_us: int,
    call: PlannedCall | None = None,
) -> tuple[Row[Any] | None, StepBegun]:
    """Note that a step begins; return the row of one that is done, and what is known else."""
    require_owned(connection, place)
    row = find(connection, place, key)
    if row is not None and row.state == DONE:
        used = NO_USE if call is None else used_by(connection, place)
        return row, StepBegun(tries=row.tries, is_done=True, used=used)
    tries = 1 if row is None else row.tries + 1
    is_reserved, waits_for = False, None
    if call is not None:
        known = _remembered(connection, place, key, row, call, now_us)
        if known is not None:
            used = used_by(connection, place)
            return known, StepBegun(tries=tries, is_done=True, used=used)
        is_reserved, waits_for = reservations.reserve(connection, place, key, call, now_us)
        if waits_for is not None:
            used = used_by(connection, place)
            return None, StepBegun(tries=tries - 1, used=used, waits_for=waits_for)
    _begin(connection, place, key, row, repeatable=repeatable, now_us=now_us)
    if call is None:
        return None, StepBegun(tries=tries)
    _count(connection, place, key, call, is_retry=row is not None, now_us=now_us)
    used = used_by(connection, place)
    return None, StepBegun(tries=tries, used=used, is_reserved=is_reserved)


def _remembered(
    connection: Connection,
    place: StepPlace,
    key: str,
    row: Row[Any] | None,
    call: PlannedCall,
    now_us: int,
) -> Row[Any] | None:
    """Let an earlier answer be what the step came to; return its row, None if there is no such."""
    if call.cache is None:
        return None
    text = model_answers.found(connection, place.user_id, call.cache, now_us)
    if text is None:
        return None
    if row is None:
        _begin(connection, place, key, row, repeatable=True, now_us=now_us)
    values = {"state": DONE, "result": text, "ended_us": now_us}
    connection.execute(_of(place, key).values(cached_calls=_T.cached_calls + 1, **values))
    reservations.wait_no_more(connection, place)
    usage.add(connection, place, call.model, ModelUse(cached_calls=1), now_us)
    return find(connection, place, key)


def _begin(
    connection: Connection,
    place: StepPlace,
    key: str,
    row: Row[Any] | None,
    *,
    repeatable: bool,
    now_us: int,
) -> None:
    if row is None:
        connection.execute(
            insert(node_steps).values(
                run_id=place.run_id,
                node_exec_id=place.node_exec_id,
                key=key,
                state=INTENT,
                tries=1,
                begun_us=now_us,
            )
        )
    elif repeatable:
        connection.execute(_of(place, key).values(tries=_T.tries + 1))
    else:
        raise UnknownOutcome(
            f"UnknownOutcome: step {key} was begun before and did not come to an end; whether it "
            "took effect is not known, so it was not done again"
        )


def _count(
    connection: Connection,
    place: StepPlace,
    key: str,
    call: PlannedCall,
    *,
    is_retry: bool,
    now_us: int,
) -> None:
    """Count a call that is about to be made: it may reach its provider and never be heard of."""
    one = ModelUse(calls=1, retries=int(is_retry))
    query = _of(place, key).values(calls=_T.calls + 1, retries=_T.retries + one.retries)
    connection.execute(query)
    usage.add(connection, place, call.model, one, now_us)


def finish(
    connection: Connection,
    place: StepPlace,
    key: str,
    *,
    result: str,
    now_us: int,
    call: CallMade | None = None,
) -> ModelUse:
    """Note what a step came to; *result* is the text of a JSON column."""
    require_owned(connection, place)
    values: dict[str, Any] = {"state": DONE, "result": result, "ended_us": now_us}
    if call is not None:
        values |= {name: getattr(call, name) for name in _TOLD}
    ended = connection.execute(_of(place, key).where(_T.state == INTENT).values(values)).rowcount
    if call is None:
        return NO_USE
    if ended:
        reservations.settle(connection, place, key, call)
        use = ModelUse(**{name: getattr(call, name) for name in _TOLD})
        usage.add(connection, place, call.model, use, now_us)
        if call.cache is not None:
            model_answers.keep(connection, place, call.cache, result, now_us)
    return used_by(connection, place)


def give_up(connection: Connection, place: StepPlace, key: str, *, is_known: bool) -> None:
    """End what is reserved for a call; see NodeSteps.give_up_call."""
    require_owned(connection, place)
    if is_known:
        reservations.settle(connection, place, key, None)
    else:
        reservations.settle_in_full(connection, place, key)


def used_by(connection: Connection, place: StepPlace) -> ModelUse:
    """Return what all steps of a node execution have used."""
    row = connection.execute(_SUM, _names(place)).one()
    return ModelUse(**{name: int(getattr(row, name)) for name in USED})


def require_owned(connection: Connection, place: StepPlace) -> None:
    """Raise StaleAttempt if the run of *place* is over, or another executor's."""
    wanted = {"run": place.run_id, "attempt": place.attempt, "owner": place.owner}
    if connection.execute(_OWNED, wanted).first() is None:
        raise StaleAttempt


def find(connection: Connection, place: StepPlace, key: str) -> Row[Any] | None:
    """Return the row of a step."""
    return connection.execute(_FIND, {**_names(place), "step": key}).one_or_none()


def _names(place: StepPlace) -> dict[str, str]:
    return {"run": place.run_id, "node": place.node_exec_id}


def _of(place: StepPlace, key: str) -> Any:
    return update(node_steps).where(
        _T.run_id == place.run_id, _T.node_exec_id == place.node_exec_id, _T.key == key
    )

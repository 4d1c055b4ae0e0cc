"""Answers of models that may be taken again: by user and question, bounded in number, size and age.

Those of one user are nobody else's, and go with the run that began it all, as what it made does.
"""

from typing import Final

from sqlalchemy import Connection, Delete, bindparam, delete, select, tuple_

from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.packed import is_packed
from backend.adapters.storage.tables_usage import model_answers
from backend.core.ids import ExecutionId, UserId
from backend.core.node_steps import Remembered, StepPlace

_A: Final = model_answers.c
#: A longer one is asked for each time: most are a few kilobytes.
MOST_BYTES: Final = 64 * 1024
#: Of one user; the oldest goes for the newest.
MOST: Final = 1_000
#: Of those over the number that go at once: they come one at a time.
_AT_ONCE: Final = 16
_KEY: Final = tuple_(_A.user_id, _A.key)
_EXPIRED: Final = delete(model_answers).where(
    _KEY.in_(
        select(_A.user_id, _A.key)
        .where(_A.until_us < bindparam("now"))
        .order_by(_A.until_us)
        .limit(bindparam("most"))
    )
)
_SURPLUS: Final = delete(model_answers).where(
    _KEY.in_(
        select(_A.user_id, _A.key)
        .where(_A.user_id == bindparam("user"))
        .order_by(_A.created_us.desc())
        .limit(_AT_ONCE)
        .offset(MOST)
    )
)
#: Of runs that are gone: ``ids``, up to ``most`` rows.
OF_RUNS: Final[Delete] = delete(model_answers).where(
    _KEY.in_(
        select(_A.user_id, _A.key)
        .where(_A.root_id.in_(bindparam("ids", expanding=True)))
        .limit(bindparam("most"))
    )
)


def found(connection: Connection, user_id: UserId, wanted: Remembered, now_us: int) -> str | None:
    """Return the text of an answer that is young enough; None if there is none."""
    text: str | None = connection.execute(
        select(_A.result).where(
            _A.user_id == user_id,
            _A.key == wanted.key,
            _A.created_us >= now_us - wanted.age_us,
            _A.until_us >= now_us,
        )
    ).scalar_one_or_none()
    return text


def keep(
    connection: Connection, place: StepPlace, wanted: Remembered, text: str, now_us: int
) -> None:
    """Keep the text of an answer in place of an older one, unless it is too long."""
    if is_packed(text) or len(text.encode()) > MOST_BYTES:
        return  # one that lies in a file goes with its run, and another run could not read it
    values = {
        "root_id": place.root_id,
        "result": text,
        "created_us": now_us,
        "until_us": now_us + wanted.age_us,
    }
    connection.execute(
        insert_on(connection, model_answers)
        .values(user_id=place.user_id, key=wanted.key, **values)
        .on_conflict_do_update(index_elements=["user_id", "key"], set_=values)
    )
    connection.execute(_SURPLUS, {"user": place.user_id})


def forget(connection: Connection, user_id: UserId, root_id: ExecutionId) -> None:
    """Delete what a run of a user has left, and those below it: it was deleted."""
    connection.execute(delete(model_answers).where(_A.user_id == user_id, _A.root_id == root_id))


def expire(connection: Connection, now_us: int, limit: int) -> int:
    """Delete up to *limit* answers that nobody may take any more; return how many."""
    return connection.execute(_EXPIRED, {"now": now_us, "most": limit}).rowcount

"""Sessions of PostgreSQL as a process leaves them that is frozen at a certain moment."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

_LIMIT_S: Final = 20.0


@contextmanager
def frozen_session(
    url: str, name: str, *, state: str = "active", statement: str = "SELECT 1"
) -> Iterator[Any]:
    """
    Have a session of a client that is silent.

    Args:
        name: Of the application.
        state: What PostgreSQL calls it: `active` is the middle of a pipeline, in a transaction,
            and `idle in transaction` after one.
        statement: What that transaction has done.
    """
    made = psycopg.connect(url, application_name=name, autocommit=True)
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE pid = %s AND wait_event = 'ClientRead' AND state = %s"
    )
    try:
        raw = made.pgconn
        if state == "active":
            raw.enter_pipeline_mode()
            raw.send_query_params(b"BEGIN", None)
            raw.send_query_params(statement.encode(), None)
            raw.send_flush_request()
            raw.flush()
        elif state == "idle in transaction":
            made.execute("BEGIN")
            made.execute(statement.encode())
            raw.send_flush_request()  # the driver does, too
            raw.flush()
        with psycopg.connect(url, autocommit=True) as witness:
            end = time.monotonic() + _LIMIT_S
            while witness.execute(query, (raw.backend_pid, state)).fetchone() == (0,):
                assert time.monotonic() < end, f"no session is {state}"
                time.sleep(0.01)
        yield made
    finally:
        made.close()

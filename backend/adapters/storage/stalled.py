"""Sessions of PostgreSQL whose client is frozen in the middle of a transaction: members end them.

PostgreSQL ends a transaction whose client has been silent for long, but not all of them. One whose
client has sent a part of a pipeline counts as at work, and no limit of statements runs between two
of them. And any message ends the wait, also one that does nothing: after a pipeline the driver
sends a Flush behind the Sync, and from then on the session is idle in transaction without a limit.
What it has locked would stay so until the client wakes.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from backend.adapters.storage.database import Database
from backend.adapters.storage.postgres import APPLICATION, STALLED_S
from backend.core.errors import Unavailable

log = structlog.get_logger(__name__)

_LOOK_S: Final = 5.0
# Each message of a pipeline sets `query_start`. COPY waits for what the client sends, too: it is a
# move's, whose source may be slow. Who only reads (a backup, the doctor) has no id of a transaction,
# keeps nobody waiting, and may be silent between two tables.
_END: Final = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
AND starts_with(application_name, %s)
AND wait_event = 'ClientRead' AND NOT starts_with(query, 'COPY')
AND (state = 'active' OR state = 'idle in transaction' AND backend_xid IS NOT NULL)
AND greatest(query_start, state_change) < clock_timestamp() - make_interval(secs => %s)
"""


async def end_stalled(database: Database) -> int:
    """
    End the sessions of servers and commands in which one is silent; return how many.

    A client that is there after all sees a lost connection, and begins the transaction anew.

    Raises:
        Unavailable: If the database does not answer.
    """

    def end(connection: Connection) -> int:
        return int(connection.exec_driver_sql(_END, (APPLICATION, STALLED_S)).scalar_one())

    return await database.read(end)


async def keep_ending_stalled(database: Database, counter: Callable[..., Any]) -> None:
    """Do so every few seconds, until cancelled."""
    ended = counter("stalled_sessions_ended", "Sessions of frozen processes that kept rows locked")
    while True:
        try:
            if count := await end_stalled(database):
                log.warning("stalled_sessions_ended", sessions=count)
                ended.inc(count)
        except Unavailable as exc:
            log.warning("stalled_sessions_not_looked_for", error=str(exc))
        await asyncio.sleep(_LOOK_S)

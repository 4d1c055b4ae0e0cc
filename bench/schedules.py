"""Many schedules: how late runs start when all are due within a minute, and what waiting costs."""

import asyncio
import sqlite3
import time
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Final

from backend.core.ids import DEFAULT_USER_ID
from bench.figures import spread as spread_of
from bench.seed import Sizes, graph_id, seed
from bench.server import Server, server

_S_US: Final = 1_000_000
_GRAPHS: Final = 100
_SIZES: Final = Sizes(
    runs=0, nodes=0, graphs=_GRAPHS, versions=1, schedules=0, reviews=0, notices=0, strangers_runs=0
)
_HOUR_S: Final = 3_600
_LIMIT_S: Final = 300.0


async def schedules(
    *, count: int = 10_000, over_s: float = 60.0, idle_s: float = 20.0, lead_s: int = 15
) -> dict[str, Any]:
    """
    Return what a scheduler alone does with *count* schedules.

    They are due one after the other within *over_s* seconds, then all in the same second; at last
    none is due for *idle_s* seconds. Lateness is from a fire's time to the making of its run. The
    first is due *lead_s* seconds after the database is begun: the scheduler starts meanwhile.
    """
    return {
        "schedules": count,
        "spread": await fired(count, over_s, lead_s),
        "at_once": await fired(count, 0.0, lead_s),
        "idle": await _idle(count, idle_s),
    }


async def fired(count: int, over_s: float, lead_s: int) -> dict[str, float]:
    """Return how late *count* fires within *over_s* seconds were, and the CPU time of all."""
    begin_us = time.time_ns() // 1000 + lead_s * _S_US
    step_us = over_s * _S_US / count
    with _scheduler([begin_us + round(number * step_us) for number in range(count)]) as place:
        cpu_s = _cpu_s(place)
        late_ms: list[float] = []
        async with asyncio.timeout(lead_s + over_s + _LIMIT_S):
            while len(late_ms) < count:
                await asyncio.sleep(0.5)
                late_ms = _late_ms(place.data_dir / "agpt.db")
        return {
            "over_s": over_s,
            "fired": len(late_ms),
            "cpu_s": round(_cpu_s(place) - cpu_s, 2),
            **spread_of(late_ms),
        }


async def _idle(count: int, idle_s: float) -> dict[str, float]:
    later_us = time.time_ns() // 1000 + 24 * _HOUR_S * _S_US
    with _scheduler([later_us + number for number in range(count)]) as place:
        await asyncio.sleep(3)  # what it does when it starts is not waiting
        began_s, cpu_s = time.monotonic(), _cpu_s(place)
        await asyncio.sleep(idle_s)
        share = (_cpu_s(place) - cpu_s) / (time.monotonic() - began_s)
    return {"seconds": idle_s, "cores": round(share, 4)}


def _scheduler(due_us: list[int]) -> AbstractContextManager[Server]:
    return server(
        prepare=lambda data: _prepare(data / "agpt.db", due_us),
        program="backend.scheduler",
        wait_for=("EXECUTION_SCHEDULER_PORT",),
    )


def _cpu_s(place: Server) -> float:
    return place.cpu_s()["Scheduler"]


def _prepare(path: Path, due_us: list[int]) -> None:
    now_us = time.time_ns() // 1000
    seed(path, _SIZES, now_us=now_us)
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO schedules (id, user_id, graph_id, graph_version, name, agent_name, cron,"
            " timezone, inputs, credentials, missed, created_us, next_us)"
            " VALUES (?, ?, ?, 1, 's', 'a', '@every 24h', 'UTC', '{}', '{}', 'last', ?, ?)",
            [
                (f"schedule-{number}", DEFAULT_USER_ID, graph_id(number % _GRAPHS), at_us, at_us)
                for number, at_us in enumerate(due_us)
            ],
        )


def _late_ms(path: Path) -> list[float]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found = database.execute(
            "SELECT e.created_us - f.fire_us FROM schedule_fires f JOIN executions e"
            " ON e.id = f.run_id"
        ).fetchall()
    return [late_us / 1000 for (late_us,) in found]

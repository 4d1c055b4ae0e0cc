"""W5: the executor is killed in the middle of a run of slow steps. What is redone, what is lost?"""

import asyncio
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

from bench import graphs
from bench.client import Client
from bench.outside import Outside
from bench.server import Server, server

_LIMIT_S = 60.0


async def w5(*, steps: int = 20, slow_s: float = 0.1) -> dict[str, Any]:
    """Return what became of the run, and how long it took until it went on."""
    outside = Outside(slow_s)
    async with outside.serve() as origin:
        allowed = origin.removeprefix("http://")
        with server(TRUST_ENDPOINTS_FOR_REQUESTS=allowed) as place:
            async with asyncio.timeout(_LIMIT_S):
                return await _measure(place, outside, origin, steps)


async def _measure(place: Server, outside: Outside, origin: str, steps: int) -> dict[str, Any]:
    client = await Client.open(place.port, place.token)
    saved = await client.ask("POST", "/api/graphs", {"graph": graphs.requests(origin, steps)})
    base = f"/api/graphs/{saved['id']}"
    inputs = {"inputs": {"given": "x"}}
    run = await client.ask("POST", f"{base}/execute/{saved['version']}", inputs)
    await outside.wait_for(steps // 2)

    place.find("ExecutionManager").send_signal(signal.SIGKILL)
    killed_s = time.perf_counter()
    finished = _finished(place.data_dir / "agpt.db", run["id"])
    asked = outside.asked.total()
    await outside.wait_for(asked + 1)
    goes_on_s = outside.last_s - killed_s

    ended = await _ended(client, f"{base}/executions/{run['id']}")
    await client.close()
    return {
        "steps": steps,
        "finished_before_the_kill": len(finished),
        "finished_steps_redone": sum(outside.asked[step] - 1 for step in finished),
        "steps_asked_twice": sum(count - 1 for count in outside.asked.values()),
        "lost": steps - len(outside.asked),
        "status": ended["status"],
        "goes_on_s": round(goes_on_s, 3),
    }


def _finished(database: Path, run_id: str) -> set[str]:
    """Return the steps whose end is on disk."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        found = connection.execute(
            "SELECT input FROM node_executions"
            " WHERE run_id = ? AND block_id = ? AND status = 'COMPLETED'",
            (run_id, graphs.REQUEST),
        ).fetchall()
    finally:
        connection.close()
    return {text.partition('"url":"')[2].partition('"')[0].rpartition("/")[2] for (text,) in found}


async def _ended(client: Client, path: str) -> Any:
    while True:
        run = await client.ask("GET", path)
        if run["status"] in ("COMPLETED", "FAILED", "TERMINATED"):
            return run
        await asyncio.sleep(0.02)

"""Does one user with ten thousand waiting runs delay another? And how long does a stop take?"""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import jwt

from bench import graphs
from bench.client import Client
from bench.figures import spread
from bench.outside import Outside
from bench.server import Server, server

_KEY: Final = "a key that only this bench uses, long enough"
_CLIENTS: Final = 8
_SHARE_MS: Final = 100.0


async def fair(*, runs: int = 10_000, few: int = 200) -> dict[str, Any]:
    """
    Return how long the runs of one user wait, alone and beside *runs* of another.

    A wait is from the commit of the run to its start. The other's runs take 50 ms of somebody
    else's time each, so that their slots are taken all the while.
    """
    outside = Outside(0.05)
    async with outside.serve() as origin:
        allowed = origin.removeprefix("http://")
        settings: dict[str, Any] = {
            "TRUST_ENDPOINTS_FOR_REQUESTS": allowed,
            "JWT_VERIFY_KEY": _KEY,
        }
        # So that all the slots that one user may have are taken.
        settings["MAX_CONCURRENT_GRAPH_EXECUTIONS_PER_USER"] = "1000"
        with server(**settings) as place:
            many, one = await _user(place, "many"), await _user(place, "few")
            busy = await many.ask("POST", "/api/graphs", {"graph": graphs.requests(origin, 1)})
            quick = await one.ask("POST", "/api/graphs", {"graph": graphs.sample()})
            alone = await _waits(place, one, quick["id"], few)

            _agpt(place, "pause", "graph", busy["id"])
            await _submit(place, busy["id"], runs)
            _agpt(place, "resume", "graph", busy["id"])
            await outside.wait_for(100)
            beside = await _waits(place, one, quick["id"], few)
            left = runs - _count(place, busy["id"])
            await many.close()
            await one.close()
    limit_ms = max(2 * alone["p95_ms"], _SHARE_MS)
    return {
        "runs": runs,
        "still_waiting_at_the_end": left,
        "alone": alone,
        "beside": beside,
        "limit_ms": limit_ms,
        "within": beside["p95_ms"] < limit_ms,
    }


async def stop(*, runs: int = 100) -> dict[str, Any]:
    """Return how long it takes from a request to stop a run, at work on a slow step, to its end."""
    outside = Outside(30.0)
    times: list[float] = []
    async with outside.serve() as origin:
        allowed = origin.removeprefix("http://")
        with server(TRUST_ENDPOINTS_FOR_REQUESTS=allowed, JWT_VERIFY_KEY=_KEY) as place:
            client = await _user(place, "one")
            saved = await client.ask("POST", "/api/graphs", {"graph": graphs.requests(origin, 2)})
            base = f"/api/graphs/{saved['id']}"
            for number in range(runs):
                started = {"inputs": {"given": str(number)}}
                run = await client.ask("POST", f"{base}/execute/1", started)
                await outside.wait_for(number + 1)
                began = time.perf_counter()
                await client.ask("POST", f"{base}/executions/{run['id']}/stop")
                times.append((time.perf_counter() - began) * 1e3)
                ended = await client.ask("GET", f"{base}/executions/{run['id']}")
                if ended["status"] != "TERMINATED":
                    raise RuntimeError(f"a stopped run is {ended['status']}")
            await client.close()
    return {"runs": runs, **spread(times)}


async def _user(place: Server, name: str) -> Client:
    claims = {"sub": name, "aud": "authenticated", "role": "authenticated"}
    claims["email"] = f"{name}@example.com"
    token = jwt.encode({**claims, "exp": int(time.time()) + 3600}, _KEY, "HS256")
    client = await Client.open(place.port, token)
    await client.ask("POST", "/api/auth/user")
    return client


async def _waits(place: Server, client: Client, graph_id: str, count: int) -> dict[str, float]:
    """Start *count* runs, one each 20 ms; return how long they waited."""
    ids = []
    for number in range(count):
        inputs = {"inputs": {"input_1": str(number), "input_2": "x"}}
        run = await client.ask("POST", f"/api/graphs/{graph_id}/execute/1", inputs)
        ids.append(run["id"])
        await asyncio.sleep(0.02)
    while True:
        found = _rows(
            place,
            "SELECT started_us - created_us FROM executions"
            f" WHERE graph_id = ? AND ended_us IS NOT NULL AND id IN ({','.join('?' * count)})",
            graph_id,
            *ids,
        )
        if len(found) == count:
            waits = sorted(wait / 1e3 for (wait,) in found)
            return {**spread(waits), "p95_ms": round(waits[int(count * 0.95)], 3)}
        await asyncio.sleep(0.1)


async def _submit(place: Server, graph_id: str, count: int) -> None:
    async def some(number: int) -> None:
        client = await _user(place, "many")
        for _ in range(number, count, _CLIENTS):
            body = {"inputs": {"given": "x"}}
            await client.ask("POST", f"/api/graphs/{graph_id}/execute/1", body)
        await client.close()

    await asyncio.gather(*map(some, range(_CLIENTS)))


def _agpt(place: Server, *words: str) -> None:
    """Do what an operator does."""
    subprocess.run(
        [sys.executable, "-m", "backend.cli", *words],
        env={**os.environ, **place.environment},
        check=True,
        capture_output=True,
    )


def _count(place: Server, graph_id: str) -> int:
    """Return how many runs of a graph have begun."""
    query = "SELECT count(*) FROM executions WHERE graph_id = ? AND started_us IS NOT NULL"
    [(count,)] = _rows(place, query, graph_id)
    return int(count)


def _rows(place: Server, query: str, *values: Any) -> list[Any]:
    path: Path = place.data_dir / "agpt.db"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()

"""The list and read routes over a long history: how long each takes, and the start and the doctor."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from websockets.asyncio.client import connect

from bench.client import Client
from bench.figures import spread
from bench.seed import Sizes, graph_id, run_id, seed
from bench.server import Server, server

_PAGE = 25


def routes(sizes: Sizes) -> dict[str, str]:
    """Return the routes that are measured, by what they show."""
    of_graph = f"/api/graphs/{graph_id(0)}/executions"
    deep = max(1, (sizes.runs // 2 - sizes.runs // 40) // _PAGE)
    middle = f"{of_graph}?page={deep // 2 + 1}&page_size={_PAGE}"
    run = run_id(sizes.runs // 2 // 2 * 2 or 2)
    return {
        "newest runs": "/api/executions",
        "runs of a graph, first page": f"{of_graph}?page_size={_PAGE}",
        "runs of a graph, page in the middle": middle,
        "runs of a graph, last page": f"{of_graph}?page={deep}&page_size={_PAGE}",
        "runs of a small graph": f"/api/graphs/{graph_id(1)}/executions",
        "run with its nodes": f"{of_graph}/{run}",
        "graphs": "/api/graphs",
        "graph": f"/api/graphs/{graph_id(0)}",
        "versions": f"/api/graphs/{graph_id(0)}/versions",
        "schedules": "/api/schedules",
        "schedules of a graph": f"/api/graphs/{graph_id(0)}/schedules",
        "reviews that wait": f"/api/review/pending?page_size={_PAGE}",
        "reviews of a run": f"/api/review/execution/{run}",
        "health": "/health",
    }


async def api(*, sizes: Sizes | None = None, times: int = 200) -> dict[str, Any]:
    """Return the times of each route, one request after the other, over a history of *sizes*."""
    history = sizes or Sizes()
    now_us = time.time_ns() // 1000
    with server(prepare=lambda data: seed(data / "agpt.db", history, now_us=now_us)) as place:
        found = {"runs": history.runs, "node_executions": history.runs * history.nodes}
        client = await Client.open(place.port, place.token)
        ways = {
            name: await _times(partial(client.ask, "GET", path), times)
            for name, path in routes(history).items()
        }
        run = run_id(history.runs // 2)
        ways["WebSocket: all changes of a run"] = await _times(
            lambda: _catch_up(place, run, history.nodes + 1), max(2, times // 10)
        )
        await client.close()
        return {
            **found,
            "database_mb": round((place.data_dir / "agpt.db").stat().st_size / 2**20),
            "ready_s": round(place.ready_s, 3),
            "routes": ways,
            "doctor_s": round(await asyncio.to_thread(_doctor_s, place), 3),
        }


async def _times(ask: Callable[[], Awaitable[Any]], times: int) -> dict[str, float]:
    await ask()
    took_ms: list[float] = []
    for _ in range(times):
        started = time.perf_counter()
        await ask()
        took_ms.append((time.perf_counter() - started) * 1000)
    return spread(took_ms)


async def _catch_up(place: Server, run: str, frames: int) -> None:
    address = f"ws://127.0.0.1:{place.websocket_port}/ws?token={place.token}"
    async with connect(address, proxy=None) as socket:
        wish = {"graph_exec_id": run, "after_sequence": 0}
        await socket.send(
            orjson.dumps({"method": "subscribe_graph_execution", "data": wish}).decode()
        )
        for _ in range(1 + frames):
            await socket.recv()


def _doctor_s(place: Server) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "backend.cli", "doctor", "--json"],
        env=place.environment,
        capture_output=True,
        check=False,
    )
    return time.perf_counter() - started

"""W1 to W4. Each returns figures; none asserts a time."""

import asyncio
import os
import statistics
import tempfile
import time
from typing import Any

from bench import graphs
from bench.client import Client
from bench.server import Server, server

INPUTS = {"inputs": {"input_1": "Hello", "input_2": "World"}}


def calibrate() -> dict[str, float]:
    """Return what this machine does now: a fixed loop, and flushes of its disk."""
    started = time.perf_counter()
    total = 0
    for number in range(3_000_000):
        total += number % 7
    loop_s = time.perf_counter() - started
    with tempfile.TemporaryFile() as file:
        started = time.perf_counter()
        for _ in range(100):
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
        flush_ms = (time.perf_counter() - started) * 10
    return {"loop_s": round(loop_s, 4), "flush_ms": round(flush_ms, 3)}


async def save(client: Client, graph: dict[str, Any]) -> str:
    """Save *graph* and return the path that starts it."""
    saved = await client.ask("POST", "/api/graphs", {"graph": graph})
    return f"/api/graphs/{saved['id']}/execute/{saved['version']}"


async def _wait_until_over(client: Client, path: str, count: int) -> None:
    """Wait until the newest *count* runs of a graph have ended."""
    base = path.partition("/execute/")[0]
    while True:
        pages = await client.ask("GET", f"{base}/executions?page_size=100")
        if all(run["status"] in ("COMPLETED", "FAILED") for run in pages["executions"]):
            if pages["executions"][0]["status"] == "FAILED":
                raise RuntimeError("a run failed")
            if pages["pagination"]["total_items"] >= count:
                return
        await asyncio.sleep(0.01)


async def w1(place: Server, *, clients: int = 16, runs: int = 4000) -> dict[str, Any]:
    """Return runs a second and CPU a run of the sample graph, started by REST."""
    opened = [await Client.open(place.port, place.token) for _ in range(clients)]
    path = await save(opened[0], graphs.sample())
    await asyncio.gather(*(one.ask("POST", path, INPUTS) for one in opened for _ in (0,)))
    await _wait_until_over(opened[0], path, clients)
    left = iter(range(runs))
    cpu, started = place.cpu_s(), time.perf_counter()

    async def load(client: Client) -> None:
        for _ in left:
            await client.ask("POST", path, INPUTS)

    await asyncio.gather(*map(load, opened))
    accepted_s = time.perf_counter() - started
    await _wait_until_over(opened[0], path, runs + clients)
    over_s = time.perf_counter() - started
    used = {name: spent - cpu.get(name, 0.0) for name, spent in place.cpu_s().items()}
    for one in opened:
        await one.close()
    return {
        "clients": clients,
        "runs": runs,
        "runs_per_s": round(runs / over_s, 1),
        "accepted_per_s": round(runs / accepted_s, 1),
        "cpu_ms_per_run": round(sum(used.values()) / runs * 1000, 3),
        "cpu_ms_per_run_by_process": {
            name: round(spent / runs * 1000, 3) for name, spent in used.items() if spent > 0.01
        },
    }


async def w1_one(place: Server, *, runs: int = 300) -> dict[str, Any]:
    """Return the time from POST to a readable result, one client."""
    client = await Client.open(place.port, place.token)
    path = await save(client, graphs.sample())
    base = path.partition("/execute/")[0]
    times: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        run = await client.ask("POST", path, INPUTS)
        while True:
            found = await client.ask("GET", f"{base}/executions/{run['id']}")
            if found["status"] == "COMPLETED":
                break
        times.append((time.perf_counter() - started) * 1000)
    await client.close()
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
    }


async def w2(place: Server, *, length: int = 100, runs: int = 30) -> dict[str, Any]:
    """Return the time a node of a chain takes, from start to end of its run."""
    client = await Client.open(place.port, place.token)
    path = await save(client, graphs.chain(length))
    durations = [await duration_s(client, path, {}) for _ in range(runs)]
    await client.close()
    return {
        "nodes": length,
        "ms_per_node": round(statistics.median(durations) / length * 1000, 4),
        "worst_ms_per_node": round(max(durations) / length * 1000, 4),
    }


async def w3(place: Server, *, count: int = 1000, runs: int = 8) -> dict[str, Any]:
    """Return items a second through a template into the run's outputs."""
    client = await Client.open(place.port, place.token)
    path = await save(client, graphs.items())
    inputs = {"items": [f"number {i}" for i in range(count)]}
    times = [await duration_s(client, path, inputs) for _ in range(runs)]
    await client.close()
    return {"items": count, "items_per_s": round(count / statistics.median(times), 1)}


async def duration_s(client: Client, path: str, inputs: dict[str, Any]) -> float:
    """Return the wall time from asking for a run to its end being readable."""
    started = time.perf_counter()
    run = await client.ask("POST", path, {"inputs": inputs})
    base = path.partition("/execute/")[0]
    while True:
        pages = await client.ask("GET", f"{base}/executions?page_size=1")
        newest = pages["executions"][0]
        if newest["id"] == run["id"] and newest["status"] in ("COMPLETED", "FAILED"):
            if newest["status"] == "FAILED" or newest["stats"]["node_error_count"]:
                raise RuntimeError(f"the run failed: {newest}")
            return time.perf_counter() - started
        await asyncio.sleep(0.001)


async def idle_memory(place: Server) -> dict[str, Any]:
    """Return the memory of all processes of a server that has nothing to do."""
    await asyncio.sleep(1)
    return place.memory()


def w4(times: int = 3) -> dict[str, Any]:
    """Return the time from nothing to ready, and the idle memory of all processes."""
    ready: list[float] = []
    memory: dict[str, float] = {}
    for _ in range(times):
        with server() as place:
            ready.append(place.ready_s)
            memory = asyncio.run(idle_memory(place))
    return {
        "ready_s": round(min(ready), 3),
        "ready_median_s": round(statistics.median(ready), 3),
        "idle_pss_mb": memory.pop("sum"),
        "by_process_mb": memory,
    }

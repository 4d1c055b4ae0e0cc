"""Ten times as much: what does it cost? Linear is ten; more than eleven is a fault."""

import statistics
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from bench import graphs, workloads
from bench.client import Client
from bench.seed import Sizes, seed
from bench.server import server

KINDS: Final = ("nodes of a chain", "items of a stream", "runs", "history")


async def growth(
    *,
    kinds: Collection[str] = KINDS,
    nodes: int = 100,
    items: int = 500,
    runs: int = 500,
    history: int = 10_000,
    times: int = 5,
) -> dict[str, Any]:
    """Return for each kind of size what it costs, what ten times as much costs, and the ratio."""

    def numbers(size: int) -> dict[str, Any]:
        return {"items": [f"number {number}" for number in range(size)]}

    ways: dict[str, tuple[int, Callable[[int], Awaitable[float]]]] = {
        "nodes of a chain": (nodes, lambda size: _run_s(graphs.chain(size), {}, times=times)),
        "items of a stream": (
            items,
            lambda size: _run_s(graphs.items(), numbers(size), times=times),
        ),
        "runs": (runs, lambda size: _runs_s(size, times=times)),
        # The work is the same: what is behind it must not matter.
        "history": (history, lambda size: _runs_s(runs, times=times, history=size)),
    }
    return {
        kind: _ratio(size, [await cost_s(size), await cost_s(10 * size)])
        for kind, (size, cost_s) in ways.items()
        if kind in kinds
    }


def _ratio(size: int, costs_s: list[float]) -> dict[str, float]:
    return {
        "size": size,
        "cost_s": round(costs_s[0], 4),
        "cost_of_ten_times_s": round(costs_s[1], 4),
        "ratio": round(costs_s[1] / costs_s[0], 2),
    }


async def _run_s(graph: dict[str, Any], inputs: dict[str, Any], *, times: int) -> float:
    """Return the time of one run, the median of *times*, after one that warms up."""
    with server() as place:
        client = await Client.open(place.port, place.token)
        path = await workloads.save(client, graph)
        took = [await workloads.duration_s(client, path, inputs) for _ in range(times + 1)]
        await client.close()
    return statistics.median(took[1:])


async def _runs_s(runs: int, *, times: int, history: int = 0) -> float:
    """Return the time of *runs* runs by 16 clients, the median of *times*, after *history* runs."""
    now_us = time.time_ns() // 1000
    sizes = Sizes(runs=history, nodes=4, graphs=10, schedules=0, reviews=0, notices=history // 2)
    with server(
        prepare=lambda data: seed(data / "agpt.db", sizes, now_us=now_us) if history else None
    ) as place:
        took: list[float] = []
        for _ in range(times):
            figures = await workloads.w1(place, runs=runs)
            took.append(runs / figures["runs_per_s"])
    return statistics.median(took)

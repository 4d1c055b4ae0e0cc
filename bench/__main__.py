"""Measure W1 to W4 and print the figures as JSON, with a calibration of the machine beside them."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from backend import __version__
from bench import workloads
from bench.server import Server, server

ON_A_SERVER: dict[str, Callable[[Server], Awaitable[Any]]] = {
    "w1": workloads.w1,
    "w1_one": workloads.w1_one,
    "w2": workloads.w2,
    "w3": workloads.w3,
}


def main(wanted: list[str]) -> int:
    """Measure all workloads, or those *wanted*."""
    figures: dict[str, Any] = {"version": __version__, "calibration": workloads.calibrate()}
    for name, work in ON_A_SERVER.items():
        if wanted and name not in wanted:
            continue
        with server() as place, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures[name] = runner.run(_measured(work, place))
    if not wanted or "w4" in wanted:
        figures["w4"] = workloads.w4()
    figures["calibration_after"] = workloads.calibrate()
    print(json.dumps(figures, indent=2))
    return 0


async def _measured(work: Callable[[Server], Awaitable[Any]], place: Server) -> Any:
    return await work(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

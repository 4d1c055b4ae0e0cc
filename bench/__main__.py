"""
Measure workloads and print the figures as JSON, with a calibration of the machine beside them.

`python -m bench` measures W1 to W5 in a minute; the larger ones are asked for by name.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final

import uvloop

from backend import __version__
from bench import workloads
from bench.api import api
from bench.clients import clients
from bench.cluster import cluster
from bench.events import events
from bench.fair import fair, stop
from bench.growth import growth
from bench.kill import w5
from bench.move import move
from bench.scale import scale
from bench.schedules import schedules
from bench.seed import Sizes
from bench.server import Server, server
from bench.soak import soak

ON_A_SERVER: Final[dict[str, Callable[[Server], Awaitable[Any]]]] = {
    "w1": workloads.w1,
    "w1_one": workloads.w1_one,
    "w2": workloads.w2,
    "w3": workloads.w3,
}
QUICK: Final = (*ON_A_SERVER, "w4", "w5")
LARGE: Final = (
    "growth",
    "events",
    "fair",
    "stop",
    "api",
    "soak",
    "clients",
    "schedules",
    "scale",
    "cluster",
    "move",
)


def main(words: Sequence[str]) -> int:
    """Measure the quick workloads, or those that *words* name."""
    asked = _read(words)
    wanted = asked.workloads or QUICK
    figures: dict[str, Any] = {"version": __version__, "calibration": workloads.calibrate()}
    for name in (*QUICK, *LARGE):
        if name in wanted:
            figures[name] = _measure(name, asked)
    figures["calibration_after"] = workloads.calibrate()
    print(json.dumps(figures, indent=2))
    return 0


def _read(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    # Not by `choices`: Python 3.11 wants the empty list to be one of them.
    parser.add_argument("workloads", nargs="*", type=_workload, metavar="workload")
    parser.add_argument("--runs", type=int, default=100_000, help="runs of soak, history of api")
    parser.add_argument("--nodes", type=int, default=10, help="node executions of a run of api")
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="how long events are sent, or simulated"
    )
    return parser.parse_args(words)


def _workload(name: str) -> str:
    if name not in (*QUICK, *LARGE):
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join((*QUICK, *LARGE))}")
    return name


def _measure(name: str, asked: argparse.Namespace) -> Any:
    if name == "w4":
        return workloads.w4()
    if name == "scale":
        return scale(seconds=asked.seconds)
    if name in ON_A_SERVER:
        with server() as place:
            return _run(_measured(ON_A_SERVER[name], place))
    large: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "w5": w5,
        "growth": growth,
        "fair": fair,
        "stop": stop,
        "events": lambda: events(seconds=asked.seconds),
        "api": lambda: api(sizes=Sizes(runs=asked.runs, nodes=asked.nodes)),
        "soak": lambda: soak(runs=asked.runs),
        "schedules": schedules,
        "cluster": cluster,
        "move": lambda: move(sizes=Sizes(runs=asked.runs, nodes=asked.nodes)),
        "clients": lambda: clients(seconds=asked.seconds),
    }
    return _run(large[name]())


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _measured(work: Callable[[Server], Awaitable[Any]], place: Server) -> Any:
    return await work(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

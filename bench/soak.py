"""Run after run: memory, file handles and threads of all processes must stay as they are."""

from typing import Any

from bench import workloads
from bench.figures import slope
from bench.server import server


async def soak(*, runs: int = 100_000, each: int = 10_000) -> dict[str, Any]:
    """
    Return how memory grows with each *each* runs, by least squares, and handles and threads.

    The first part is not counted: caches fill, and they may.
    """
    memory: list[dict[str, float]] = []
    handles: list[int] = []
    threads: list[int] = []
    speed: list[float] = []
    with server() as place:
        for _ in range(max(2, runs // each)):
            figures = await workloads.w1(place, runs=each)
            speed.append(figures["runs_per_s"])
            memory.append(place.memory())
            now = place.open_things().values()
            handles.append(sum(one for one, _ in now))
            threads.append(sum(one for _, one in now))
        database = sum(path.stat().st_size for path in place.data_dir.glob("agpt.db*"))
    return {
        "runs": each * len(memory),
        "runs_of_a_part": each,
        "memory_mb": [one["sum"] for one in memory],
        "memory_mb_per_part": {
            name: round(slope([one.get(name, 0.0) for one in memory[1:]]), 3) for name in memory[-1]
        },
        "file_handles": handles,
        "threads": threads,
        "runs_per_s": speed,
        "memory_by_process_mb": memory[-1],
        "database_mb": round(database / 2**20, 1),
    }

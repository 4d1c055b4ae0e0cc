"""A server whose clients never rest, moved there and back by commands that are killed at any moment."""

import asyncio
import random
import signal
import subprocess
import sys

import pytest

from bench import graphs
from bench.client import Client
from bench.move import CLIENTS, Installation, Load, ends_of, installation, start_runs
from bench.seed import Sizes
from bench.workloads import save
from tests.services import require_service

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

SIZES = Sizes(
    runs=5_000, nodes=10, graphs=5, versions=2, schedules=5, reviews=0, notices=5, strangers_runs=0
)
KILLS = 8
PER_S = 20


async def test_no_run_is_lost_however_often_a_move_or_the_server_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", require_service("postgres"))
    dice = random.Random(8)
    async with installation(SIZES) as place:
        await place.run("start")
        port, token = int(place.environment["AGENT_API_PORT"]), (await place.run("token")).strip()
        client = await Client.open(port, token)
        path = await save(client, graphs.sample())
        await client.close()
        load, over = Load(per_s=PER_S), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(start_runs(port, token, path, load, over, number))
            for number in range(KILLS):
                killed = await _killed(place, dice.uniform(0.0, 30.0), server_too=number % 4 == 3)
                await place.run("stop")
                await place.run("start")
                if not killed:
                    break
            _, said = await _migrated(place)
            over.set()
        ends_us = await ends_of(place, load.runs)

    assert len(load.runs) > 100
    assert len(ends_us) == len(load.runs), said


async def _killed(place: Installation, after_s: float, *, server_too: bool) -> bool:
    """Move to where the rows are not; kill that, or the server, after a while. False: too late."""
    process = await _begun(place)
    if server_too:
        await asyncio.sleep(after_s / 4)
        await place.run("stop")
    try:
        async with asyncio.timeout(after_s):
            await process.communicate()
    except TimeoutError:
        process.send_signal(signal.SIGKILL)
        await process.communicate()
        return True
    return True


async def _migrated(place: Installation) -> tuple[int, str]:
    process = await _begun(place)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return process.returncode, errors.decode()


async def _begun(place: Installation) -> asyncio.subprocess.Process:
    where = "sqlite:" if not (place.data_dir / "agpt.db").exists() else place.url
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "backend.cli", "migrate", "--to", where, "--switch", "--again",
        env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip

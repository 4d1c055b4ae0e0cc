"""How long `agpt migrate` keeps an installation from its clients, with a long history, under load."""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg

from backend.core.status import FINAL
from backend.selfcheck.processes import free_ports
from bench import graphs
from bench.client import Client
from bench.cluster import BROKER, POSTGRES, forget_broker
from bench.figures import spread
from bench.seed import Sizes, seed
from bench.server import PORTS
from bench.workloads import INPUTS, save

CLIENTS: Final = 8
_RETRY_S: Final = 0.02
_ENDS_S: Final = 300.0


@dataclass
class Load:
    """
    What clients met: each starts a run, again and again until it is accepted, and then the next.

    Attributes:
        answers_s: When a start was accepted, by the monotonic clock.
        runs: Those that were accepted.
        tries: Requests that were not answered with success, and were made again.
    """

    per_s: int
    answers_s: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    tries: int = 0

    def gap_s(self) -> float:
        """Return the longest time without an answer."""
        ordered = sorted(self.answers_s)
        return max((b - a for a, b in pairwise(ordered)), default=0.0)


async def move(
    *, sizes: Sizes | None = None, per_s: int = 50, broker: bool = True
) -> dict[str, Any]:
    """
    Return what a move to PostgreSQL and back cost, with *per_s* runs started a second meanwhile.

    The addresses are those of DATABASE_URL and RABBITMQ_URL, or the usual ones of this machine; a
    database of its own is made there, and dropped.
    """
    history = sizes or Sizes()
    async with installation(history) as place:
        url = place.url
        rabbit = (os.environ.get("RABBITMQ_URL") or BROKER) if broker else ""
        there = ["--to", url, "--switch", "--json", *(["--broker", rabbit] if rabbit else [])]
        found: dict[str, Any] = {
            "runs": history.runs,
            "node_executions": history.runs * history.nodes,
            "runs_started_per_s": per_s,
        }
        await place.run("start")
        found["to_postgresql"] = await _moved(place, there, per_s)
        found["back_to_sqlite"] = await _moved(
            place, ["--to", "sqlite:", "--switch", "--json"], per_s
        )
        return found


@dataclass(frozen=True, kw_only=True)
class Installation:
    """An installation whose server runs in the background."""

    data_dir: Path
    url: str
    environment: dict[str, str]

    async def run(self, *words: str) -> str:
        """Return what `agpt` prints. Raises RuntimeError if it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "backend.cli", *words,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"agpt {words[0]}: {errors.decode()[-1000:]}")
        return out.decode()

    def ended_us(self, runs: list[str]) -> list[int]:
        """Return when those of *runs* ended that have, wherever their rows are now."""
        marks = ", ".join(f"'{one.value}'" for one in FINAL)
        query = f"SELECT id, ended_us FROM executions WHERE status IN ({marks})"
        path = self.data_dir / "agpt.db"
        if path.exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as rows:
                found = dict(rows.execute(query).fetchall())
        else:
            with psycopg.connect(self.url) as server:
                found = dict(server.execute(query.encode()).fetchall())
        return sorted(found[run] for run in runs if run in found)


@contextlib.asynccontextmanager
async def installation(sizes: Sizes) -> AsyncIterator[Installation]:
    """Give one with a history, not started yet, and an empty database; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="agpt-bench-") as home, _database() as url:
        data_dir = Path(home) / "data"
        await asyncio.to_thread(seed, data_dir / "agpt.db", sizes, now_us=time.time_ns() // 1000)
        ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        dropped = ("DATABASE_URL", "RABBITMQ_URL")
        environment = {name: text for name, text in os.environ.items() if name not in dropped}
        environment |= {
            **ports, "HOME": home, "AGPT_DATA_DIR": str(data_dir), "LOG_LEVEL": "warning"
        }  # fmt: skip
        place = Installation(data_dir=data_dir, url=url, environment=environment)
        try:
            yield place
        finally:
            await place.run("stop")
            await forget_broker(url)


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """Give the address of a database of its own."""
    base = os.environ.get("DATABASE_URL") or POSTGRES
    name = f"agpt_bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield urlunsplit(urlsplit(base)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def _moved(place: Installation, words: list[str], per_s: int) -> dict[str, Any]:
    """Move while runs are started; return what clients saw, and that nothing was lost."""
    port, token = int(place.environment["AGENT_API_PORT"]), (await place.run("token")).strip()
    client = await Client.open(port, token)
    path = await save(client, graphs.sample())
    await client.close()
    load, over = Load(per_s=per_s), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS if per_s else 0):
            group.create_task(start_runs(port, token, path, load, over, number))
        began = time.perf_counter()
        try:
            told = json.loads(await place.run("migrate", *words))
        finally:
            took_s = time.perf_counter() - began
            await asyncio.sleep(2.0 if per_s else 0.0)
            over.set()
    ends_us = await ends_of(place, load.runs)
    gaps_s = [(b - a) / 1e6 for a, b in pairwise(ends_us)]
    return {
        "all_s": round(took_s, 1),
        "without_an_answer_s": round(load.gap_s(), 2),
        "without_an_end_of_a_run_s": round(max(gaps_s, default=0.0), 2),
        "runs": len(load.runs),
        "runs_lost": len(load.runs) - len(ends_us),
        "requests_made_again": load.tries,
        "starts": spread(load.waits_ms) if load.waits_ms else None,
        "said": told,
    }


async def start_runs(
    port: int, token: str, path: str, load: Load, over: asyncio.Event, number: int
) -> None:
    """Start a share of the runs at their times, one after the other; what is late is not skipped."""
    client: Client | None = None
    begin, count = time.perf_counter() + number / load.per_s, 0
    while not over.is_set():
        due = begin + count * CLIENTS / load.per_s
        # Who was kept waiting does not catch up: people would not either.
        if (delay := due - time.perf_counter()) < -1:
            begin -= delay
        await asyncio.sleep(max(0.0, delay))
        count += 1
        asked, key = time.perf_counter(), uuid.uuid4().hex
        while True:
            try:
                client = client or await Client.open(port, token)
                run = await client.ask("POST", path, INPUTS, key=key)
            except (RuntimeError, OSError, asyncio.IncompleteReadError):
                load.tries += 1
                if client is not None:
                    await _closed(client)
                client = None
                await asyncio.sleep(_RETRY_S)
                continue
            load.answers_s.append(time.perf_counter())
            load.waits_ms.append((time.perf_counter() - asked) * 1000)
            load.runs.append(run["id"])
            break
    if client is not None:
        await _closed(client)


async def _closed(client: Client) -> None:
    with contextlib.suppress(OSError):
        await client.close()


async def ends_of(place: Installation, runs: list[str]) -> list[int]:
    """Wait until all have ended, but not for ever; return when, in µs."""
    until = time.perf_counter() + _ENDS_S
    while True:
        ends = await asyncio.to_thread(place.ended_us, runs)
        if len(ends) == len(runs) or time.perf_counter() > until:
            return ends
        await asyncio.sleep(0.5)

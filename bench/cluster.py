"""The cluster: W1 and W2 on PostgreSQL and RabbitMQ, beside SQLite, and what more executors bring."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psycopg
from cryptography.fernet import Fernet

from bench import graphs, workloads
from bench.client import Client
from bench.cores import can_limit, limited
from bench.outside import Outside
from bench.server import Server, server

POSTGRES: Final = "postgresql://postgres@127.0.0.1:5432/postgres"
BROKER: Final = "amqp://guest:guest@127.0.0.1:5672/"
#: What a step that waits on others waits; the longer wait leaves two cores idle even with two
#: executors, so that it shows what executors on cores of their own bring.
_WAIT_S: Final = 0.1
_LONG_WAIT_S: Final = 0.4
#: … and how many of them a run has: a second of waiting, so that slots are what there is too few of.
_STEPS: Final = 10
_EXECUTORS: Final = {_WAIT_S: (1, 2, 3), _LONG_WAIT_S: (1, 2)}
#: What an executor has where each has its own: two of them leave more than a core to all else.
_OWN_CORES: Final = 0.4


async def cluster(*, runs: int = 1000) -> dict[str, Any]:
    """
    Return W1 and W2 on both, and how many waiting runs a second one, two and three executors end.

    Where processes can be given cores of their own, also how many more two end that have so: else
    they share those of this machine with all that they work for.

    The addresses are those of DATABASE_URL and RABBITMQ_URL, or the usual ones of this machine; a
    database of its own is made there, and dropped.
    """
    found: dict[str, Any] = {}
    with server() as place:
        found["sqlite"] = {"w1": await workloads.w1(place), "w2": await workloads.w2(place)}
    async with _settings() as settings:
        with server(**settings) as place:
            found["cluster"] = {"w1": await workloads.w1(place), "w2": await workloads.w2(place)}
    for wait_s, counts in _EXECUTORS.items():
        here = found[f"waits_of_{wait_s:g}_s"] = {}
        for count in counts:
            here[str(count)] = await _with_executors(count, wait_s, runs)
        here["gain_of_two"] = _gain(here)
    if can_limit():
        here = found[f"waits_of_{_WAIT_S:g}_s_{_OWN_CORES:g}_cores_each"] = {}
        for count in (1, 2):
            here[str(count)] = await _with_executors(count, _WAIT_S, runs, cores=_OWN_CORES)
        here["gain_of_two"] = _gain(here)
    return found


def _gain(of_counts: dict[str, Any]) -> float:
    return round(float(of_counts["2"]["runs_per_s"] / of_counts["1"]["runs_per_s"]), 2)


async def _with_executors(
    count: int, wait_s: float, runs: int, *, cores: float | None = None
) -> dict[str, Any]:
    outside = Outside(wait_s)
    async with outside.serve() as origin, _settings() as settings:
        settings |= {
            "TRUST_ENDPOINTS_FOR_REQUESTS": origin.removeprefix("http://"),
            "MAX_CONCURRENT_GRAPH_EXECUTIONS_PER_USER": "1000",
            "MAX_RUNS_PER_USER": "1000",
        }
        with ExitStack() as stack:
            members = [stack.enter_context(server(**settings))]
            for _ in range(count - 1):
                ports = ("EXECUTION_MANAGER_PORT",)
                more = server(program="backend.exec", wait_for=ports, **settings)
                members.append(stack.enter_context(more))
            if cores is not None:
                for member in members:
                    pid = member.find("ExecutionManager").pid
                    stack.enter_context(limited(pid, cores=cores))
            return await _waiting(settings, outside, origin, members[0], runs)


async def _waiting(
    settings: dict[str, Any], outside: Outside, origin: str, place: Server, runs: int
) -> dict[str, Any]:
    """Return how fast all executors end runs of steps that wait, and that none was lost."""
    client = await Client.open(place.port, place.token)
    saved = await client.ask("POST", "/api/graphs", {"graph": graphs.requests(origin, _STEPS)})
    path = f"/api/graphs/{saved['id']}"
    started = time.perf_counter()
    await _start(place, f"{path}/execute/{saved['version']}", runs)
    # Only then it is looked: who looks takes the cores that the cluster is to have.
    await outside.wait_for(runs * _STEPS)
    with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as connection:
        while True:
            if _ended(connection) >= runs:
                break
            await asyncio.sleep(0.05)
    took_s = time.perf_counter() - started
    await client.close()
    by_owner = _by_owner(settings["DATABASE_URL"])
    return {"runs": runs, "runs_per_s": round(runs / took_s, 1), "of_each_executor": by_owner}


async def _start(place: Server, path: str, runs: int) -> None:
    left = iter(range(runs))
    clients = [await Client.open(place.port, place.token) for _ in range(16)]

    async def load(client: Client) -> None:
        for _ in left:
            await client.ask("POST", path, {"inputs": {"given": "x"}})
        await client.close()

    await asyncio.gather(*map(load, clients))


def _ended(connection: psycopg.Connection) -> int:
    query = "SELECT count(*) FROM executions WHERE status = 'COMPLETED'"
    [[count]] = connection.execute(query).fetchall()
    return int(count)


def _by_owner(url: str) -> list[int]:
    query = "SELECT count(*) FROM executions GROUP BY owner ORDER BY 1"
    with psycopg.connect(url) as connection:
        return [count for [count] in connection.execute(query).fetchall()]


@asynccontextmanager
async def _settings() -> AsyncIterator[dict[str, Any]]:
    """Give what the members of one cluster share, on a database that is dropped afterwards."""
    base = os.environ.get("DATABASE_URL") or POSTGRES
    name = f"agpt_bench_{uuid.uuid4().hex[:12]}"
    url = urlunsplit(urlsplit(base)._replace(path=f"/{name}"))
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield {
                "DATABASE_URL": url,
                "RABBITMQ_URL": os.environ.get("RABBITMQ_URL") or BROKER,
                "ENCRYPTION_KEY": Fernet.generate_key().decode(),
                "JWT_VERIFY_KEY": uuid.uuid4().hex + uuid.uuid4().hex,
                "UNSUBSCRIBE_SECRET_KEY": uuid.uuid4().hex + uuid.uuid4().hex,
            }
        finally:
            await forget_broker(url)
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def forget_broker(url: str) -> None:
    """Remove what the installation in a database has at the broker."""
    from backend.adapters.broker.names import Names  # noqa: PLC0415 - see backend/adapters/broker
    from backend.adapters.broker.tidy import drop  # noqa: PLC0415 - the same
    from backend.adapters.storage.cluster import installation_at  # noqa: PLC0415 - the same

    installation = installation_at(url)
    if installation is not None:
        await drop(os.environ.get("RABBITMQ_URL") or BROKER, Names(installation))

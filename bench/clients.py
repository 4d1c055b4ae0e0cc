"""A thousand clients at once: what they read, start and watch, and how long reads take."""

import asyncio
import secrets
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import jwt
import orjson
from websockets.asyncio.client import connect

from backend.core.status import FINAL
from bench import graphs
from bench.client import Client
from bench.figures import spread
from bench.server import Server, server
from bench.workloads import INPUTS

#: So many people share the connections: a limit of one is not met by another.
_PEOPLE: Final = 25
_OPEN_AT_ONCE: Final = 50
_BUSY: Final = 429
_ENDS_S: Final = 60.0


@dataclass
class _Tally:
    """What was asked and what came of it."""

    reads_ms: list[float] = field(default_factory=list)
    starts_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    refused: int = 0  #: with 429
    frames: int = 0
    runs: list[str] = field(default_factory=list)


class _Person:
    """A user with a graph, and some of the connections."""

    def __init__(self, number: int, key: str) -> None:
        claims = {"sub": f"person-{number}", "aud": "authenticated", "exp": time.time() + 3600}
        self.token = jwt.encode({**claims, "role": "authenticated"}, key, algorithm="HS256")
        self.graph = ""
        self.start = ""
        self.reads: list[str] = []

    async def settle(self, client: Client) -> None:
        """Save a graph and start it once, so that there is something to read."""
        made = await client.ask("POST", "/api/graphs", {"graph": graphs.sample()})
        self.graph = made["id"]
        self.start = f"/api/graphs/{self.graph}/execute/{made['version']}"
        run = await client.ask("POST", self.start, INPUTS)
        of_graph = f"/api/graphs/{self.graph}"
        self.reads = [
            of_graph,
            f"{of_graph}/executions?page_size=25",
            f"{of_graph}/executions/{run['id']}",
            "/api/graphs",
            "/api/schedules",
            "/api/library/agents",
        ]


async def clients(
    *,
    connections: int = 1_000,
    reads_per_s: int = 200,
    runs_per_s: int = 100,
    seconds: float = 20.0,
) -> dict[str, Any]:
    """
    Return latencies and errors with *connections* open, a fifth of them sockets that watch.

    Reads and starts are offered at fixed rates, whatever the server does; each goes over the
    connection that has waited longest.
    """
    key = secrets.token_urlsafe(32)
    sockets = connections // 5
    with server(JWT_VERIFY_KEY=key) as place:
        people = [_Person(number, key) for number in range(_PEOPLE)]
        tally = _Tally()
        async with AsyncExitStack() as stack:
            opened = await _opened(stack, place, people, connections - sockets)
            for number, person in enumerate(people):
                await person.settle(opened[number])
            await _watching(stack, place, people, sockets, tally)
            cpu, started = place.cpu_s(), time.perf_counter()
            await asyncio.gather(
                _offer(opened, people, reads_per_s, seconds, tally, is_read=True),
                _offer(opened, people, runs_per_s, seconds, tally, is_read=False),
            )
            took_s = time.perf_counter() - started
            used = {name: round(s - cpu.get(name, 0), 2) for name, s in place.cpu_s().items()}
            files = place.open_things()
            unfinished = await _until_ended(place.data_dir, tally.runs)
        return {
            "connections": connections,
            "sockets": sockets,
            "seconds": round(took_s, 1),
            "reads": {"offered_per_s": reads_per_s, **spread(tally.reads_ms)},
            "starts": {"offered_per_s": runs_per_s, **spread(tally.starts_ms)},
            "refused with 429": tally.refused,
            "errors": dict(tally.errors),
            "frames": tally.frames,
            "runs that did not end": unfinished,
            "cpu_s": used,
            "open files": {name: count for name, (count, _) in files.items()},
        }


async def _opened(
    stack: AsyncExitStack, place: Server, people: list[_Person], count: int
) -> list[Client]:
    gate = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def one(number: int) -> Client:
        async with gate:
            client = await Client.open(place.port, people[number % len(people)].token)
            stack.push_async_callback(client.close)
            return client

    return list(await asyncio.gather(*map(one, range(count))))


async def _watching(
    stack: AsyncExitStack, place: Server, people: list[_Person], count: int, tally: _Tally
) -> None:
    """Open sockets that watch the runs of their person's graph."""
    group = await stack.enter_async_context(_Readers())

    async def one(number: int) -> None:
        person = people[number % len(people)]
        url = f"ws://127.0.0.1:{place.websocket_port}/ws?token={person.token}"
        socket = await stack.enter_async_context(connect(url, open_timeout=30))
        frame = {"method": "subscribe_graph_executions", "data": {"graph_id": person.graph}}
        await socket.send(orjson.dumps(frame).decode())

        async def read() -> None:
            async for _ in socket:
                tally.frames += 1

        group.read(read())

    for number in range(count):
        await one(number)


class _Readers:
    """Tasks that read until they are not wanted any more."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def read(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _offer(
    opened: list[Client],
    people: list[_Person],
    per_s: int,
    seconds: float,
    tally: _Tally,
    *,
    is_read: bool,
) -> None:
    """Ask at a fixed rate. A client has one request under way at a time, as its connection has."""
    count, start = int(per_s * seconds), time.perf_counter()
    free = list(range(0 if is_read else 1, len(opened), 2))  # reads and starts share no connection
    under_way: set[asyncio.Task[None]] = set()
    for number in range(count):
        delay = start + number / per_s - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        while not free:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        place = free.pop(0)
        person = people[place % len(people)]
        asked = _read if is_read else _start
        task = asyncio.create_task(asked(opened[place], person, number, tally))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        task.add_done_callback(lambda _, place=place: free.append(place))  # type: ignore[misc]
    await asyncio.gather(*under_way)


async def _read(client: Client, person: _Person, number: int, tally: _Tally) -> None:
    path = person.reads[number % len(person.reads)]
    await _timed(client, "GET", path, None, tally, tally.reads_ms)


async def _start(client: Client, person: _Person, _number: int, tally: _Tally) -> None:
    run = await _timed(client, "POST", person.start, INPUTS, tally, tally.starts_ms)
    if run is not None:
        tally.runs.append(run["id"])


async def _timed(
    client: Client, method: str, path: str, body: Any, tally: _Tally, times: list[float]
) -> Any:
    started = time.perf_counter()
    try:
        answered = await client.ask(method, path, body)
    except (RuntimeError, OSError, asyncio.IncompleteReadError) as exc:
        if f": {_BUSY} " in str(exc):
            tally.refused += 1
        else:
            tally.errors[f"{type(exc).__name__}: {str(exc)[:120]}"] += 1
        return None
    times.append((time.perf_counter() - started) * 1000)
    return answered


async def _until_ended(data_dir: Path, runs: list[str]) -> int:
    """Return how many runs have not ended after a minute."""
    wanted, until = set(runs), time.perf_counter() + _ENDS_S
    marks = ",".join("?" * len(FINAL))
    query = f"SELECT id FROM executions WHERE status IN ({marks})"
    while wanted and time.perf_counter() < until:
        database = sqlite3.connect(f"file:{data_dir}/agpt.db?mode=ro", uri=True)
        wanted -= {row[0] for row in database.execute(query, [one.value for one in FINAL])}
        database.close()
        if wanted:
            await asyncio.sleep(0.2)
    return len(wanted)

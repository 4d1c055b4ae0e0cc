"""A start that is sent again with its Idempotency-Key: the first run, and no second one."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, func, select

from backend.adapters.storage import tables
from tests.contract.rest_server import BOB, RestServer, sample_graph

Json = dict[str, Any]


async def runs(server: RestServer) -> int:
    def count(connection: Connection) -> int:
        found = connection.execute(select(func.count()).select_from(tables.executions))
        return int(found.scalar_one())

    return await server.storage.database.read(count)


async def saved(server: RestServer, **more: Any) -> str:
    made = await server.ask("POST", "/api/graphs", {"graph": sample_graph()}, **more)
    assert made.status_code == 200
    return str(made.json()["id"])


async def start(
    server: RestServer, graph_id: str, key: str, body: Json | None = None, **more: Any
) -> httpx2.Response:
    path = more.pop("path", f"/api/graphs/{graph_id}/execute/1")
    body = {"inputs": {"text": "a"}} if body is None else body
    return await server.ask("POST", path, body, headers={b"Idempotency-Key": key.encode()}, **more)


async def test_the_same_key_starts_one_run(server: RestServer) -> None:
    graph_id = await saved(server)

    first = await start(server, graph_id, "order-17")
    server.clock.pass_time(seconds=60)
    second = await start(server, graph_id, "order-17")

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await runs(server) == 1


async def test_starts_that_arrive_together_are_one_run(server: RestServer) -> None:
    graph_id = await saved(server)

    answers = await asyncio.gather(*(start(server, graph_id, "k") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await runs(server) == 1


async def test_other_keys_and_other_peoples_keys_start_runs_of_their_own(
    server: RestServer,
) -> None:
    mine, theirs = await saved(server), await saved(server, user=BOB)

    answers = [
        await start(server, mine, "a"),
        await start(server, mine, "b"),
        await start(server, theirs, "a", user=BOB),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 3


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"inputs": {"text": "b"}}, None),
        ({"inputs": {"text": "a"}}, "/api/graphs/{other}/execute/1"),
        ({"inputs": {"text": "a"}}, "/api/graphs/{id}/execute/2"),
    ],
)
async def test_a_key_that_is_used_for_something_else_is_a_conflict(
    server: RestServer, body: Json, path: str | None
) -> None:
    graph_id, other = await saved(server), await saved(server)
    second = sample_graph(id=graph_id)
    assert (await server.ask("PUT", f"/api/graphs/{graph_id}", second)).status_code == 200
    await start(server, graph_id, "k")

    more = {} if path is None else {"path": path.format(id=graph_id, other=other)}
    answer = await start(server, graph_id, "k", body, **more)

    assert answer.status_code == 409
    assert "this Idempotency-Key has started run #" in answer.json()["detail"]
    assert await runs(server) == 1


async def test_a_refused_start_does_not_use_its_key_up(server: RestServer) -> None:
    graph_id = await saved(server)

    refused = await start(server, graph_id, "k", {"inputs": []})
    started = await start(server, graph_id, "k")

    assert (refused.status_code, started.status_code) == (422, 200)


async def test_a_start_of_the_active_version_is_found_when_another_is_active(
    server: RestServer,
) -> None:
    graph_id = await saved(server)
    path = f"/api/graphs/{graph_id}/execute"
    first = await start(server, graph_id, "k", path=path)
    assert first.status_code == 200
    changed = sample_graph(id=graph_id)
    assert (await server.ask("PUT", f"/api/graphs/{graph_id}", changed)).status_code == 200

    again = await start(server, graph_id, "k", path=path)

    assert again.json()["id"] == first.json()["id"]
    assert again.json()["graph_version"] == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "ключ"])
async def test_a_key_that_cannot_be_one_is_refused(server: RestServer, key: str) -> None:
    graph_id = await saved(server)

    answer = await start(server, graph_id, key)

    assert answer.status_code == 422
    assert "an Idempotency-Key has 1 to 255 characters" in answer.text
    assert await runs(server) == 0

"""Frames of clients: each gets its answer, wrong ones too, and the socket lives on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from backend.api.ws.client import Limits
from backend.core.ids import GraphId, derived_id
from tests.unit.api.ws.ws_server import GRAPH, LIMIT_S, WSServer, ws_server

FORMAT = "Invalid message format. Review the schema and retry"
MISSING = "Subscription data missing"
DATA = "Invalid message data. Refer to the API schema"
NOT_OURS = "Message type is not processed by the server"

WRONG: list[tuple[Any, str]] = [
    ("", FORMAT),
    ("ping", FORMAT),
    ("{", FORMAT),
    ("null", FORMAT),
    ("[]", FORMAT),
    ("{}", FORMAT),
    ("NaN", FORMAT),
    ('{"method": "heartbeat", "data": "\\ud800"}', FORMAT),
    ("[" * 100_000, FORMAT),
    (b'{"method": "heartbeat"}', FORMAT),
    (b"\xff\xfe\x00", FORMAT),
    ({"method": "shutdown"}, FORMAT),
    ({"method": None}, FORMAT),
    ({"method": ["heartbeat"]}, FORMAT),
    ({"method": "HEARTBEAT"}, FORMAT),
    ({"method": "heartbeat", "data": 5}, FORMAT),
    ({"method": "subscribe_graph_execution", "success": "perhaps"}, FORMAT),
    ({"method": "subscribe_graph_execution"}, MISSING),
    ({"method": "subscribe_graph_execution", "data": None}, MISSING),
    ({"method": "subscribe_graph_execution", "data": {}}, MISSING),
    ({"method": "subscribe_graph_execution", "data": ""}, MISSING),
    ({"method": "subscribe_graph_execution", "data": "run"}, DATA),
    ({"method": "subscribe_graph_execution", "data": ["run"]}, DATA),
    ({"method": "subscribe_graph_execution", "data": {"graph_id": "x"}}, DATA),
    ({"method": "subscribe_graph_execution", "data": {"graph_exec_id": 1}}, DATA),
    ({"method": "subscribe_graph_execution", "data": {"graph_exec_id": ""}}, DATA),
    ({"method": "subscribe_graph_execution", "data": {"graph_exec_id": "x" * 1000}}, DATA),
    (
        {
            "method": "subscribe_graph_execution",
            "data": {"graph_exec_id": "x", "after_sequence": -1},
        },
        DATA,
    ),
    (
        {
            "method": "subscribe_graph_execution",
            "data": {"graph_exec_id": "x", "after_sequence": "1"},
        },
        DATA,
    ),
    (
        {
            "method": "subscribe_graph_execution",
            "data": {"graph_exec_id": "x", "after_sequence": 1e300},
        },
        DATA,
    ),
    (
        {"method": "subscribe_graph_execution", "data": {"graph_exec_id": "'; --"}},
        "Graph execution '; -- not found",
    ),
    (
        {"method": "subscribe_graph_execution", "data": {"graph_exec_id": "a\x00b"}},
        "Graph execution a\x00b not found",
    ),
    ({"method": "subscribe_graph_executions"}, MISSING),
    ({"method": "subscribe_graph_executions", "data": {"graph_exec_id": "x"}}, DATA),
    ({"method": "subscribe_graph_executions", "data": {"graph_id": "x"}}, "Graph x not found"),
    ({"method": "unsubscribe"}, MISSING),
    ({"method": "unsubscribe", "data": {"channel": "x"}}, DATA),
    ({"method": "unsubscribe", "data": ["x"]}, DATA),
    ({"method": "graph_execution_event", "data": {}}, NOT_OURS),
    ({"method": "node_execution_event"}, NOT_OURS),
    ({"method": "notification"}, NOT_OURS),
]


@pytest.fixture
async def server() -> AsyncIterator[WSServer]:
    async with ws_server() as made:
        yield made


async def test_wrong_frames_are_told_what_is_wrong_and_the_socket_lives_on(
    server: WSServer,
) -> None:
    answers = []
    async with server.connect() as ann:
        for frame, _ in WRONG:
            if isinstance(frame, bytes):
                await ann.connection.send(frame)
            else:
                await ann.send(frame)
            answers.append(await ann.next())

        assert (await ann.ask("heartbeat", "ping"))["data"] == "pong"
    assert answers == [
        {"method": "error", "data": None, "success": False, "channel": None, "error": text}
        for _, text in WRONG
    ]
    assert await server.metric("bad_frames_total") == len(WRONG)


async def test_a_heartbeat_is_answered_to_the_byte(server: WSServer) -> None:
    async with server.connect() as ann:
        await ann.send({"method": "heartbeat", "data": "ping"})

        answer = await ann.connection.recv()

        assert answer == '{"method":"heartbeat","data":"pong","success":true}'


async def test_a_reported_error_is_not_answered(server: WSServer) -> None:
    async with server.connect() as ann:
        await ann.send({"method": "error", "error": "it hurts"})

        assert (await ann.ask("heartbeat"))["method"] == "heartbeat"


async def test_a_subscription_is_answered_with_its_channel(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        to_run = await ann.ask("subscribe_graph_execution", {"graph_exec_id": run.id})
        to_graph = await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})

        assert to_run == {
            "method": "subscribe_graph_execution",
            "data": None,
            "success": True,
            "channel": f"ann|graph_exec#{run.id}",
            "error": None,
        }
        assert to_graph["channel"] == f"ann|graph#{GRAPH}|executions"


async def test_what_is_somebody_elses_is_not_there(server: WSServer) -> None:
    run = await server.new_run(user="ann")
    async with server.connect("bob") as bob:
        to_run = await bob.ask("subscribe_graph_execution", {"graph_exec_id": run.id})
        to_graph = await bob.ask("subscribe_graph_executions", {"graph_id": GRAPH})

        assert to_run["error"] == f"Graph execution {run.id} not found"
        assert to_graph["error"] == f"Graph {GRAPH} not found"
        assert await server.metric("topics") == 0


async def test_unsubscribing_ends_both_kinds(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)
        await ann.ask("subscribe_graph_executions", {"graph_id": GRAPH})

        for data in ({"graph_exec_id": run.id}, {"graph_id": GRAPH}):
            first = await ann.ask("unsubscribe", data)
            again = await ann.ask("unsubscribe", data)

            assert (first["success"], first["channel"] is not None) == (True, True)
            assert (again["success"], again["channel"]) == (True, None)
        await server.executor.change(run, {0: "x"})
        assert (await ann.ask("heartbeat"))["method"] == "heartbeat"
        assert await server.metric("topics") == 0


async def test_nothing_is_kept_of_a_socket_that_is_gone(server: WSServer) -> None:
    run = await server.new_run()
    async with server.connect() as ann:
        await ann.watch(run)

    async with asyncio.timeout(LIMIT_S):
        while await server.metric("sockets"):
            pass
    assert await server.metric("topics") == 0


async def test_a_socket_may_watch_so_much_and_no_more() -> None:
    async with ws_server(Limits(watches_per_socket=2)) as server, server.connect() as ann:
        runs = [await server.new_run(number) for number in range(3)]
        for run in runs[:2]:
            await ann.watch(run)

        refused = await ann.ask("subscribe_graph_execution", {"graph_exec_id": runs[2].id})
        again = await ann.ask("subscribe_graph_execution", {"graph_exec_id": runs[0].id})

        assert "as many subscriptions as one may have" in refused["error"]
        assert again["success"]


async def test_a_frame_over_the_limit_ends_the_socket(server: WSServer) -> None:
    async with server.connect() as ann:
        await ann.send('{"method": "heartbeat", "data": "' + "x" * 1_048_576 + '"}')

        assert await ann.closed_with() == 1009


async def test_an_unknown_graph_of_ones_own_kind_is_not_there(server: WSServer) -> None:
    await server.new_run()
    async with server.connect() as ann:
        other = GraphId(derived_id("no such graph"))

        answer = await ann.ask("subscribe_graph_executions", {"graph_id": other})

        assert answer["error"] == f"Graph {other} not found"

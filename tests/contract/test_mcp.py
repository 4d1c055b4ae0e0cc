"""The MCP server: agents as tools, asked by the protocol's own client over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from backend.core.status import Status
from backend.services import agent_tools
from backend.services.agent_tools import PAGE
from tests.contract.api_keys import ALL, make_key
from tests.contract.rest_server import ANN, BOB, Json, sample_graph
from tests.security.real_server import RealServer, real_server

USUAL = ["USE_TOOLS", "READ_GRAPH", "EXECUTE_GRAPH"]


@pytest.fixture
async def server() -> AsyncIterator[RealServer]:
    async with real_server() as made:
        yield made


@asynccontextmanager
async def client_of(server: RealServer, key: str) -> AsyncIterator[Client]:
    headers = {"X-API-Key": key}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(
            streamable_http_client(f"http://127.0.0.1:{server.port}/mcp", http_client=http)
        ) as client,
    ):
        yield client


async def key_of(server: RealServer, user: str = ANN, **changes: Any) -> str:
    made = await make_key(server.rest, user=user, **{"permissions": USUAL, **changes})
    return str(made["plain_text_key"])


async def raw(
    server: RealServer, key: str | None, content: bytes | Json, method: str = "POST", **headers: str
) -> httpx2.Response:
    """Send what the library would not."""
    if key is not None:
        headers["X-API-Key"] = key
    body: Any = {"content": content} if isinstance(content, bytes) else {"json": content}
    async with httpx2.AsyncClient(trust_env=False) as http:
        address = f"http://127.0.0.1:{server.port}/mcp"
        return await http.request(method, address, headers=headers, **body)


def asked(method: str, **params: Any) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def test_an_agent_is_a_tool_with_its_inputs(server: RealServer) -> None:
    graph = await server.rest.new_graph(sample_graph(name="Größe, 2 sample!"))

    async with client_of(server, await key_of(server)) as client:
        tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools] == ["get_agent_result", f"gr_e_2_sample_{graph['id']}"]
    agent = tools[1]
    assert (agent.title, agent.description) == ("Größe, 2 sample!", graph["description"])
    assert agent.input_schema["required"] == ["text"]
    assert set(agent.input_schema["properties"]) == {"text"}


async def test_a_key_may_come_as_bearer_here_and_nowhere_else(server: RealServer) -> None:
    await server.rest.new_graph()
    key = await key_of(server)
    bearer = {"Authorization": f"Bearer {key}"}
    unknown = {"Authorization": f"Bearer {key[:-1]}{'a' if key[-1] != 'a' else 'b'}"}

    let_in = await raw(server, None, asked("tools/list"), **bearer)
    refused = await raw(server, None, asked("tools/list"), **unknown)
    # The header that is made for keys is the one that counts.
    wrong = await raw(server, "agpt_wrong", asked("tools/list"), **bearer)
    async with httpx2.AsyncClient(trust_env=False, headers=bearer) as http:
        elsewhere = await http.get(f"http://127.0.0.1:{server.port}/external-api/v1/me")

    assert len(let_in.json()["result"]["tools"]) == 2
    assert [one.status_code for one in (refused, wrong, elsewhere)] == [401] * 3


async def test_a_call_runs_the_agent_and_gives_its_outputs(server: RealServer) -> None:
    graph = await server.rest.new_graph()

    async def end_it() -> None:
        while not (runs := (await server.rest.ask("GET", "/api/executions")).json()):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        await server.rest.end_run(runs[0]["id"], Status.COMPLETED)

    async with client_of(server, await key_of(server)) as client:
        ending = asyncio.create_task(end_it())
        found = await client.call_tool(f"sample_{graph['id']}", {"text": "hello"})
        await ending

    assert not found.is_error
    assert found.structured_content["status"] == "COMPLETED"
    run_id = found.structured_content["run_id"]
    run = (await server.rest.ask("GET", f"/api/graphs/{graph['id']}/executions/{run_id}")).json()
    assert run["inputs"] == {"text": "hello"}


async def test_a_long_run_is_asked_for_later(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_tools, "MAX_WAIT_S", 0.05)
    graph = await server.rest.new_graph()

    async with client_of(server, await key_of(server)) as client:
        first = await client.call_tool(f"sample_{graph['id']}", {"text": "hello"})
        run_id = first.structured_content["run_id"]
        await server.rest.end_run(run_id, Status.FAILED)
        later = await client.call_tool("get_agent_result", {"run_id": run_id})

    assert (first.is_error, first.structured_content["status"]) == (False, "QUEUED")
    assert "get_agent_result" in first.structured_content["hint"]
    assert (later.is_error, later.structured_content["status"]) == (True, "FAILED")


async def test_agents_come_in_pages(server: RealServer) -> None:
    for number in range(PAGE + 1):
        await server.rest.new_graph(sample_graph(name=f"agent {number}"))

    async with client_of(server, await key_of(server)) as client:
        first = await client.list_tools()
        second = await client.list_tools(cursor=first.next_cursor)

    names = {tool.name for tool in (*first.tools, *second.tools)}
    assert (len(first.tools), len(second.tools), len(names)) == (PAGE + 1, 1, PAGE + 2)
    assert second.next_cursor is None


async def test_agents_and_runs_of_others_are_not_there(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_tools, "MAX_WAIT_S", 0.0)
    graph = await server.rest.new_graph()
    run = await server.rest.new_run(graph)

    async with client_of(server, await key_of(server, BOB)) as client:
        listed = await client.list_tools()
        called = await client.call_tool(f"sample_{graph['id']}", {"text": "x"})
        none = await client.call_tool("sample_" + "0" * 8 + "-0000-4000-8000-" + "0" * 12, {})
        result = await client.call_tool("get_agent_result", {"run_id": run["id"]})

    assert [tool.name for tool in listed.tools] == ["get_agent_result"]
    assert called.is_error
    assert none.is_error
    assert result.is_error
    mine, theirs = none.content[0].text, called.content[0].text  # type: ignore[union-attr]
    assert theirs == mine.replace("0" * 8 + "-0000-4000-8000-" + "0" * 12, graph["id"])


async def test_what_the_agent_does_not_take_is_said_to_the_model(server: RealServer) -> None:
    graph = await server.rest.new_graph(sample_graph(nodes=[], links=[]))

    async with client_of(server, await key_of(server)) as client:
        for name in (f"sample_{graph['id']}", "sample", "get_agent_result"):
            found = await client.call_tool(name, {})

            assert found.is_error
            assert found.content[0].text  # type: ignore[union-attr]


async def test_the_same_key_starts_one_run(
    server: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_tools, "MAX_WAIT_S", 0.0)
    graph, key = await server.rest.new_graph(), await key_of(server)
    call = asked("tools/call", name=f"sample_{graph['id']}", arguments={"text": "x"})

    answers = [await raw(server, key, call, **{"Idempotency-Key": "once"}) for _ in range(2)]

    ids = {one.json()["result"]["structuredContent"]["run_id"] for one in answers}
    assert len(ids) == 1


async def test_without_a_good_key_nobody_is_let_in(server: RealServer) -> None:
    no_tools = await key_of(server, permissions=[one for one in ALL if one != "USE_TOOLS"])
    user_token = server.rest.as_user("ann")["Authorization"]

    none = await raw(server, None, asked("tools/list"))
    wrong = await raw(server, "agpt_wrong", asked("tools/list"))
    token = await raw(server, None, asked("tools/list"), Authorization=user_token)
    forbidden = await raw(server, no_tools, asked("tools/list"))

    assert [one.status_code for one in (none, wrong, token, forbidden)] == [401, 401, 401, 403]
    assert "USE_TOOLS" in forbidden.json()["detail"]


async def test_each_deed_wants_its_permission(server: RealServer) -> None:
    for permission, method, params in (
        ("READ_GRAPH", "tools/list", {}),
        ("READ_GRAPH", "tools/call", {"name": "get_agent_result", "arguments": {}}),
        ("EXECUTE_GRAPH", "tools/call", {"name": "x", "arguments": {}}),
    ):
        key = await key_of(server, permissions=[one for one in USUAL if one != permission])

        answer = await raw(server, key, asked(method, **params))

        assert permission in answer.json()["error"]["message"], method


async def test_what_is_no_message_is_refused(server: RealServer) -> None:
    key, begin = await key_of(server), b'{"jsonrpc":"2.0","id":1,"method":'
    for content, code in (
        (b"", -32700),
        (b"{", -32700),
        (b"[]", -32600),
        (b"[" + begin + b'"ping"}]', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (begin + b"7}", -32600),
        (begin + b'"ping","params":[]}', -32602),
        (begin + b'"resources/list"}', -32601),
        (begin + b'"tools/list","params":{"cursor":"x"}}', -32602),
        (begin + b'"tools/list","params":{"cursor":"0"}}', -32602),
        (begin + b'"tools/call","params":{"name":1}}', -32602),
    ):
        answer = await raw(server, key, content)

        assert answer.status_code in (200, 400)
        assert answer.json()["error"]["code"] == code, content


async def test_only_messages_are_taken(server: RealServer) -> None:
    key = await key_of(server)
    told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    old = {"MCP-Protocol-Version": "1999-01-01"}

    assert (await raw(server, key, told)).status_code == 202
    assert (await raw(server, key, {"jsonrpc": "2.0", "id": 4, "result": {}})).status_code == 202
    assert (await raw(server, key, b"", "GET")).status_code == 405
    assert (await raw(server, key, b"", "DELETE")).status_code == 405
    assert (await raw(server, key, asked("ping"), **old)).status_code == 400


def test_the_sample_is_called_so() -> None:
    """The names above rest on it."""
    assert sample_graph()["name"] == "Sample"

"""Sessions of the copilot by REST: begun, listed, read, asked in; what comes of no key and of two turns."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from backend.core.chat import GRAPH_ID, ChatId, ChatMessage
from backend.core.ids import ExecutionId
from backend.core.status import Status
from backend.services import chat as service
from tests.contract.chats import MODEL, NO_MODEL
from tests.contract.rest_server import ANN, BOB, Json, RestServer, rest_server

SESSIONS = "/api/chat/sessions"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RestServer]:
    monkeypatch.setattr(service, "_LOOK_S", 0.01)  # no bus is here that would tell of a change
    async with rest_server(copilot=MODEL) as made:
        yield made


async def new(server: RestServer, user: str = ANN) -> str:
    return str((await server.ask("POST", SESSIONS, user=user)).json()["id"])


async def read(server: RestServer, id_: str) -> list[Json]:
    found: list[Json] = (await server.ask("GET", f"{SESSIONS}/{id_}")).json()["messages"]
    return found


async def run_of(server: RestServer, id_: str) -> ExecutionId:
    """Return the newest turn of a session, once it has one."""
    async with asyncio.timeout(10):
        while True:
            found, _ = await server.context.chats.get(ANN, ChatId(id_))
            if found.run_id is not None:
                return found.run_id
            await asyncio.sleep(0.01)


async def answer(server: RestServer, id_: str, *bodies: Json) -> None:
    """Say *bodies* in the newest turn, and end it, as the executor would."""
    run_id = await run_of(server, id_)
    chats = server.context.chats._chats.of(ANN)
    for body in bodies:
        found, _ = await server.context.chats.get(ANN, ChatId(id_))
        said = ChatMessage(number=found.messages, run_id=run_id, body=body, created_us=9)
        await chats.say(ChatId(id_), said)
    await server.end_run(run_id, Status.COMPLETED)


async def ask(server: RestServer, id_: str, text: str, **more: Any) -> Any:
    return await server.ask(
        "POST", f"{SESSIONS}/{id_}/stream", {"message": text, **more.pop("body", {})}, **more
    )


def frames(response: Any) -> list[Json]:
    assert response.status_code == 200, response.text
    parts = response.text.split("\n\n")
    assert parts[-2:] == ["data: [DONE]", ""]
    return [json.loads(part.removeprefix("data: ")) for part in parts[:-2] if part[0] == "d"]


async def test_a_turn_is_streamed_as_the_contract_has_it(server: RestServer) -> None:
    id_ = await new(server)
    call = {"id": "c1", "type": "function", "function": {"name": "find_block", "arguments": "{}"}}
    tool = {"role": "tool", "tool_call_id": "c1", "content": '{"type": "block_list"}'}

    response, _ = await asyncio.gather(
        ask(server, id_, "Which blocks are there?"),
        answer(
            server,
            id_,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            tool,
            {"role": "assistant", "content": "Many."},
        ),
    )

    assert [frame["type"] for frame in frames(response)] == [
        *("start", "tool-input-start", "tool-input-available", "tool-output-available"),
        *("start", "text-start", "text-delta", "text-end", "finish"),
    ]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.headers["x-graph-exec-id"] == await run_of(server, id_)
    said = await read(server, id_)
    assert [one["role"] for one in said] == ["user", "assistant", "tool", "assistant"]
    assert said[1]["tool_calls"] == [call]
    assert (await server.ask("GET", SESSIONS)).json()["sessions"][0]["title"] == (
        "Which blocks are there?"
    )


async def test_without_a_key_the_stream_says_so_and_nothing_is_kept() -> None:
    async with rest_server(copilot=NO_MODEL) as server:
        id_ = await new(server)

        told = frames(await ask(server, id_, "Hello"))

        assert [frame["type"] for frame in told] == ["error", "finish"]
        assert told[0]["errorText"] == NO_MODEL.problem
        assert await read(server, id_) == []


async def test_a_session_has_one_turn_at_a_time(server: RestServer) -> None:
    id_ = await new(server)
    first = asyncio.create_task(ask(server, id_, "One"))
    await run_of(server, id_)

    async with asyncio.timeout(10):  # one that is accepted would be answered by nobody
        second = await ask(server, id_, "Two")
    await answer(server, id_, {"role": "assistant", "content": "1"})

    assert second.status_code == 409
    assert frames(await first)[-1] == {"type": "finish"}
    assert [one["content"] for one in await read(server, id_)] == ["One", "1"]


async def test_the_same_key_is_one_turn_and_is_told_from_its_beginning(server: RestServer) -> None:
    id_, key = await new(server), {"Idempotency-Key": "k"}
    first, _ = await asyncio.gather(
        ask(server, id_, "One", headers=key),
        answer(server, id_, {"role": "assistant", "content": "1"}),
    )

    again = await ask(server, id_, "One", headers=key)

    assert frames(again) == frames(first)
    assert len(await read(server, id_)) == 2


async def test_what_the_client_puts_in_the_assistants_mouth_is_its(server: RestServer) -> None:
    id_ = await new(server)
    await asyncio.gather(
        ask(server, id_, "It is set up.", body={"is_user_message": False}),
        answer(server, id_, {"role": "assistant", "content": "Good."}),
    )

    assert [one["role"] for one in await read(server, id_)] == ["assistant", "assistant"]


async def test_a_turn_that_was_stopped_says_so(server: RestServer) -> None:
    id_ = await new(server)
    asked = asyncio.create_task(ask(server, id_, "One"))
    run_id = await run_of(server, id_)

    await server.end_run(run_id, Status.TERMINATED)

    [error, _] = frames(await asked)
    assert (error["type"], error["code"]) == ("error", "TURN_STOPPED")


async def test_a_turn_that_waits_for_a_budget_says_so(server: RestServer) -> None:
    id_ = await new(server)
    asked = asyncio.create_task(ask(server, id_, "One"))
    run_id = await run_of(server, id_)

    server.store.change(("UPDATE executions SET status = 'REVIEW' WHERE id = ?", (run_id,)))

    [error, _] = frames(await asked)
    assert (error["type"], error["code"]) == ("error", "TURN_WAITS")
    assert (await ask(server, id_, "Two")).status_code == 409


async def test_a_server_that_stops_ends_its_streams_and_says_so(server: RestServer) -> None:
    id_, stopping = await new(server), asyncio.Event()
    serving = asyncio.create_task(server.context.chats.serve(stopping))
    asked = asyncio.create_task(ask(server, id_, "One"))
    await run_of(server, id_)

    stopping.set()

    [error, _] = frames(await asked)
    assert (error["type"], error["code"]) == ("error", "SERVER_STOPS")
    await serving


async def test_a_turn_is_in_no_list_of_runs(server: RestServer) -> None:
    id_ = await new(server)
    await asyncio.gather(
        ask(server, id_, "One"), answer(server, id_, {"role": "assistant", "content": "1"})
    )

    assert (await server.ask("GET", "/api/executions")).json() == []
    page = await server.ask("GET", f"/api/graphs/{GRAPH_ID}/executions")
    assert page.json()["executions"] == []
    assert (await server.ask("GET", "/api/graphs")).json() == []
    assert (await server.ask("GET", f"/api/graphs/{GRAPH_ID}")).status_code == 404
    assert (await server.ask("POST", f"/api/graphs/{GRAPH_ID}/execute", {})).status_code == 400


async def test_somebody_elses_session_is_like_none(server: RestServer) -> None:
    id_ = await new(server)

    theirs = await ask(server, id_, "Hello", user=BOB)
    none = await ask(server, "none", "Hello", user=BOB)

    assert (theirs.status_code, none.status_code) == (404, 404)
    assert theirs.json()["detail"].replace(id_, "none") == none.json()["detail"]
    assert (await server.ask("GET", SESSIONS, user=BOB)).json() == {"sessions": [], "total": 0}


#: What is wrong, the request, its status, and a word of the answer.
REQUESTS: Final[list[tuple[str, str, str, Any, int, str]]] = [
    ("a page of none", "GET", f"{SESSIONS}?limit=0", None, 422, "greater than or equal"),
    ("a large page", "GET", f"{SESSIONS}?limit=101", None, 422, "less than or equal"),
    ("before the first", "GET", f"{SESSIONS}?offset=-1", None, 422, "greater than or equal"),
    ("a word for a number", "GET", f"{SESSIONS}?limit=x", None, 422, "integer"),
    ("no session", "GET", f"{SESSIONS}/x", None, 404, "Session x"),
    ("a question in none", "POST", f"{SESSIONS}/x/stream", {"message": "a"}, 404, "Session x"),
    ("no body", "POST", f"{SESSIONS}/x/stream", None, 422, "Field required"),
    ("no message", "POST", f"{SESSIONS}/x/stream", {}, 422, "message"),
    ("a context of numbers", "POST", f"{SESSIONS}/x/stream", {"message": "a", "context": {"a": 1}},
     422, "string"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [case[1:] for case in REQUESTS],
    ids=[case[0] for case in REQUESTS],
)
async def test_what_is_wrong_is_told(
    server: RestServer, method: str, path: str, body: Any, status: int, says: str
) -> None:
    response = await server.ask(method, path, body)

    assert response.status_code == status
    assert says in response.text


async def test_a_message_has_a_limit(server: RestServer) -> None:
    id_ = await new(server)

    response = await ask(server, id_, "x" * (service.MAX_MESSAGE + 1))

    assert response.status_code == 413
    assert await read(server, id_) == []


async def test_nobody_watches_more_turns_than_they_may(server: RestServer) -> None:
    sessions = [await new(server) for _ in range(4)]
    open_ = [asyncio.create_task(ask(server, id_, "Hello")) for id_ in sessions[:3]]
    for id_ in sessions[:3]:
        await run_of(server, id_)

    fourth = await ask(server, sessions[3], "Hello")

    assert fourth.status_code == 429
    assert await read(server, sessions[3]) == []
    for id_ in sessions[:3]:
        await answer(server, id_)
    await asyncio.gather(*open_)

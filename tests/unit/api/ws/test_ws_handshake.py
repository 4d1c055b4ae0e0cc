"""Who may open a socket, and the pages beside it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from backend.api.ws.client import Limits
from backend.api.ws.origins import Origins
from backend.core.errors import BadSetting
from backend.core.ids import DEFAULT_USER_ID
from tests.unit.api.ws.ws_server import LIMIT_S, WSServer, ws_server


@pytest.fixture
async def server() -> AsyncIterator[WSServer]:
    async with ws_server() as made:
        yield made


async def status_of(server: WSServer, query: str, origin: str | None = None) -> int:
    """Say how a handshake is answered; 101 means that the socket is open."""
    url = f"ws://127.0.0.1:{server.port}/ws{query}"
    try:
        async with connect(url, origin=None if origin is None else Origin(origin)):
            return 101
    except InvalidStatus as exc:
        return exc.response.status_code


@pytest.mark.parametrize(
    "query",
    ["", "?token=", "?token=wrong", "?TOKEN=token-ann", "?token=%00%ff", "?other=token-ann"],
)
async def test_without_a_good_token_the_handshake_is_refused(server: WSServer, query: str) -> None:
    assert await status_of(server, query) == 403
    assert await server.metric("sockets") == 0


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),  # no browser
        ("http://localhost:3000", 101),
        ("http://127.0.0.1:3000", 101),  # its twin
        ("http://localhost:3001", 403),
        ("https://localhost:3000", 403),
        ("http://localhost:3000.evil.example", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("https://app7.example.com", 101),
        ("https://app7.example.com.evil.example", 403),
    ],
)
async def test_pages_of_others_cannot_open_a_socket(origin: str | None, status: int) -> None:
    """Not even with a good token, and not where nobody signs in."""
    allowed = ("http://localhost:3000", r"regex:https://app\d\.example\.com")
    async with ws_server(allowed_origins=allowed, everybody=DEFAULT_USER_ID) as server:
        assert await status_of(server, "?token=token-ann", origin) == status


async def test_without_sign_in_every_socket_is_the_owners() -> None:
    async with ws_server(everybody=DEFAULT_USER_ID) as server:
        run = await server.new_run(user=DEFAULT_USER_ID)
        async with server.connect("whoever") as client:
            answer = await client.ask("subscribe_graph_execution", {"graph_exec_id": run.id})

            assert answer["channel"] == f"{DEFAULT_USER_ID}|graph_exec#{run.id}"


async def test_one_user_cannot_take_all_sockets() -> None:
    async with ws_server(Limits(sockets_per_user=2)) as server:
        async with server.connect("ann"), server.connect("ann"):
            assert await status_of(server, "?token=token-ann") == 429
            assert await status_of(server, "?token=token-bob") == 101

        async with asyncio.timeout(LIMIT_S):
            while await status_of(server, "?token=token-ann") != 101:
                pass


async def test_the_pages_beside_it(server: WSServer) -> None:
    assert await server.get("/") == (200, '{"status":"healthy"}')
    assert await server.get("/health") == (200, '{"status":"healthy"}')
    assert await server.get("/health/live") == (200, '{"status":"alive"}')
    assert (await server.get("/nothing"))[0] == 404
    assert "agpt_ws_sockets 0" in (await server.get("/metrics"))[1]


async def test_metrics_need_a_token_where_others_can_reach_them() -> None:
    async with ws_server(metrics_open=False, metrics=lambda: "more 1\n") as server:
        assert (await server.get("/metrics"))[0] == 401
        assert (await server.get("/metrics", "Authorization: Bearer wrong\r\n"))[0] == 401
        status, text = await server.get("/metrics", "Authorization: Bearer token-ann\r\n")

        assert (status, text.endswith("more 1\n")) == (200, True)


def test_a_pattern_that_cannot_be_used_is_named() -> None:
    with pytest.raises(BadSetting, match="BACKEND_CORS_ALLOW_ORIGINS"):
        Origins(["regex:("])

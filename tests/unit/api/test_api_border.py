"""What every request passes: headers, limits, compression, other origins, errors of ours."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from backend.api.context import Health
from backend.api.errors import STATUSES, status_of
from backend.core import errors
from backend.core.errors import AgentServerError
from tests.contract.rest_server import RestServer, rest_server


async def test_every_answer_has_the_security_headers(server: RestServer) -> None:
    for path in ("/api/graphs", "/api/nothing", "/health", "/api/blocks"):
        response = await server.client.get(path)

        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["X-XSS-Protection"] == "1; mode=block"
        assert response.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/api/blocks", True), ("/openapi.json", True), ("/api/graphs", False), ("/health", False)],
)
async def test_only_what_is_the_same_for_all_may_be_kept(
    server: RestServer, path: str, *, kept: bool
) -> None:
    response = await server.ask("GET", path)

    assert ("no-store" in response.headers.get("Cache-Control", "")) is not kept


async def test_running_a_block_is_never_kept_although_the_list_of_blocks_is(
    server: RestServer,
) -> None:
    response = await server.ask("POST", "/api/blocks/unknown/execute", {})

    assert "no-store" in response.headers["Cache-Control"]


async def test_long_answers_are_compressed_and_short_ones_are_not(server: RestServer) -> None:
    headers = {"Accept-Encoding": "gzip"}

    long = await server.ask("GET", "/openapi.json", headers=headers)
    short = await server.ask("GET", "/api/graphs", headers=headers)

    assert long.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in short.headers


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:3000"])
async def test_the_known_origin_and_its_twin_may_ask(server: RestServer, origin: str) -> None:
    response = await server.ask("GET", "/api/graphs", headers={"Origin": origin})

    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Access-Control-Allow-Credentials"] == "true"


async def test_other_origins_are_not_named(server: RestServer) -> None:
    response = await server.ask("GET", "/api/graphs", headers={"Origin": "http://evil.example"})

    assert "Access-Control-Allow-Origin" not in response.headers


async def test_an_origin_may_be_given_as_a_pattern() -> None:
    pattern = r"regex:https://[a-z]+\.example\.com"
    async with rest_server(cors_origins=(pattern,)) as server:
        good = await server.ask("GET", "/health", headers={"Origin": "https://app.example.com"})
        bad = await server.ask("GET", "/health", headers={"Origin": "https://app.example.com.evil"})

    assert good.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Origin" not in bad.headers


@pytest.fixture
async def narrow() -> AsyncIterator[RestServer]:
    """A server that takes bodies of 1,000 bytes."""
    async with rest_server(body_limit_bytes=1_000) as made:
        yield made


async def test_a_body_over_the_limit_is_413(narrow: RestServer) -> None:
    response = await narrow.ask("POST", "/api/graphs", {"graph": "x" * 1_000})

    assert response.status_code == 413
    assert "limit of 1000 bytes" in response.json()["detail"]


@pytest.mark.parametrize("path", ["/api/graphs", "/api/graphs/g/execute/1"])
async def test_a_body_over_the_limit_that_does_not_say_its_length_is_413(
    narrow: RestServer, path: str
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    response = await narrow.ask("POST", path, content=body(), headers=headers)

    assert response.status_code == 413
    assert "limit of 1000 bytes" in response.text


@pytest.mark.parametrize("length", ["-1", "ten", "1" * 30, "0x10"])
async def test_a_length_that_is_no_number_is_400(server: RestServer, length: str) -> None:
    headers = {"Content-Length": length}

    response = await server.ask("POST", "/api/graphs", content=b"{}", headers=headers)

    assert response.status_code == 400


async def test_a_failure_of_ours_is_500_and_betrays_nothing(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(server.context.graphs, "listed", broken)

    response = await server.ask("GET", "/api/graphs")

    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["X-Request-Id"] in response.json()["detail"]
    assert response.json()["message"] == "Failed to process GET /api/graphs"


def test_every_error_of_ours_has_a_status() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, AgentServerError)
    ]

    nearest = {
        kind: next(STATUSES[one] for one in kind.__mro__ if one in STATUSES) for kind in kinds
    }

    assert nearest[errors.GraphInvalid] == 400
    assert nearest[errors.BlockExecutionError] == 400
    assert nearest[errors.NotAllowed] == 403
    assert nearest[errors.NotFound] == 404
    assert nearest[errors.Unavailable] == 503
    assert status_of(errors.StillStopping()) == 504


async def test_health_is_503_while_something_is_missing() -> None:
    async with rest_server() as server:

        async def unwell() -> Health:
            return Health(ready=False, details={"storage": "it does not answer"})

        server.app.state.context = replace(server.context, health=unwell)
        response = await server.client.get("/health")

    assert response.status_code == 503
    assert response.json() == {"status": "unhealthy", "storage": "it does not answer"}


async def test_health_and_life_need_no_token(server: RestServer) -> None:
    assert (await server.client.get("/health")).json()["status"] == "healthy"
    assert (await server.client.get("/health/live")).json() == {"status": "alive"}


async def test_metrics_need_a_token_where_others_can_ask(server: RestServer) -> None:
    stranger = await server.client.get("/metrics")
    ann = await server.ask("GET", "/metrics")

    assert stranger.status_code == 401
    assert ann.text == "agpt_up 1\n"
    assert ann.headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_metrics_are_open_on_loopback() -> None:
    async with rest_server() as server:
        server.app.state.context = replace(server.context, metrics_open=True)

        response = await server.client.get("/metrics")

    assert response.status_code == 200


async def test_a_trailing_slash_is_redirected(server: RestServer) -> None:
    response = await server.ask("GET", "/api/graphs/")

    assert response.status_code == 307

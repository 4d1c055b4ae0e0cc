"""SendWebRequest asks once, through the guarded client, and sorts the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from backend.blocks.web.send_web_request import SendWebRequestBlock
from backend.core.errors import BlockExecutionError, WebRefused
from backend.ports.web import Body, FormBody, JsonBody, WebFile, WebLimits, WebResponse
from backend.sdk import Effect, spec_of
from backend.testing.blocks import CONTEXT, outputs_of

URL = "https://api.example.com/things"


def answer(status: int, content: bytes = b"", media_type: str = "application/json") -> WebResponse:
    return WebResponse(
        status=status, headers=(("content-type", media_type),), content=content, url=URL
    )


@dataclass
class Server:
    """Answers as it is told, and remembers what it was asked."""

    answer: WebResponse | Exception
    asked: list[tuple[str, str, dict[str, str], Body | None]] = field(default_factory=list)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limits: WebLimits | None = None,
        trusted_origins: Sequence[str] = (),
        secret_headers: Sequence[str] = (),
    ) -> WebResponse:
        assert limits is None
        assert not trusted_origins
        assert not secret_headers
        self.asked.append((method, url, dict(headers or {}), body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def aclose(self) -> None:
        """Nothing to close."""


async def ask(server: Server, **inputs: Any) -> list[tuple[str, Any]]:
    context = replace(CONTEXT, web=server, idempotency_key="key-1")
    return await outputs_of(SendWebRequestBlock(), {"url": URL, **inputs}, context)


@pytest.mark.parametrize(
    ("given", "outputs"),
    [
        (answer(200, b'{"a": 1}'), [("response", {"a": 1})]),
        (answer(201, b"null"), [("response", None)]),
        (answer(204), [("response", None)]),
        (answer(200, b"<p>", "text/html; charset=utf-8"), [("response", "<p>")]),
        (answer(200, b"[]", "application/problem+json"), [("response", [])]),
        (answer(404, b'{"no": true}'), [("client_error", {"no": True})]),
        (answer(503, b"busy", "text/plain"), [("server_error", "busy")]),
        (answer(304, b"", "text/plain"), [("server_error", "")]),
    ],
)
async def test_the_answer_comes_out_where_its_status_says(
    given: WebResponse, outputs: list[tuple[str, Any]]
) -> None:
    assert await ask(Server(given)) == outputs


@pytest.mark.parametrize(("method", "keyed"), [("POST", True), ("PATCH", True), ("PUT", False),
                                               ("GET", False), ("DELETE", False)])  # fmt: skip
async def test_what_must_not_happen_twice_carries_a_key(method: str, *, keyed: bool) -> None:
    server = Server(answer(204))

    await ask(server, method=method, headers={"X-A": "1"})

    [(asked, _, headers, _)] = server.asked
    assert asked == method
    assert headers == ({"X-A": "1", "Idempotency-Key": "key-1"} if keyed else {"X-A": "1"})


async def test_without_a_node_execution_there_is_no_key_to_send() -> None:
    server = Server(answer(204))

    await outputs_of(
        SendWebRequestBlock(), {"url": URL}, replace(CONTEXT, web=server, idempotency_key="")
    )

    assert server.asked[0][2] == {}


async def test_a_key_of_the_authors_own_stays() -> None:
    server = Server(answer(204))

    await ask(server, headers={"idempotency-key": "mine"})

    assert server.asked[0][2] == {"idempotency-key": "mine"}


@pytest.mark.parametrize(
    ("inputs", "body"),
    [
        ({}, None),
        ({"body": {"a": [1]}}, JsonBody(value={"a": [1]})),
        ({"body": {}}, JsonBody(value={})),
        ({"body": {"a": 1, "b": ["x", True], "c": None}, "json_format": False},
         FormBody(fields={"a": "1", "b": ["x", "true"]})),
        ({"files": ["data:text/plain;base64,aGk="], "json_format": False, "files_name": "doc"},
         FormBody(files=[WebFile(name="doc", filename="file.txt", content=b"hi",
                                 media_type="text/plain")])),
    ],
)  # fmt: skip
async def test_the_body_is_sent_as_asked(inputs: dict[str, Any], body: Body | None) -> None:
    server = Server(answer(204))

    await ask(server, **inputs)

    assert server.asked[0][3] == body


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"files": ["/etc/passwd"], "json_format": False}, "is no file"),
        ({"files": ["data:text/plain;base64,%%%"], "json_format": False}, "not valid base64"),
        ({"files": ["data:nothing"], "json_format": False}, "comma"),
    ],
)
async def test_what_is_no_file_is_refused_before_anything_is_sent(
    inputs: dict[str, Any], words: str
) -> None:
    server = Server(answer(204))

    with pytest.raises(BlockExecutionError, match=words):
        await ask(server, **inputs)

    assert server.asked == []


async def test_a_refused_address_fails_the_block_in_its_words() -> None:
    with pytest.raises(BlockExecutionError, match="not allowed"):
        await ask(Server(WebRefused("10.0.0.1 is not allowed")))


async def test_without_a_way_out_the_block_says_so() -> None:
    with pytest.raises(BlockExecutionError, match="no way out"):
        await outputs_of(SendWebRequestBlock(), {"url": URL})


@pytest.mark.parametrize(
    ("inputs", "effect"),
    [
        ({}, Effect.KEYED),
        ({"method": "POST"}, Effect.KEYED),
        ({"method": "PATCH"}, Effect.KEYED),
        ({"method": "GET"}, Effect.READ),
        ({"method": "PUT"}, Effect.IDEMPOTENT),
    ],
)
def test_the_method_decides_what_running_twice_would_do(
    inputs: dict[str, Any], effect: Effect
) -> None:
    assert spec_of(SendWebRequestBlock).effect_with(inputs) is effect

"""What every `WebClient` promises, run over the guarded one."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from backend.adapters.web import GuardedWebClient
from backend.core.errors import BadSetting, WebFailed, WebRefused
from backend.ports.web import JsonBody, WebClient, WebResponse


class WebClientSpec:
    """Answers come from `origin`: a server that sends each request back as its body."""

    async def test_an_answer_comes_back_whole(self, client: WebClient, origin: str) -> None:
        answer = await client.send("post", f"{origin}/x", body=JsonBody(value={"a": [1, None]}))

        assert answer.ok
        assert answer.text().startswith("POST /x HTTP/1.1")
        assert answer.text().endswith('{"a":[1,null]}')
        assert answer.header("X-Twice") == "1"
        assert [value for name, value in answer.headers if name == "x-twice"] == ["1", "2"]

    async def test_a_status_of_failure_is_an_answer_too(
        self, client: WebClient, origin: str
    ) -> None:
        answer = await client.send("GET", f"{origin}/404")

        assert (answer.status, answer.ok) == (404, False)

    async def test_what_is_not_outside_is_refused(self, client: WebClient) -> None:
        with pytest.raises(WebRefused):
            await client.send("GET", "http://169.254.169.254/latest/meta-data")

    async def test_a_closed_door_is_a_failure(self, client: WebClient, closed: str) -> None:
        with pytest.raises(WebFailed):
            await client.send("GET", closed)

    async def test_trust_that_cannot_be_understood_is_a_bad_setting(
        self, client: WebClient, origin: str
    ) -> None:
        with pytest.raises(BadSetting):
            await client.send("GET", origin, trusted_origins=["*"])


class TestGuardedWebClient(WebClientSpec):
    @pytest.fixture
    async def origin(self) -> AsyncIterator[str]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got = await reader.readuntil(b"\r\n\r\n")
            if b"content-length" in got.lower():
                got += await reader.readuntil(b"}")
            status = b"404" if got.startswith(b"GET /404") else b"200"
            head = (
                b"HTTP/1.1 " + status + b" X\r\nX-Twice: 1\r\nX-Twice: 2\r\nConnection: close\r\n"
            )
            writer.write(head + b"\r\n" + got)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(echo, "127.0.0.1", 0) as listener:
            yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"

    @pytest.fixture
    async def closed(self) -> str:
        async with await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/"

    @pytest.fixture
    async def client(self) -> AsyncIterator[WebClient]:
        made = GuardedWebClient(["127.0.0.1"], tls=ssl.create_default_context())
        yield made
        await made.aclose()


@pytest.mark.parametrize("charset", ["latin-1", '"ISO-8859-1"; x=y'])
def test_text_is_read_in_its_charset(charset: str) -> None:
    headers = (("content-type", f"text/plain; charset={charset}"),)

    assert WebResponse(status=200, headers=headers, content=b"\xe4", url="http://a/").text() == "ä"


def test_a_body_that_is_no_json_is_a_failure_and_names_no_path() -> None:
    answer = WebResponse(status=200, headers=(), content=b"<", url="http://a:1/secret")

    with pytest.raises(WebFailed, match=r"http://a:1 is not JSON"):
        answer.json()

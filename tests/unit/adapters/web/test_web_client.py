"""The web client against a real server on loopback, which only an allow-list opens."""

import ssl
import subprocess
import sys

import httpx2
import pytest
from web_server import Maker, Server, answer_of

from backend.adapters.web import GuardedWebClient
from backend.core.errors import WebFailed, WebRefused
from backend.ports.web import FormBody, JsonBody, RawBody, WebFile, WebLimits


async def test_loopback_is_refused_and_nothing_is_dialled(server: Server, make: Maker) -> None:
    with pytest.raises(WebRefused, match="loopback"):
        await make().send("GET", server.url())

    assert server.connections == 0


async def test_the_operators_list_opens_a_local_server(server: Server, make: Maker) -> None:
    answer = await make(f"127.0.0.1:{server.port}").send("GET", server.url("/x?y=1"))

    assert (answer.status, answer.content, answer.url) == (200, b"hello", server.url("/x?y=1"))


async def test_connections_are_reused(server: Server, make: Maker) -> None:
    client = make("127.0.0.1")

    for _ in range(5):
        await client.send("GET", server.url())

    assert server.connections == 1


async def test_a_trusted_connection_does_not_serve_a_call_without_trust(
    server: Server, make: Maker
) -> None:
    client = make()
    await client.send("GET", server.url(), trusted_origins=["127.0.0.1"])

    with pytest.raises(WebRefused):
        await client.send("GET", server.url())

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "file:///etc/passwd",
        "a.example",
        "//a.example",
        "http://",
        "http:///x",
        "http://u:p@a.example/",
        "http://a.example\\@127.0.0.1/",
        "http://a.example:22/",
        "http://a.example:6379/",
        "http://a.example:0/",
        "http://a.example:99999/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://a_b.example/",
        "http://a b/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://169.254.169.254/latest/",
        "http://a.example/\n",
        "http://a%2eb/",
        "http://127\u30020.0.1/",
        "http://127。0。0。1/",
        "http://a.example/" + "x" * 20000,
    ],
)
async def test_an_address_that_may_not_be_called_is_refused(url: str, make: Maker) -> None:
    async def public(host: str, port: int) -> list[str]:
        raise AssertionError(host)

    with pytest.raises(WebRefused):
        await make(resolver=public).send("GET", url)


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "G T", "", "GET\r\n"])
async def test_a_method_that_cannot_be_used_is_refused(method: str, make: Maker) -> None:
    with pytest.raises(WebRefused):
        await make().send(method, "http://a.example/")


@pytest.mark.parametrize(
    ("name", "value"),
    [("Host", "evil"), ("a\r\nb", "c"), ("a", "b\r\nc: d"), ("a b", "c"), ("a", "\0")],
)
async def test_a_header_that_would_split_or_mislead_is_refused(
    name: str, value: str, make: Maker
) -> None:
    with pytest.raises(WebRefused):
        await make().send("GET", "http://a.example/", headers={name: value})


async def test_the_name_that_was_checked_is_not_looked_up_again(
    server: Server, make: Maker
) -> None:
    """A name that answers well once and badly ever after is dialled where it was checked."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    client = make(f"a.example:{server.port}", resolver=rebinding)
    answer = await client.send("GET", server.url(host="a.example"))

    assert answer.content == b"hello"
    assert len(answers) == 1
    assert f"host: a.example:{server.port}".encode() in server.requests[0].lower()


async def test_a_name_that_turns_private_is_refused_on_its_next_connection(
    server: Server, make: Maker
) -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with pytest.raises(WebRefused, match="loopback"):
        await make(resolver=rebinding).send("GET", server.url(host="a.example"))

    assert (asked, server.connections) == (["a.example"], 0)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{other}/",
        "http://169.254.169.254/",
        "http://[::1]/",
        "//10.0.0.1/",
        "file:///x",
        "http://0x7f.1/",
        "http://u:p@a.example/",
        "http://localhost:1/",
        "gopher://a/",
    ],
)
async def test_a_redirect_to_a_private_address_is_refused(
    location: str, server: Server, make: Maker
) -> None:
    place = location.format(other=server.port + 1 if server.port < 65535 else 9999)
    server.answers["/"] = answer_of(b"", f"Location: {place}", status=302)

    with pytest.raises(WebRefused):
        await make(f"http://127.0.0.1:{server.port}").send("GET", server.url())

    assert len(server.requests) == 1


async def test_redirects_end_at_the_limit(server: Server, make: Maker) -> None:
    server.answers["/"] = answer_of(b"", "Location: /", status=302)

    with pytest.raises(WebFailed, match="too often"):
        await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(max_redirects=99))

    assert len(server.requests) == 11


async def test_without_redirects_the_redirect_itself_is_the_answer(
    server: Server, make: Maker
) -> None:
    server.answers["/"] = answer_of(b"", "Location: /there", status=302)

    answer = await make("127.0.0.1").send("GET", server.url(), limits=WebLimits(max_redirects=0))

    assert (answer.status, answer.header("Location")) == (302, "/there")


SECRETS = {"Authorization": "s3cr3t", "Cookie": "s3cr3t", "Proxy-Authorization": "s3cr3t"}
MORE_SECRETS = {"X-Api-Key": "s3cr3t", "X-Marked": "s3cr3t", "X-Plain": "plain"}


async def test_credentials_stay_behind_when_a_redirect_leaves_the_origin(
    server: Server, make: Maker
) -> None:
    async def local(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    server.answers["/"] = answer_of(b"", f"Location: {server.url('/b', 'b.example')}", status=307)
    server.answers["/b"] = answer_of(b"", f"Location: {server.url('/c', 'a.example')}", status=307)
    client = make("a.example", "b.example", resolver=local)

    await client.send(
        "GET",
        server.url(host="a.example"),
        headers=SECRETS | MORE_SECRETS,
        secret_headers=["x-marked"],
    )

    first, second, third = server.requests
    assert first.count(b"s3cr3t") == 5
    assert b"s3cr3t" not in second + third
    assert b"plain" in third


async def test_credentials_stay_within_the_origin(server: Server, make: Maker) -> None:
    server.answers["/"] = answer_of(b"", "Location: /b", status=302)

    await make("127.0.0.1").send("GET", server.url(), headers=SECRETS)

    assert server.requests[1].count(b"s3cr3t") == 3


@pytest.mark.parametrize(
    ("status", "method", "second"),
    [(301, "POST", b"GET"), (303, "PUT", b"GET"), (307, "POST", b"POST"), (302, "PUT", b"PUT")],
)
async def test_a_redirect_changes_the_method_as_browsers_do(
    status: int, method: str, second: bytes, server: Server, make: Maker
) -> None:
    server.answers["/"] = answer_of(b"", "Location: /b", status=status)

    await make("127.0.0.1").send(method, server.url(), body=JsonBody(value={"a": 1}))

    assert server.requests[1].startswith(second)
    assert server.requests[1].endswith(b'{"a":1}') is (second != b"GET")


async def test_cookies_are_not_kept_for_the_next_caller(server: Server, make: Maker) -> None:
    server.answers["/"] = answer_of(b"", "Set-Cookie: a=b")
    client = make("127.0.0.1")

    await client.send("GET", server.url())
    await client.send("GET", server.url())

    assert b"cookie" not in server.requests[1].lower()


async def test_the_environments_proxies_are_not_used(
    server: Server, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    answer = await make("127.0.0.1").send("GET", server.url())

    assert answer.status == 200


async def test_bodies_of_every_kind_arrive(server: Server, make: Maker) -> None:
    client = make("127.0.0.1")
    file = WebFile(name="f", filename="a.txt", content=b"inside", media_type="text/plain")

    await client.send("POST", server.url(), body=RawBody(content=b"raw", media_type="text/x"))
    await client.send("POST", server.url(), body=FormBody(fields={"a": ["1", "2"]}))
    await client.send("POST", server.url(), body=FormBody(fields={"a": "1"}, files=[file]))

    raw, form, multipart = server.requests
    assert raw.endswith(b"raw")
    assert b"text/x" in raw
    assert form.endswith(b"a=1&a=2")
    assert b'filename="a.txt"' in multipart
    assert b"inside" in multipart


async def test_a_certificate_is_always_verified() -> None:
    loose = ssl.create_default_context()
    loose.check_hostname = False
    loose.verify_mode = ssl.CERT_NONE

    with pytest.raises(WebRefused):
        GuardedWebClient(tls=loose)


async def test_a_library_with_its_own_client_is_guarded_too(server: Server, make: Maker) -> None:
    server.answers["/"] = answer_of(b"", "Location: http://10.0.0.1/", status=302)
    client = make(f"127.0.0.1:{server.port}")

    async with httpx2.AsyncClient(transport=await client.transport(), trust_env=False) as own:
        assert (await own.get(server.url("/ok"))).text == "hello"
        with pytest.raises(WebRefused):
            await own.get(server.url(), follow_redirects=True)


async def test_closing_twice_is_harmless(server: Server, make: Maker) -> None:
    client = make("127.0.0.1")
    await client.send("GET", server.url())

    await client.aclose()
    await client.aclose()


def test_importing_the_adapter_does_not_load_the_http_library() -> None:
    code = "import sys, backend.adapters.web; sys.exit('httpx2' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

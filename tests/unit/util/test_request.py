"""Retries and errors by status, over a client that answers from a list."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backend.core.errors import (
    WebClientError,
    WebFailed,
    WebRefused,
    WebServerError,
    WebTooLarge,
)
from backend.ports.web import FormBody, JsonBody, RawBody, WebResponse
from backend.util.request import Requests, Retry


def answer(status: int = 200, content: bytes = b"{}", **headers: str) -> WebResponse:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return WebResponse(status=status, headers=pairs, content=content, url="http://a.example/secret")


class Listed:
    """Gives the listed answers in turn and remembers the calls."""

    def __init__(self, *answers: WebResponse | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[Mapping[str, Any]] = []
        self.waits: list[float] = []

    async def send(self, method: str, url: str, **options: Any) -> WebResponse:
        self.calls.append({"method": method, "url": url, **options})
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    async def aclose(self) -> None:
        return

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)

    def requests(self, **options: Any) -> Requests:
        return Requests(client=self, pause=self.pause, **options)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_failure_is_tried_again(status: int) -> None:
    client = Listed(answer(status), answer(status), answer())

    response = await client.requests().get("http://a.example/")

    assert (response.status, response.ok, response.json()) == (200, True, {})
    assert len(client.waits) == 2


@pytest.mark.parametrize(("status", "error"), [(503, WebServerError), (429, WebClientError)])
async def test_three_tries_are_all(status: int, error: type[Exception]) -> None:
    client = Listed(*[answer(status)] * 9)

    with pytest.raises(error):
        await client.requests().get("http://a.example/")

    assert len(client.calls) == 3


async def test_a_broken_connection_is_tried_again_and_a_refusal_or_a_giant_is_not() -> None:
    broken = Listed(WebFailed(), answer())
    refused = Listed(WebRefused(), answer())
    giant = Listed(WebTooLarge(), answer())

    assert (await broken.requests().get("http://a.example/")).ok
    with pytest.raises(WebRefused):
        await refused.requests().get("http://a.example/")
    with pytest.raises(WebTooLarge):
        await giant.requests().get("http://a.example/")


@pytest.mark.parametrize("method", ["post", "patch"])
async def test_what_may_not_be_done_twice_is_sent_once_unless_it_has_a_key(method: str) -> None:
    bare, keyed = Listed(WebFailed(), answer()), Listed(WebFailed(), answer())

    with pytest.raises(WebFailed):
        await getattr(bare.requests(), method)("http://a.example/")
    key = {"idempotency-KEY": "1"}
    assert (await getattr(keyed.requests(), method)("http://a.example/", headers=key)).ok


async def test_retry_after_is_honoured_up_to_a_cap() -> None:
    soon = Listed(answer(429, retry_after="7"), answer())
    later = Listed(answer(429, retry_after="3600"), answer())
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=9))
    dated = Listed(answer(503, retry_after=date), answer())

    await soon.requests().get("http://a.example/")
    await dated.requests().get("http://a.example/")
    with pytest.raises(WebClientError):
        await later.requests().get("http://a.example/")

    assert soon.waits == [7.0]
    assert 5 < dated.waits[0] <= 9


async def test_waits_grow_within_their_cap() -> None:
    client = Listed(*[answer(500)] * 5, answer())
    retry = Retry(tries=6, first_wait_s=1, max_wait_s=4)

    await client.requests(retry=retry).get("http://a.example/")

    assert all(w / 2 <= wait <= w for wait, w in zip(client.waits, [1, 2, 4, 4, 4], strict=True))


async def test_an_error_says_status_and_reason_but_not_the_path() -> None:
    client = Listed(answer(404, b"no such\nthing" + b"x" * 9999))

    with pytest.raises(WebClientError) as caught:
        await client.requests().get("http://a.example/secret")

    assert caught.value.status == 404
    assert "HTTP 404: no such thing" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_a_failure_is_an_answer_when_asked_so() -> None:
    client = Listed(answer(404))

    response = await client.requests(raise_for_status=False).get("http://a.example/")

    assert (response.status, response.ok) == (404, False)


async def test_headers_bodies_and_trust_are_passed_on() -> None:
    client = Listed(*[answer()] * 3)
    requests = client.requests(trusted_origins=["localhost:1"], extra_headers={"A": "1", "B": "2"})

    await requests.put("http://a.example/", json={"x": 1}, headers={"a": "3"})
    await requests.post("http://a.example/", data={"f": "1"})
    await requests.delete("http://a.example/", data="raw")

    assert client.calls[0]["headers"] == {"B": "2", "a": "3"}
    assert client.calls[0]["trusted_origins"] == ("localhost:1",)
    assert [call["body"] for call in client.calls] == [
        JsonBody(value={"x": 1}),
        FormBody(fields={"f": "1"}),
        RawBody(content=b"raw"),
    ]


async def test_without_a_given_client_it_is_guarded_by_itself() -> None:
    for method in ("get", "head", "options"):
        with pytest.raises(WebRefused):
            await getattr(Requests(), method)("http://127.0.0.1/")

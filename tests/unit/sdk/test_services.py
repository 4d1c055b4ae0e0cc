"""A service is called at one address, shows credentials as it must, and is quoted briefly."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from backend.core.errors import (
    BadRequest,
    ServiceLimited,
    WebClientError,
    WebFailed,
    WebServerError,
    WebTimedOut,
)
from backend.ports.web import Body, WebLimits, WebResponse
from backend.sdk import BlockContext
from backend.sdk.services import Service, pages, path_of, until
from backend.testing.blocks import CONTEXT, MOMENT
from backend.testing.standin.server import KeyLender

KEY = {"id": "mine", "provider": "post", "type": "api_key"}
#: A minute from now, in seconds since 1970.
SOON = int(MOMENT.timestamp()) + 60
POST = Service(provider="post", name="Post", url="https://post.example.com/v1")


@dataclass
class Web:
    """Answers as it is told, and remembers what it was asked."""

    status: int = 200
    content: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

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
        self.asked.append(
            {
                "method": method,
                "url": url,
                "headers": dict(headers or {}),
                "body": body,
                "limits": limits,
                "trusted": tuple(trusted_origins),
                "secret": tuple(secret_headers),
            }
        )
        return WebResponse(
            status=self.status, headers=tuple(self.headers.items()), content=self.content, url=url
        )

    async def aclose(self) -> None:
        """Nothing to close."""


def here(web: Web, **facts: Any) -> BlockContext:
    return replace(CONTEXT, web=web, lender=KeyLender(), redactor=None, **facts)


@pytest.mark.parametrize(
    ("service", "url", "headers"),
    [
        (POST, "https://post.example.com/v1/a?b=1", {"Authorization": "Bearer stand-in-key"}),
        (replace(POST, header="X-Key"), "https://post.example.com/v1/a?b=1",
         {"X-Key": "stand-in-key"}),
        (replace(POST, query="key"), "https://post.example.com/v1/a?b=1&key=stand-in-key", {}),
    ],
)  # fmt: skip
async def test_credentials_are_shown_where_the_service_looks(
    service: Service, url: str, headers: dict[str, str]
) -> None:
    web = Web()

    await service.calls(here(web), KEY).object("GET", "a", query={"b": 1, "c": None})

    [asked] = web.asked
    assert (asked["url"], asked["headers"]) == (url, headers)
    assert asked["secret"] == tuple(headers)
    assert asked["trusted"] == ()


async def test_an_operators_address_stands_before_the_services_own_and_is_trusted() -> None:
    web = Web()
    context = here(web, base_urls={"post": "http://127.0.0.1:9000/p/"})

    await POST.calls(context).object("GET", "a")
    await replace(POST, place="eu").calls(context).object("GET", "/a")

    assert [asked["url"] for asked in web.asked] == [
        "http://127.0.0.1:9000/p/a",
        "http://127.0.0.1:9000/p/eu/a",
    ]
    assert {asked["trusted"] for asked in web.asked} == {("http://127.0.0.1:9000",)}


async def test_a_service_without_an_address_asks_the_operator_for_one() -> None:
    with pytest.raises(BadRequest, match="PROVIDER_BASE_URLS, 'post'"):
        await replace(POST, url="").calls(here(Web())).object("GET", "a")


async def test_the_key_of_the_node_execution_is_sent_when_asked_for() -> None:
    web = Web()

    await POST.calls(here(web)).json("POST", "a", value={}, key=True)

    assert web.asked[0]["headers"] == {"Idempotency-Key": CONTEXT.idempotency_key}


@pytest.mark.parametrize(
    ("status", "headers", "error", "after_s"),
    [
        (429, {}, ServiceLimited, None),
        (429, {"retry-after": "12"}, ServiceLimited, 12.0),
        (429, {"retry-after": "soon"}, ServiceLimited, None),
        (429, {"retry-after": f"{MOMENT + timedelta(seconds=30):%a, %d %b %Y %H:%M:%S} GMT"},
         ServiceLimited, 30.0),
        (503, {"retry-after": "2"}, ServiceLimited, 2.0),
        (503, {}, WebServerError, None),
        (502, {}, WebServerError, None),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(SOON)}, ServiceLimited, 60.0),
        (429, {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "5"}, ServiceLimited, 5.0),
        (403, {"x-ratelimit-remaining": "7", "x-ratelimit-reset": "5"}, WebClientError, None),
        (403, {"x-ratelimit-remaining": "many"}, WebClientError, None),
        (403, {"retry-after": "3"}, ServiceLimited, 3.0),
        (404, {}, WebClientError, None),
        (401, {}, WebClientError, None),
        (304, {}, WebFailed, None),
    ],
)  # fmt: skip
async def test_each_refusal_is_the_error_that_retries_go_by(
    status: int, headers: dict[str, str], error: type[Exception], after_s: float | None
) -> None:
    web = Web(status=status, headers=headers, content=b'{"message": "no"}')

    with pytest.raises(error, match=f"Post .*with status {status}: no") as caught:
        await POST.calls(here(web)).object("GET", "a")

    assert getattr(caught.value, "retry_after_s", None) == after_s


async def test_a_service_may_say_in_words_that_too_much_is_asked_for() -> None:
    web = Web(status=400, content=b'{"message": "no", "code": "TOO_FAST"}')
    service = replace(POST, limit_words=("TOO_FAST",))

    with pytest.raises(ServiceLimited, match="answers with status 400: no"):
        await service.calls(here(web)).object("GET", "a")


async def test_what_an_answer_must_have_is_there_or_the_answer_is_nonsense() -> None:
    calls = POST.calls(here(Web()))

    assert calls.need({"a": {"b": 1}}, int, "a", "b") == 1
    for bad in ({"a": {"b": "1"}}, {"a": 1}, {}, None):
        with pytest.raises(WebFailed, match=r"it has no a\.b"):
            calls.need(bad, int, "a", "b")


@pytest.mark.parametrize(
    ("content", "media_type", "words"),
    [
        (b'{"error": {"message": "bad key", "code": 7}}', "application/json", "bad key"),
        (b'{"errors": [{"detail": "one"}, {"detail": "two"}]}', "application/json", "one; two"),
        (b'{"error": "a\\nb\\u0007"}', "application/json", "a b"),
        (b'{"data": null}', "application/json", ""),
        (b"[" * 50_000, "application/json", ""),
        (b"just words", "text/plain", "just words"),
        (b"<html>words</html>", "text/html", ""),
        (b'{"message": "' + b"x" * 1000 + b'"}', "application/json", "x" * 299 + "…"),
        (b'{"message": "' + b"x" * 70_000 + b'"}', "application/json", ""),
    ],
)
async def test_a_service_is_quoted_briefly(content: bytes, media_type: str, words: str) -> None:
    web = Web(status=400, content=content, headers={"content-type": media_type})

    with pytest.raises(WebClientError) as caught:
        await POST.calls(here(web)).object("GET", "a")

    assert str(caught.value) == "Post answers with status 400" + (f": {words}" if words else "")


async def test_a_key_that_comes_back_is_masked() -> None:
    web = Web(status=403, content=b'{"message": "unknown key stand-in-key"}')

    with pytest.raises(WebClientError) as caught:
        await POST.calls(here(web), KEY).object("GET", "a")

    assert "stand-in-key" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<", b"[]", b"[" * 50_000])
async def test_an_answer_that_is_no_object_is_nonsense(content: bytes) -> None:
    with pytest.raises(WebFailed, match="the answer of Post cannot be used"):
        await POST.calls(here(Web(content=content))).object("GET", "a")


def test_a_path_leads_nowhere_else() -> None:
    assert path_of("users", "a/../b?c#d", 7) == "users/a%2F..%2Fb%3Fc%23d/7"
    for bad in ("", " ", ".", ".."):
        with pytest.raises(BadRequest, match="cannot stand in an address"):
            path_of("users", bad)


async def test_pages_end_at_the_limit_at_the_last_and_when_they_go_in_circles() -> None:
    async def endless(mark: int | None) -> tuple[list[int], int | None]:
        return [mark or 0] * 2, (mark or 0) + 1

    async def two(mark: int | None) -> tuple[list[int], int | None]:
        return [mark or 0], None if mark else 1

    async def circle(mark: int | None) -> tuple[list[int], int | None]:
        return [mark or 0], 1

    assert await pages(endless, most=5) == [0, 0, 1, 1, 2]
    assert len(await pages(endless, most=10**6)) == 200
    assert await pages(two, most=10) == [0, 1]
    assert await pages(circle, most=10) == [0, 1]


async def test_what_takes_its_time_is_asked_for_again_until_it_is_there_or_too_late() -> None:
    answers = iter([None, None, "there"])

    async def ask() -> str | None:
        return next(answers)

    async def never() -> str | None:
        await asyncio.sleep(0)
        return None

    assert await until(ask, every_s=0, most_s=5, what="it") == "there"
    with pytest.raises(WebTimedOut, match="the work was not done after 0 seconds"):
        await until(never, every_s=0, most_s=0.01, what="the work")

"""The guarded HTTP client under its contract name: `WebClient` with retries and errors by status."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from backend.adapters.web import GuardedWebClient
from backend.core.errors import WebClientError, WebFailed, WebServerError, WebTooLarge
from backend.ports.web import (
    Body,
    FormBody,
    JsonBody,
    RawBody,
    WebClient,
    WebFile,
    WebLimits,
    WebResponse,
)

RETRIED_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_QUOTED_LENGTH: Final = 300


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How often and how patiently a call is repeated."""

    tries: int = 3  #: in all; 1 = never repeat
    first_wait_s: float = 0.5  #: doubles with each try; a random part of it is waited
    max_wait_s: float = (
        30.0  #: also for what Retry-After asks; a server that asks more is not waited for
    )


class Response:
    """An answer, whole and decompressed."""

    def __init__(self, answer: WebResponse) -> None:
        self._answer = answer
        self.status: int = answer.status
        self.ok: bool = answer.ok
        self.content: bytes = answer.content
        self.url: str = answer.url
        #: Names in lower case; of a name that stands there twice, the values joined by a comma.
        self.headers: dict[str, str] = {}
        for name, value in answer.headers:
            known = self.headers.get(name)
            self.headers[name] = value if known is None else f"{known}, {value}"

    def text(self) -> str:
        """Return the body as text."""
        return self._answer.text()

    def json(self) -> Any:
        """Return the body read as JSON; raises `WebFailed` if it is none."""
        return self._answer.json()


class Requests:
    """
    Calls servers outside through the guard (spec/semantics.md 3.18).

    Args:
        trusted_origins: Hosts that may be private; never from user input.
        raise_for_status: Whether 4xx and 5xx raise.
        extra_headers: Sent with every call; the call's own win.
        retry: Repeats on 408, 429, 500, 502, 503, 504 and broken connections, and only what may
            be repeated: idempotent methods, and any with an Idempotency-Key header.
        client: The guarded client of this process, with the operator's allow-list. Without it,
            each call opens its own, which reaches public addresses and *trusted_origins* only.
        pause: Waits a number of seconds between tries; for tests.
    """

    def __init__(
        self,
        trusted_origins: Sequence[str] | None = None,
        *,
        raise_for_status: bool = True,
        extra_headers: Mapping[str, str] | None = None,
        retry: Retry | None = None,
        client: WebClient | None = None,
        pause: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._trusted_origins = tuple(trusted_origins or ())
        self._raise_for_status = raise_for_status
        self._extra_headers = dict(extra_headers or {})
        self._retry = retry or Retry()
        self._client = client
        self._pause = pause

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | bytes | str | None = None,
        files: Sequence[WebFile] = (),
        limits: WebLimits | None = None,
    ) -> Response:
        """
        Send one request, and again while that is safe and promising.

        Args:
            method: An HTTP method.
            url: Of scheme http or https.
            headers: Beside the extra headers.
            json: A body to send as JSON.
            data: A form, or a body to send as it is.
            files: Files of a multipart form, beside a form in *data*.
            limits: Time, size and redirects of each try.

        Raises:
            WebClientError: On 4xx, unless told otherwise.
            WebServerError: On 5xx, unless told otherwise.
            WebRefused: If the address may not be called.
            WebFailed: If there was no usable answer.
        """
        sent = _merged(self._extra_headers, headers or {})
        body = _body(json, data, files)
        async with self._opened() as client:
            call = _Call(
                client=client,
                method=method.upper(),
                url=url,
                headers=sent,
                body=body,
                limits=limits,
                trusted_origins=self._trusted_origins,
            )
            answer = await self._repeated(call)
        if self._raise_for_status:
            _raise_for_status(answer)
        return Response(answer)

    async def get(self, url: str, **options: Any) -> Response:
        """Send a GET; see `request`."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> Response:
        """Send a POST; see `request`."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> Response:
        """Send a PUT; see `request`."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> Response:
        """Send a PATCH; see `request`."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> Response:
        """Send a DELETE; see `request`."""
        return await self.request("DELETE", url, **options)

    async def head(self, url: str, **options: Any) -> Response:
        """Send a HEAD; see `request`."""
        return await self.request("HEAD", url, **options)

    async def options(self, url: str, **options: Any) -> Response:
        """Send an OPTIONS; see `request`."""
        return await self.request("OPTIONS", url, **options)

    async def _repeated(self, call: "_Call") -> WebResponse:
        tries = self._retry.tries if call.repeatable else 1
        for number in range(1, tries):
            try:
                answer = await call.once()
            except WebTooLarge:
                raise
            except WebFailed:
                await self._pause(self._wait_s(number))
                continue
            wait_s = self._wait_after(answer, number)
            if wait_s is None:
                return answer
            await self._pause(wait_s)
        return await call.once()

    def _wait_after(self, answer: WebResponse, number: int) -> float | None:
        """Return how long to wait before the next try, or None when *answer* is to be taken."""
        if answer.status not in RETRIED_STATUSES:
            return None
        asked_s = _retry_after_s(answer.header("retry-after"))
        if asked_s is None:
            return self._wait_s(number)
        return asked_s if asked_s <= self._retry.max_wait_s else None

    def _wait_s(self, number: int) -> float:
        longest_s: float = min(self._retry.first_wait_s * 2 ** (number - 1), self._retry.max_wait_s)
        return random.uniform(longest_s / 2, longest_s)  # noqa: S311 -- spreads load, hides nothing

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[WebClient]:
        if self._client is not None:
            yield self._client
            return
        client = GuardedWebClient()
        try:
            yield client
        finally:
            await client.aclose()


@dataclass(frozen=True, kw_only=True)
class _Call:
    client: WebClient
    method: str
    url: str
    headers: Mapping[str, str]
    body: Body | None
    limits: WebLimits | None
    trusted_origins: tuple[str, ...]

    @property
    def repeatable(self) -> bool:
        return self.method in _IDEMPOTENT or any(
            name.lower() == "idempotency-key" for name in self.headers
        )

    async def once(self) -> WebResponse:
        return await self.client.send(
            self.method,
            self.url,
            headers=self.headers,
            body=self.body,
            limits=self.limits,
            trusted_origins=self.trusted_origins,
        )


def _merged(first: Mapping[str, str], winning: Mapping[str, str]) -> dict[str, str]:
    won = {name.lower() for name in winning}
    return {**{name: value for name, value in first.items() if name.lower() not in won}, **winning}


def _body(
    json: Any, data: Mapping[str, Any] | bytes | str | None, files: Sequence[WebFile]
) -> Body | None:
    if json is not None:
        return JsonBody(value=json)
    if isinstance(data, str | bytes):
        return RawBody(content=data.encode() if isinstance(data, str) else data)
    if data is not None or files:
        return FormBody(fields=data or {}, files=files)
    return None


def _retry_after_s(text: str | None) -> float | None:
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)


def _raise_for_status(answer: WebResponse) -> None:
    if answer.ok:
        return
    quoted = " ".join(answer.text()[: _QUOTED_LENGTH * 4].split())[:_QUOTED_LENGTH]
    message = f"{answer.url_origin} answered HTTP {answer.status}: {quoted}".removesuffix(": ")
    error = WebClientError if answer.status < 500 else WebServerError  # noqa: PLR2004 -- HTTP
    raise error(message, status=answer.status)

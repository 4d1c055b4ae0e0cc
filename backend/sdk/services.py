"""A service of others, as its blocks call it: one address, one way in, errors that say what it said.

Each service is one `Service`, and all of its blocks call it through that: over the guarded way out,
at the provider's own address or where the operator has put it (PROVIDER_BASE_URLS).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from backend.core.credentials import ApiKeyCredentials, Credentials, OAuth2Credentials
from backend.core.errors import (
    AgentServerError,
    BadRequest,
    ServiceLimited,
    WebClientError,
    WebFailed,
    WebServerError,
    WebTimedOut,
)
from backend.core.json import Json
from backend.ports.web import MEGABYTE, Body, JsonBody, WebLimits, WebResponse
from backend.sdk.context import BlockContext
from backend.sdk.words import words_of

T = TypeVar("T")
Query: TypeAlias = Mapping[str, str | int | float | bool | Sequence[str] | None]

#: Of one answer of a service; a call that expects more says so.
LIMITS: Final = WebLimits(timeout_s=60.0, max_bytes=8 * MEGABYTE)
#: Pages that are asked for at the most, however few entries are on each.
MAX_PAGES: Final = 100
_TOO_MANY: Final = 429
_NOT_NOW: Final = 503
_FORBIDDEN: Final = 403
#: A moment in seconds since 1970, where a header may have seconds from now.
_MOMENT: Final = 1e9
_REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True)
class Service:
    """
    A service as data; `calls` makes what a block speaks with.

    Attributes:
        provider: Its name in credentials and in PROVIDER_BASE_URLS.
        name: As people call it; errors begin with it.
        url: Where it is, without a slash at the end. Empty: only where an operator says so.
        place: Below the operator's address, for one of several hosts of a provider.
        scheme: Stands before the bare key in Authorization, where it is not ``Bearer``.
        header: Carries the bare key; without it and *query* credentials go into Authorization.
        query: The parameter of the address that carries the bare key.
        always: Headers of every request.
        limits: Of one call, where it says nothing else.
        limit_words: Words by which an answer of 4xx says that too much is asked for.
    """

    provider: str
    name: str
    url: str
    place: str = ""
    scheme: str = ""
    header: str = ""
    query: str = ""
    always: Mapping[str, str] | None = None
    limits: WebLimits = LIMITS
    limit_words: Sequence[str] = ()

    def is_placed(self, context: BlockContext) -> bool:
        """Say whether the operator has put it at an address."""
        return bool(context.base_urls.get(self.provider))

    def calls(
        self, context: BlockContext, credentials: Mapping[str, Any] | None = None
    ) -> "ServiceCalls":
        """Return the way to it for one node execution; *credentials* is what the pin holds."""
        return ServiceCalls(service=self, context=context, credentials=credentials)


@dataclass(frozen=True, kw_only=True)
class ServiceCalls:
    """Calls of one service, on behalf of one node execution."""

    service: Service
    context: BlockContext
    credentials: Mapping[str, Any] | None = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        key: bool = False,
        limits: WebLimits | None = None,
    ) -> WebResponse:
        """
        Return the answer to one request. It has a status of success; all others raise.

        Args:
            path: Below the address of the service; made by `path_of` where it holds what people
                wrote.
            query: What is None is left out; a list is a parameter given several times.
            key: Send the idempotency key of the node execution, for a service that takes one.

        Raises:
            ServiceLimited: If it asks to wait (429, or 503 with a time).
            WebServerError: If it failed (5xx).
            WebClientError: If it refuses what was asked (4xx).
            WebFailed: If it cannot be reached, or there is no usable answer.
        """
        root, trusted = self._root()
        shown, parameters = await self._shown()
        sent = {**(self.service.always or {}), **(headers or {}), **shown}
        if key and self.context.idempotency_key:
            sent["Idempotency-Key"] = self.context.idempotency_key
        answer = await self.context.guarded_web().send(
            method,
            root + "/" + path.lstrip("/") + _query({**(query or {}), **parameters}),
            headers=sent,
            body=body,
            limits=limits or self.service.limits,
            trusted_origins=trusted,
            secret_headers=tuple(shown),
        )
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - the borders of success
            raise self.failure_of(answer)
        return answer

    async def json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        value: Json = None,
        headers: Mapping[str, str] | None = None,
        key: bool = False,
    ) -> Any:
        """
        Send *value*, if there is one, as JSON; return the answer read as JSON.

        Raises:
            As `send`; WebFailed too if the answer is no JSON.
        """
        body = None if value is None else JsonBody(value=value)
        answer = await self.send(method, path, query=query, body=body, headers=headers, key=key)
        return self.json_of(answer)

    async def object(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        value: Json = None,
        headers: Mapping[str, str] | None = None,
        key: bool = False,
    ) -> dict[str, Any]:
        """Do as `json`; raises WebFailed too if the answer is no JSON object."""
        found = await self.json(method, path, query=query, value=value, headers=headers, key=key)
        if not isinstance(found, dict):
            raise self.nonsense("it is no JSON object")
        return found

    def json_of(self, answer: WebResponse) -> Any:
        """Return *answer* read as JSON. Raises WebFailed."""
        try:
            return answer.json()
        except WebFailed as exc:
            raise self.nonsense("it is not JSON") from exc

    def entries(self, found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """Return the list of objects that *found*, an answer, has there. Raises WebFailed."""
        entries = found.get(name)
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise self.nonsense(f"it has no list {name!r}")
        return entries

    def need(self, found: Any, kind: type[T], *path: str) -> T:
        """
        Return what *found*, a part of an answer, has at *path*.

        Raises:
            WebFailed: If there is nothing, or no *kind*.
        """
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, kind):
            raise self.nonsense(f"it has no {'.'.join(path) or kind.__name__}")
        return found

    def nonsense(self, problem: str) -> WebFailed:
        """Return the error that an answer of the service cannot be used."""
        return WebFailed(f"the answer of {self.service.name} cannot be used: {problem}")

    def failure_of(self, answer: WebResponse) -> AgentServerError:
        """Return the error for an answer without success, with the service's own words."""
        name, status = self.service.name, answer.status
        limited, after_s = self._limit_in(answer)
        verb = "refuses the credentials" if status in _REFUSED and not limited else "answers"
        words = words_of(answer)
        text = f"{name} {verb} with status {status}" + (f": {words}" if words else "")
        if self.context.redactor is not None:
            text = self.context.redactor.text(text)
        if limited:
            return ServiceLimited(text, retry_after_s=after_s)
        if status >= 500:  # noqa: PLR2004 - the border of HTTP
            return WebServerError(text, status=status)
        if status >= 400:  # noqa: PLR2004 - the border of HTTP
            return WebClientError(text, status=status)
        return WebFailed(text)

    def _limit_in(self, answer: WebResponse) -> tuple[bool, float | None]:
        """Return whether *answer* asks to wait, and for how many seconds if it says so."""
        now, status = self.context.now(), answer.status
        after_s = _retry_after_s(answer.header("retry-after"), now)
        if after_s is None:
            after_s = _renewed_after_s(answer, now)
        if status == _TOO_MANY or (status in (_FORBIDDEN, _NOT_NOW) and after_s is not None):
            return True, after_s
        words = self.service.limit_words
        return status < 500 and any(word in answer.text() for word in words), after_s  # noqa: PLR2004 - the border of HTTP

    def _root(self) -> tuple[str, tuple[str, ...]]:
        """Return the address of the service, and whom to trust because the operator named it."""
        placed = self.context.base_urls.get(self.service.provider, "").rstrip("/")
        if placed:
            parts = urlsplit(placed)
            root = f"{placed}/{self.service.place}" if self.service.place else placed
            return root, (f"{parts.scheme}://{parts.netloc}",)
        if not self.service.url:
            raise BadRequest(
                f"where {self.service.name} is must be said by the operator: "
                f"PROVIDER_BASE_URLS, {self.service.provider!r}"
            )
        return self.service.url, ()

    async def _shown(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return headers and parameters that let us in."""
        if self.credentials is None:
            return {}, {}
        lent = await self.context.credentials(self.credentials)
        if self.service.header:
            return {self.service.header: key_of(lent)}, {}
        if self.service.query:
            return {}, {self.service.query: key_of(lent)}
        if self.service.scheme:
            return {"Authorization": f"{self.service.scheme} {key_of(lent)}"}, {}
        return {"Authorization": lent.authorization().reveal()}, {}


def key_of(lent: Credentials) -> str:
    """Return the bare key or token of *lent*. Raises BadRequest for credentials of other kinds."""
    if isinstance(lent, ApiKeyCredentials):
        return lent.api_key.reveal()
    if isinstance(lent, OAuth2Credentials):
        return lent.access_token.reveal()
    raise BadRequest(f"{lent.provider} takes a key, and these credentials are none")


def path_of(*segments: str | int) -> str:
    """
    Return a path of *segments*, each quoted, so that none can lead elsewhere.

    Raises:
        BadRequest: If one is empty, or means another place.
    """
    texts = [str(segment) for segment in segments]
    for text in texts:
        if text.strip() in ("", ".", ".."):
            raise BadRequest(f"{text!r} cannot stand in an address")
    return "/".join(quote(text, safe="") for text in texts)


async def pages(
    ask: Callable[[T | None], Awaitable[tuple[Sequence[Any], T | None]]], *, most: int
) -> list[Any]:
    """
    Return the entries of all pages, *most* at the most.

    Args:
        ask: Returns the entries of one page and the mark of the next; None: there is none. Its
            first page is asked for with None.

    A mark that comes twice ends it: a service that goes in circles is not followed.
    """
    found: list[Any] = []
    seen: set[T | None] = {None}
    mark: T | None = None
    for _ in range(MAX_PAGES):
        entries, mark = await ask(mark)
        found.extend(entries[: most - len(found)])
        if len(found) >= most or mark in seen:
            break
        seen.add(mark)
    return found


async def until(
    ask: Callable[[], Awaitable[T | None]], *, every_s: float, most_s: float, what: str
) -> T:
    """
    Ask again and again for what takes its time; return the first answer that is not None.

    Raises:
        WebTimedOut: If there is none after *most_s* seconds; names *what*.
    """
    try:
        async with asyncio.timeout(most_s):
            while True:
                answer = await ask()
                if answer is not None:
                    return answer
                await asyncio.sleep(every_s)
    except TimeoutError as exc:
        raise WebTimedOut(f"{what} was not done after {most_s:.0f} seconds") from exc


def _query(parameters: Query) -> str:
    given = {name: _plain(value) for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _plain(value: str | float | bool | Sequence[str]) -> str | Sequence[str]:  # noqa: FBT001 - JSON
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _retry_after_s(said: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header names: a number or a date; None if neither."""
    if said is None:
        return None
    text = said.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _renewed_after_s(answer: WebResponse, now: datetime) -> float | None:
    """Return the seconds until there is something left of a quota that is spent; None: it is not."""
    left, again = answer.header("x-ratelimit-remaining"), answer.header("x-ratelimit-reset")
    try:
        if left is None or again is None or float(left) > 0:
            return None
        at = float(again)
    except ValueError:
        return None
    return max(0.0, at - now.timestamp() if at > _MOMENT else at)

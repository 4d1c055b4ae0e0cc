"""The web client on httpx2: every hop is judged, resolved once, checked, and only then dialled."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from backend.adapters.web.body import ACCEPT_ENCODING, pieces_of
from backend.adapters.web.gate import Gate, Resolver
from backend.adapters.web.targets import (
    Target,
    headers_of,
    method_of,
    target_of,
    without_secrets,
)
from backend.adapters.web.trust import TrustList
from backend.core import json
from backend.core.errors import WebFailed, WebRefused, WebTimedOut, WebTooLarge
from backend.ports.web import (
    Body,
    FormBody,
    JsonBody,
    RawBody,
    WebDownload,
    WebLimits,
    WebResponse,
)

if TYPE_CHECKING:
    import httpx2

    from backend.adapters.mail.guarded import GuardedMail
    from backend.adapters.mail.imap import GuardedMailboxes
    from backend.adapters.web.transport import GuardedTransport

MAX_REDIRECTS: Final = 10
MAX_ANSWER_HEADERS: Final = 200
MAX_ANSWER_HEADER_BYTES: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One request on the way to an answer."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: Body | None


class GuardedWebClient:
    """
    The port's `WebClient` over pooled connections of one event loop.

    Args:
        trusted: The operator's allow-list (TRUST_ENDPOINTS_FOR_REQUESTS).
        resolver: Instead of the system's name service.
        tls: Instead of the system's certificates; a context that does not verify is refused.
        connect_limit_s: For looking up, dialling and the TLS handshake, each.
        read_limit_s: For the next byte, either way.
        max_connections: To what the operator trusts, and to all others; more calls wait within
            their time limit.

    Raises:
        BadSetting: If an entry of *trusted* cannot be understood.
    """

    def __init__(
        self,
        trusted: Sequence[str] = (),
        *,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        connect_limit_s: float = 10.0,
        read_limit_s: float = 60.0,
        max_connections: int = 512,
    ) -> None:
        if tls is not None and (tls.verify_mode != ssl.CERT_REQUIRED or not tls.check_hostname):
            raise WebRefused("certificates are always verified")
        self._trust = TrustList.of(trusted)
        self._gate = Gate(resolver=resolver, resolve_limit_s=connect_limit_s)
        self._tls = tls
        self._connect_limit_s = connect_limit_s
        self._read_limit_s = read_limit_s
        self._max_connections = max_connections
        self._ready: GuardedTransport | None = None
        self._reading: asyncio.Task[ssl.SSLContext] | None = None

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
        """See the port."""
        limits = limits or WebLimits()
        trust = self._trust + TrustList.of(trusted_origins)
        hop = Hop(
            method=method_of(method),
            target=target_of(_parsed(url), trust),
            headers=headers_of(headers or {}),
            body=body,
        )
        try:
            async with asyncio.timeout(limits.timeout_s):
                return await self._follow(hop, limits, trust, secret_headers)
        except TimeoutError as exc:
            raise WebTimedOut(f"{hop.target} took longer than {limits.timeout_s} s") from exc

    @asynccontextmanager
    async def download(
        self, url: str, *, limits: WebLimits | None = None
    ) -> AsyncIterator[WebDownload]:
        """See the port."""
        limits = limits or WebLimits()
        hop = Hop(method="GET", target=target_of(_parsed(url), self._trust), headers={}, body=None)
        hops_left = min(limits.max_redirects, MAX_REDIRECTS)
        async with _time_limit(hop.target, limits.timeout_s):
            while True:
                with _our_errors(hop.target):
                    response = await self._response(hop, self._trust)
                    try:
                        if not (limits.max_redirects > 0 and _is_redirect(response)):
                            yield _download(hop, response, limits.max_bytes)
                            return
                    finally:
                        await response.aclose()
                if hops_left == 0:
                    raise WebFailed(f"{hop.target} redirects too often")
                hops_left -= 1
                location = response.headers["location"]
                hop = _next_hop(hop, response.status_code, location, self._trust, ())

    async def aclose(self) -> None:
        """See the port."""
        transport, self._ready = self._ready, None
        if transport is not None:
            await transport.aclose()

    async def transport(self) -> "GuardedTransport":
        """
        Return the transport below, for libraries that need an `httpx2.AsyncClient`.

        It opens what the operator's list opens, and closes with this client.
        """
        # The HTTP library costs 0.1 s to import, the certificates as much again: not on the loop.
        if self._tls is None:
            self._tls = await self._certificates()
        if self._ready is None:
            from backend.adapters.web.transport import GuardedTransport  # noqa: PLC0415 -- heavy

            self._ready = GuardedTransport(
                self._gate, self._trust, tls=self._tls, max_connections=self._max_connections
            )
        return self._ready

    async def _certificates(self) -> ssl.SSLContext:
        """Return the system's certificates; calls that come together read them once, together."""
        if self._reading is None:
            self._reading = asyncio.create_task(asyncio.to_thread(_system_tls))
        reading = self._reading
        try:
            return await asyncio.shield(reading)
        finally:
            # One that failed is tried again by the next call.
            if self._reading is reading and reading.done():
                self._reading = None

    async def library_client(
        self, trusted_origins: Sequence[str] = (), *, max_bytes: int = WebLimits.max_bytes
    ) -> "httpx2.AsyncClient":
        """
        Return an HTTP client for a library that needs one, as guarded as `send`. The caller closes it.

        It follows no redirects, keeps no cookies beyond itself, and ends answers over *max_bytes*.
        What it may reach beside the operator's list is in *trusted_origins*, as for `send`.
        """
        transport = await self.transport()
        from backend.adapters.web.library import library_client  # noqa: PLC0415 -- heavy

        return library_client(
            transport, (self._trust, TrustList.of(trusted_origins)), max_bytes=max_bytes
        )

    def mail(self) -> "GuardedMail":
        """Return the way out for mail: the same gate, the same list of the operator."""
        from backend.adapters.mail.guarded import GuardedMail  # noqa: PLC0415 -- imports our gate

        return GuardedMail(self._gate, self._trust, tls=self._tls)

    def mailboxes(self) -> "GuardedMailboxes":
        """Return the way to mailboxes: the same gate, the same list of the operator."""
        from backend.adapters.mail.imap import (  # noqa: PLC0415 -- imports our gate
            GuardedMailboxes,
        )

        return GuardedMailboxes(self._gate, self._trust, tls=self._tls)

    async def _follow(
        self, hop: Hop, limits: WebLimits, trust: TrustList, secret: Sequence[str]
    ) -> WebResponse:
        hops_left = min(limits.max_redirects, MAX_REDIRECTS)
        while True:
            answer = await self._once(hop, limits, trust, follow=limits.max_redirects > 0)
            if isinstance(answer, WebResponse):
                return answer
            if hops_left == 0:
                raise WebFailed(f"{hop.target} redirects too often")
            hops_left -= 1
            hop = _next_hop(hop, answer.status_code, answer.headers["location"], trust, secret)

    async def _once(
        self, hop: Hop, limits: WebLimits, trust: TrustList, *, follow: bool
    ) -> "WebResponse | httpx2.Response":
        """Send one hop; return the whole answer, or the bare one if it is a redirect to follow."""
        with _our_errors(hop.target):
            response = await self._response(hop, trust)
            try:
                if follow and _is_redirect(response):
                    return response
                return await _whole(hop, response, limits.max_bytes)
            finally:
                await response.aclose()

    async def _response(self, hop: Hop, trust: TrustList) -> "httpx2.Response":
        """Send one hop; return its answer without the body. The caller closes it."""
        transport = await self.transport()
        request = _request(hop, connect_s=self._connect_limit_s, read_s=self._read_limit_s)
        response = await transport.send(request, trust)
        try:
            _check_headers(response)
        except WebTooLarge:
            await response.aclose()
            raise
        return response


@asynccontextmanager
async def _time_limit(target: Target, limit_s: float) -> AsyncIterator[None]:
    """Raise WebTimedOut when the time is over; a TimeoutError from inside stays what it is."""
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            yield
    except TimeoutError as exc:
        if not limit.expired():
            raise
        raise WebTimedOut(f"{target} took longer than {limit_s} s") from exc


async def _whole(hop: Hop, response: "httpx2.Response", max_bytes: int) -> WebResponse:
    content = b""
    if hop.method != "HEAD":
        content = b"".join([piece async for piece in _pieces(response, max_bytes)])
    return WebResponse(
        status=response.status_code,
        headers=tuple((name.lower(), value) for name, value in response.headers.multi_items()),
        content=content,
        url=str(hop.target.url),
    )


def _download(hop: Hop, response: "httpx2.Response", max_bytes: int) -> WebDownload:
    return WebDownload(
        status=response.status_code,
        media_type=response.headers.get("content-type", "").partition(";")[0].strip(),
        url=str(hop.target.url),
        pieces=_pieces(response, max_bytes),
    )


def _pieces(response: "httpx2.Response", max_bytes: int) -> AsyncIterator[bytes]:
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise WebTooLarge(f"the answer is larger than {max_bytes} bytes")
    return pieces_of(
        response.aiter_raw(),
        encoding=response.headers.get("content-encoding", ""),
        max_bytes=max_bytes,
    )


def _request(hop: Hop, *, connect_s: float, read_s: float) -> "httpx2.Request":
    import httpx2  # noqa: PLC0415 -- heavy; see `transport`

    request = httpx2.Request(
        hop.method,
        hop.target.url,
        headers={
            "accept": "*/*",
            "user-agent": "agpt-server",
            **_typed(hop),
            **hop.headers,
            "accept-encoding": ACCEPT_ENCODING,
        },
        extensions={
            "timeout": {"connect": connect_s, "read": read_s, "write": read_s, "pool": None}
        },
        **_content(hop.body),
    )
    assert isinstance(request.stream, httpx2.AsyncByteStream)
    return request


def _typed(hop: Hop) -> dict[str, str]:
    match hop.body:
        case JsonBody():
            return {"content-type": "application/json"}
        case RawBody(media_type=str(media_type)):
            return {"content-type": media_type}
        case _:
            return {}


def _content(body: Body | None) -> dict[str, Any]:
    match body:
        case None:
            return {}
        case JsonBody(value=value):
            return {"content": json.dumps(value)}
        case RawBody(content=content):
            return {"content": content}
        case FormBody(fields=fields, files=files):
            parts = [(file.name, (file.filename, file.content, file.media_type)) for file in files]
            return {"data": dict(fields), "files": parts} if parts else {"data": dict(fields)}


def _is_redirect(response: "httpx2.Response") -> bool:
    return response.status_code in _REDIRECTS and "location" in response.headers


def _check_headers(response: "httpx2.Response") -> None:
    raw = response.headers.raw
    size_bytes = sum(len(name) + len(value) for name, value in raw)
    if len(raw) > MAX_ANSWER_HEADERS or size_bytes > MAX_ANSWER_HEADER_BYTES:
        raise WebTooLarge("the answer has too many headers, or too long ones")


def _next_hop(hop: Hop, status: int, location: str, trust: TrustList, secret: Sequence[str]) -> Hop:
    target = target_of(_parsed(location, base=hop.target.url), trust)
    headers = dict(hop.headers)
    if target.origin != hop.target.origin:
        headers = without_secrets(headers, secret)
    onward = replace(hop, target=target, headers=headers)
    to_get = (status == 303 and hop.method != "HEAD") or (  # noqa: PLR2004 -- See Other
        status in (301, 302) and hop.method == "POST"
    )
    if not to_get:
        return onward
    kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
    return replace(onward, method="GET", headers=kept, body=None)


def _parsed(text: str, base: "httpx2.URL | None" = None) -> "httpx2.URL":
    import httpx2  # noqa: PLC0415 -- heavy; see `transport`

    try:
        url = httpx2.URL(text)
        return base.join(url) if base is not None else url
    except (httpx2.InvalidURL, ValueError) as exc:
        raise WebRefused(f"this is not a usable address: {exc}") from exc


@contextmanager
def _our_errors(target: Target) -> Iterator[None]:
    """Turn the library's errors into ours. Their texts stay inside: they can quote the answer."""
    import httpx2  # noqa: PLC0415 -- heavy; see `transport`

    try:
        yield
    except httpx2.TimeoutException as exc:
        raise WebTimedOut(f"{target} did not answer in time") from exc
    except httpx2.LocalProtocolError as exc:
        raise WebRefused(f"the request to {target} is malformed") from exc
    except httpx2.ConnectError as exc:
        raise WebFailed(f"{target} could not be reached") from exc
    except httpx2.TransportError as exc:
        raise WebFailed(f"{target} broke off or did not speak HTTP") from exc


def _system_tls() -> ssl.SSLContext:
    import httpx2  # noqa: PLC0415 -- heavy; see `transport`

    import backend.adapters.web.transport  # noqa: F401, PLC0415 -- warms the import in this thread

    return httpx2.create_ssl_context(trust_env=False)

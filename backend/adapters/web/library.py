"""An HTTP client for libraries that insist on one, over the guarded way out. Loads the HTTP library."""

from collections.abc import AsyncIterator, Iterable

import httpx2

from backend.adapters.web.body import ACCEPT_ENCODING, pieces_of
from backend.adapters.web.transport import GuardedTransport
from backend.adapters.web.trust import TrustList


class BoundedTransport(httpx2.AsyncBaseTransport):
    """
    Sends by the guarded transport, under a trust of its own, and bounds what comes back.

    Closing it closes nothing: the connections belong to the guarded client.
    """

    def __init__(self, inner: GuardedTransport, trust: TrustList, *, max_bytes: int) -> None:
        self._inner = inner
        self._trust = trust
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See httpx2. Raises our own errors for what is refused."""
        request.headers["accept-encoding"] = ACCEPT_ENCODING
        answer = await self._inner.send(request, self._trust)
        headers = answer.headers.copy()
        encoding = headers.pop("content-encoding", "")
        headers.pop("content-length", None)  # of the body as it was on the wire
        return httpx2.Response(
            status_code=answer.status_code,
            headers=headers,
            stream=_Bounded(answer, encoding, self._max_bytes),
            request=request,
        )


class _Bounded(httpx2.AsyncByteStream):
    """A body, decompressed as it arrives, and never more than allowed."""

    def __init__(self, answer: httpx2.Response, encoding: str, max_bytes: int) -> None:
        self._answer = answer
        self._encoding = encoding
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = pieces_of(
            self._answer.aiter_raw(), encoding=self._encoding, max_bytes=self._max_bytes
        )
        async for piece in pieces:
            yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()


def library_client(
    inner: GuardedTransport, trusted: Iterable[TrustList], *, max_bytes: int
) -> httpx2.AsyncClient:
    """
    Return a client for one call: no cookies of others, no redirects, no proxies of the environment.

    Whoever makes it closes it.
    """
    trust = sum(trusted, TrustList())
    transport = BoundedTransport(inner, trust, max_bytes=max_bytes)
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)

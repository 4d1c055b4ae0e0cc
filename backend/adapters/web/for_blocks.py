"""The guarded way out, as blocks see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.ports.web import RawBody, WebClient


@dataclass(frozen=True, kw_only=True)
class Answer:
    """See backend.sdk.WebAnswer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class BlockWeb:
    """See backend.sdk.Web."""

    def __init__(self, client: WebClient) -> None:
        self._client = client

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Ask once, following redirects; see backend.sdk.Web."""
        sent = None if body is None else RawBody(content=body)
        response = await self._client.send(method, url, headers=headers, body=sent)
        # The first of a repeated field, as most clients read it.
        fields = dict(reversed(response.headers))
        return Answer(status=response.status, headers=fields, body=response.content)

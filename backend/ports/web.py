"""The guarded way out to HTTP servers of others. Internal calls between processes do not pass here."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from backend.core.errors import WebFailed
from backend.core.json import Json

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class WebFile:
    """One file of a multipart form."""

    name: str  #: the field of the form
    filename: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class JsonBody:
    """A body that is sent as JSON."""

    value: Json


@dataclass(frozen=True, kw_only=True)
class RawBody:
    """A body that is sent as it is."""

    content: bytes = field(repr=False)
    media_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class FormBody:
    """Fields, sent URL-encoded; as multipart when there are files."""

    fields: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    files: Sequence[WebFile] = ()


Body: TypeAlias = JsonBody | RawBody | FormBody


@dataclass(frozen=True, kw_only=True)
class WebLimits:
    """The bounds of one call, redirects included."""

    timeout_s: float = 60.0  #: for everything, from the first look-up to the last byte
    max_bytes: int = 32 * MEGABYTE  #: of the answer, on the wire and decompressed
    max_redirects: int = 10  #: 0 = hand back the redirect itself; more than 10 counts as 10


@dataclass(frozen=True, kw_only=True)
class WebResponse:
    """
    An answer, whole and decompressed.

    Attributes:
        headers: In the order of the wire, names in lower case; a name may stand there twice.
        url: Where the answer came from, after redirects.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    content: bytes = field(repr=False)
    url: str

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400  # noqa: PLR2004 -- the border HTTP itself draws

    def header(self, name: str, default: str | None = None) -> str | None:
        """Return the first header called *name*, in any spelling."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), default)

    def text(self) -> str:
        """Return the body as text; bytes that do not fit its charset become U+FFFD."""
        _, _, charset = (self.header("content-type") or "").lower().partition("charset=")
        name = charset.partition(";")[0].strip().strip("\"'") or "utf-8"
        try:
            return self.content.decode(name, "replace")
        except (LookupError, ValueError):
            return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """
        Return the body read as JSON.

        Raises:
            WebFailed: If it is none.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as exc:
            raise WebFailed(f"the answer of {self.url_origin} is not JSON") from exc

    @property
    def url_origin(self) -> str:
        """The scheme, host and port of `url`: what may be logged, since paths can hold secrets."""
        return "/".join(self.url.split("/", 3)[:3])


class WebClient(Protocol):
    """
    Calls servers outside, and only those outside.

    Every hop goes to a public address that was checked before it was dialled. One client serves
    one event loop; connections are pooled and never shared between trust levels. Cookies are not
    kept: whoever calls next is somebody else.
    """

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
        """
        Send one request and return the whole answer, whatever its status.

        Never repeats a request by itself, except by following redirects.

        Args:
            method: An HTTP method, in any case.
            url: Of scheme http or https; credentials inside it are refused.
            headers: Host is refused; framing headers (Content-Length, Connection) are left out.
            body: Dropped with its headers when a redirect turns the method into GET.
            limits: Defaults to `WebLimits()`.
            trusted_origins: Beside the operator's own list: "http://localhost:11434",
                "localhost:8080", "10.0.0.5". They may be private. Never put user input here.
            secret_headers: Dropped, like Authorization and Cookie, once a redirect leaves the
                origin.

        Raises:
            WebRefused: If the address, a redirect's address, or the request may not leave.
            WebTimedOut: If the time limit passed.
            WebTooLarge: If the answer is larger than the limit.
            WebFailed: If there was no usable answer.
            BadSetting: If an entry of *trusted_origins* cannot be understood.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections. Twice is harmless."""
        ...


@dataclass(frozen=True, kw_only=True)
class WebDownload:
    """An answer whose body is still arriving, decompressed; *pieces* can be walked once."""

    status: int
    media_type: str  #: empty if the server does not say
    url: str
    pieces: AsyncIterator[bytes] = field(repr=False)


class WebDownloads(Protocol):
    """Fetches what is too large to be held in memory; as guarded as `WebClient`."""

    def download(
        self, url: str, *, limits: WebLimits | None = None
    ) -> AbstractAsyncContextManager[WebDownload]:
        """
        GET *url* and give the answer, whatever its status; the connection ends with the context.

        The time limit counts until the end of the context. Raises like `WebClient.send`, then and
        while the pieces are walked.
        """
        ...

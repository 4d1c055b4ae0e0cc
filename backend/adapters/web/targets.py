"""What a URL, a method and a set of headers must look like before anything is dialled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from backend.adapters.web.gate import check_host
from backend.adapters.web.trust import DEFAULT_PORTS, TrustList, canonical
from backend.core.errors import WebRefused

if TYPE_CHECKING:
    import httpx2

MAX_PORT: Final = 2**16
MAX_URL_LENGTH: Final = 16 * 1024
MAX_REQUEST_HEADERS: Final = 100
MAX_REQUEST_HEADER_BYTES: Final = 64 * 1024

# What browsers refuse (the fetch standard's "bad ports"): services that can be made to read an
# HTTP request as commands. Data stores are added for the same reason.
REFUSED_PORTS: Final = frozenset(
    int(port)
    for port in [
        "1",
        "7",
        "9",
        "11",
        "13",
        "15",
        "17",
        "19",
        "20",
        "21",
        "22",
        "23",
        "25",
        "37",
        "42",
        "43",
        "53",
        "69",
        "77",
        "79",
        "87",
        "95",
        "101",
        "102",
        "103",
        "104",
        "109",
        "110",
        "111",
        "113",
        "115",
        "117",
        "119",
        "123",
        "135",
        "137",
        "139",
        "143",
        "161",
        "179",
        "389",
        "427",
        "465",
        "512",
        "513",
        "514",
        "515",
        "526",
        "530",
        "531",
        "532",
        "540",
        "548",
        "554",
        "556",
        "563",
        "587",
        "601",
        "636",
        "989",
        "990",
        "993",
        "995",
        "1719",
        "1720",
        "1723",
        "2049",
        "3659",
        "4045",
        "4190",
        "5060",
        "5061",
        "6000",
        "6566",
        "6665",
        "6666",
        "6667",
        "6668",
        "6669",
        "6679",
        "6697",
        "10080",
        "3306",
        "5432",
        "6379",
        "11211",
        "27017",
    ]
)
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_HEADER_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
# Ours to set: a second opinion about where a body ends is how requests are smuggled.
_FRAMING: Final = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
# Services invent names for their keys faster than callers mark them.
_SECRET_WORDS: Final = re.compile(
    r"auth|token|secret|passw|cookie|session|signature|api-?key|apikey"
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL that may be called, taken apart once; nobody parses it a second time."""

    url: "httpx2.URL"
    host: str  #: canonical: lower case, IDNA, without brackets and final dot
    port: int
    trusted: bool  #: covered by the allow-list, so that it may be private

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: who gets to see credentials."""
        return self.url.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.url.scheme}://{self.host}:{self.port}"


def target_of(url: "httpx2.URL", trust: TrustList) -> Target:
    """
    Judge the text of a URL. The addresses behind it are the gate's matter.

    Raises:
        WebRefused: If it may not be called.
    """
    if url.scheme not in DEFAULT_PORTS:
        raise WebRefused("only http:// and https:// addresses can be called")
    if url.userinfo:
        raise WebRefused("put credentials into a header, not into the address")
    host = url.raw_host.decode("ascii", "replace")
    if not host or len(str(url)) > MAX_URL_LENGTH:
        raise WebRefused("the address has no host, or is too long")
    check_host(host)
    name, port = canonical(host), DEFAULT_PORTS[url.scheme] if url.port is None else url.port
    trusted = trust.covers(url.scheme, name, port)
    if not 0 < port < MAX_PORT or (
        port in REFUSED_PORTS and not trust.names_port(url.scheme, name, port)
    ):
        raise WebRefused(f"port {port} may not be called")
    return Target(url=url, host=name, port=port, trusted=trusted)


def method_of(text: str) -> str:
    """Return the method in capitals; refuse what is none, and CONNECT and TRACE."""
    method = text.upper()
    if not _METHOD.fullmatch(method) or method in ("CONNECT", "TRACE"):
        raise WebRefused("this HTTP method cannot be used")
    return method


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """
    Return the headers that are sent, names in lower case.

    Raises:
        WebRefused: For Host, malformed names or values, or too many.
    """
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise WebRefused(f"the header {name[:100]!r} cannot be sent: bad characters")
        if name.lower() == "host":
            # The checked name and the name that the server sees must be one.
            raise WebRefused("the header Host is set from the address")
        if name.lower() not in _FRAMING:
            kept[name.lower()] = value
    size_bytes = sum(
        len(name) + len(value.encode("utf-8", "replace")) for name, value in kept.items()
    )
    if len(kept) > MAX_REQUEST_HEADERS or size_bytes > MAX_REQUEST_HEADER_BYTES:
        raise WebRefused("too many headers, or too long ones")
    return kept


def without_secrets(headers: Mapping[str, str], secret: Sequence[str]) -> dict[str, str]:
    """Return what another origin may see of *headers*."""
    marked = _CREDENTIALS | {name.lower() for name in secret}
    return {
        name: value
        for name, value in headers.items()
        if name not in marked and not _SECRET_WORDS.search(name)
    }

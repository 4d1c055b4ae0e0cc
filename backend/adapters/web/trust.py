"""The operator's allow-list: which private hosts may be called, to the scheme and port."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from backend.core.errors import BadSetting

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ENTRY: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, kw_only=True)
class TrustedHost:
    """One entry: a host, and the scheme and port if it named them."""

    scheme: str | None
    host: str
    port: int | None

    def matches(self, scheme: str, host: str, port: int) -> bool:
        """Whether a call to this place is covered."""
        return (
            host == self.host
            and self.scheme in (None, scheme)
            and (self.port is None or self.port == port)
        )


@dataclass(frozen=True, kw_only=True)
class TrustList:
    """Hosts that may be private. Empty by default: then nothing private is reached."""

    entries: tuple[TrustedHost, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "TrustList":
        """
        Read entries such as ``http://localhost:11434``, ``localhost:8080`` or ``10.0.0.5``.

        An entry with a scheme and no port means the default port of the scheme.

        Raises:
            BadSetting: If one cannot be understood.
        """
        return cls(entries=tuple(_entry(text) for text in texts if text.strip()))

    def __add__(self, other: "TrustList") -> "TrustList":
        return TrustList(entries=self.entries + other.entries)

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether the host may be private."""
        return any(entry.matches(scheme, host, port) for entry in self.entries)

    def names_port(self, scheme: str, host: str, port: int) -> bool:
        """Whether an entry says this very port, so that the list of refused ports is lifted."""
        return any(
            entry.port is not None and entry.matches(scheme, host, port) for entry in self.entries
        )


def canonical(host: str) -> str:
    """Return *host* in the one spelling in which hosts are compared."""
    bare = host.strip("[]").lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _entry(text: str) -> TrustedHost:
    found = _ENTRY.fullmatch(_bracketed(text.strip().lower()))
    if found is None:
        raise BadSetting(
            f"{text!r} is no host to trust; write it like http://localhost:11434, localhost:8080 "
            "or 10.0.0.5, without path and wildcards"
        )
    scheme, host, port = found.group("scheme", "host", "port")
    if port is not None and not 0 < int(port) < 2**16:
        raise BadSetting(f"{text!r} is no host to trust: there is no port {port}")
    number = int(port) if port is not None else DEFAULT_PORTS.get(scheme or "")
    return TrustedHost(scheme=scheme, host=canonical(host), port=number)


def _bracketed(text: str) -> str:
    """Put a bare IPv6 address into the brackets that a host with a port needs."""
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        return text

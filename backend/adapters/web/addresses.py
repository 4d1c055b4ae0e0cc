"""Which IP addresses may be dialled: global unicast only, after unwrapping what hides another."""

import ipaddress
from collections.abc import Iterator
from typing import Final, TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Written out instead of `ipaddress.is_global`: that answer has changed between patch releases of
# Python, and this one must not. Source: the special-purpose registries of IANA.
_REFUSED: Final[tuple[tuple[Network, str], ...]] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared (carrier NAT)"),
        ("127.0.0.0/8", "loopback"),
        # Public by the registry, yet it answers inside a large cloud with the machine's secrets.
        ("168.63.129.16/32", "a cloud's host service"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        # Local NAT64: which bits hold the IPv4 address is the network's own secret, so what lies
        # behind cannot be judged (RFC 8215 calls it not globally reachable).
        ("64:ff9b:1::/48", "a local translation"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)

# What an operator's entry may open by name. Link-local is not among them: a name that starts to
# point at a cloud's metadata service must not be believed.
_NEAR: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "::1/128",
        "fc00::/7",
    )
)


def refusal(address: str) -> str | None:
    """Return why *address* must not be dialled, or None when it may. Text that is none is refused."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id is not None:
        return "bound to a zone"
    return next(filter(None, map(_refusal, _unwrapped(parsed))), None)


def is_near(address: str) -> bool:
    """Whether *address* is one that an operator's entry opens: loopback or a private network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        parsed = parsed.ipv4_mapped or parsed
    return any(parsed in network for network in _NEAR)


def _refusal(address: Address) -> str | None:
    for network, reason in _REFUSED:
        if address in network:
            return reason
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_V6:
        return "not global"
    return None


def _unwrapped(address: Address) -> Iterator[Address]:
    """Yield every address that a packet to *address* may end at. All of them must pass."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    bits = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _NAT64:
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address
        if bits >> 32 & 0xFFFFFFFF in _ISATAP:
            yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)

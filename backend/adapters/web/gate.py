"""The gate: resolves a host once and hands out only addresses that may be dialled. Serves SMTP too."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

from backend.adapters.web.addresses import is_near, refusal
from backend.adapters.web.trust import canonical
from backend.core.errors import WebFailed, WebRefused, WebTimedOut

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_ADDRESSES: Final = 64
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")
# The last part decides: a name that ends in a number is an address in some reader's eyes
# (0x7f.1, 2130706433, 0177.0.0.1), and readers disagree about which one.
_NUMBER: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)")


class Gate:
    """
    Judges where a connection may go.

    Args:
        resolver: Answers (host, port) with addresses; for tests and for other name services.
        resolve_limit_s: For one look-up.
    """

    def __init__(self, *, resolver: Resolver | None = None, resolve_limit_s: float = 10.0) -> None:
        self._resolver = resolver or resolve
        self._resolve_limit_s = resolve_limit_s

    async def addresses(self, host: str, port: int, *, trusted: bool = False) -> list[str]:
        """
        Return the addresses of *host* that may be dialled; dial these, never the name.

        Args:
            host: A name or an address, without brackets.
            port: Passed on to the name service.
            trusted: An operator's entry covers it: it may be private. By name it still may not
                be link-local, unspecified or multicast.

        Raises:
            WebRefused: If the host is malformed, or any one of its addresses may not be dialled.
            WebTimedOut: If the name service does not answer in time.
            WebFailed: If the name is unknown.
        """
        check_host(host)
        found = [host] if _is_address(host) else await self._look_up(host, port)
        for address in found:
            reason = refusal(address)
            # One bad address spoils the lot: an honest name has no use for a mixed answer.
            if reason is not None and not (trusted and (is_near(address) or address == host)):
                raise WebRefused(
                    f"{host} may not be called: its address is {reason}. "
                    "An operator can allow it with TRUST_ENDPOINTS_FOR_REQUESTS."
                )
        return found

    async def _look_up(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(self._resolve_limit_s):
                found = await self._resolver(host, port)
        except TimeoutError as exc:
            raise WebTimedOut(f"the name service did not answer for {host}") from exc
        except (OSError, UnicodeError) as exc:
            raise WebFailed(f"the host {host} is not known") from exc
        distinct = list(dict.fromkeys(found))
        if not distinct or len(distinct) > MAX_ADDRESSES:
            raise WebFailed(f"the host {host} has {len(distinct)} addresses; that cannot be used")
        return distinct


def check_host(host: str) -> None:
    """Refuse hosts that two readers could read differently."""
    if "%" in host:
        raise WebRefused("a host may not name a network zone")
    if _is_address(host):
        return
    if not _HOST.fullmatch(host) or ".." in host or host.startswith("."):
        raise WebRefused("a host may only have letters, digits, dots and hyphens")
    if _NUMBER.fullmatch(canonical(host).rpartition(".")[2]):
        raise WebRefused("write an IP address as four plain decimal numbers")


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's name service, in a thread of a small pool of its own."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), _getaddrinfo, host, port)


_pool: list[ThreadPoolExecutor] = []


def _threads() -> ThreadPoolExecutor:
    # Not the loop's default pool: names that never resolve would starve everything else in it.
    if not _pool:
        _pool.append(ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve"))
    return _pool[0]


def _getaddrinfo(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

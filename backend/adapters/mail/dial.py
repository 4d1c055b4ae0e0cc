"""A line to a mail server that a user names, to an address that the gate has checked."""

import asyncio
import socket
from collections.abc import Collection
from typing import Final

from backend.adapters.web.gate import Gate
from backend.adapters.web.trust import TrustList
from backend.core.errors import WebFailed, WebRefused

_MAX_DIALS: Final = 4


def require_port(
    trust: TrustList, scheme: str, host: str, port: int, allowed: Collection[int]
) -> None:
    """Refuse ports of other services: they hear no commands from us, unless an operator says so."""
    if port not in allowed and not trust.names_port(scheme, host, port):
        raise WebRefused(
            f"port {port} is none of a mail server; these are "
            f"{', '.join(map(str, sorted(allowed)))}"
        )


async def dial(gate: Gate, host: str, port: int, *, trusted: bool) -> socket.socket:
    """Return a connected socket that does not block; the caller closes it."""
    last: OSError | None = None
    for address in (await gate.addresses(host, port, trusted=trusted))[:_MAX_DIALS]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        line = socket.socket(family, socket.SOCK_STREAM)
        line.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(line, (address, port))
        except OSError as exc:
            line.close()
            last = exc
        except BaseException:
            line.close()
            raise
        else:
            return line
    raise WebFailed(f"the mail server {host} cannot be reached at port {port}") from last

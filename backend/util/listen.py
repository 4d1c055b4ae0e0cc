"""Listening sockets, opened by the supervisor and handed to the service: a restart refuses nobody."""

import errno
import socket
from typing import Final

from backend.core.errors import BadSetting, CannotStart

_BACKLOG: Final = 1024


def listen(host: str, port: int, *, host_setting: str, port_setting: str) -> socket.socket:
    """
    Return a socket that listens on *host* and *port* (0: any free one). The caller closes it.

    Raises:
        CannotStart: If the port is taken or forbidden; says which setting moves it.
        BadSetting: If the host is no address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise BadSetting(f"{host_setting.upper()} is {host!r}: no such host is known.") from exc
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(_BACKLOG)
    except OSError as exc:
        opened.close()
        raise _explain(exc, host, port, host_setting, port_setting) from exc
    opened.setblocking(False)
    return opened


def address_of(opened: socket.socket) -> str:
    """Return `host:port` as a client writes it."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _explain(
    exc: OSError, host: str, port: int, host_setting: str, port_setting: str
) -> CannotStart | BadSetting:
    if exc.errno == errno.EADDRINUSE:
        return CannotStart(
            f"Port {port} on {host} is taken by another program;"
            f" choose another one with {port_setting.upper()}."
        )
    if exc.errno == errno.EADDRNOTAVAIL:
        return BadSetting(f"{host_setting.upper()} is {host!r}: not an address of this machine.")
    return CannotStart(
        f"Port {port} on {host} cannot be opened ({exc.strerror});"
        f" choose another one with {port_setting.upper()}."
    )

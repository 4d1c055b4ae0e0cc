"""What a check asks of this machine: free ports, processes and their children, time."""

import random
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

from backend.util.identity import Identity, identify

_POLL_S: Final = 0.01
#: Below those that systems give to outgoing connections (Linux: from 32768 on): no connection of
#: anybody takes one of these between the look and the use.
_PORTS: Final = range(28_000, 32_768)


def until(check: Callable[[], bool], *, limit_s: float) -> bool:
    """Wait until *check* holds; tells whether it does, in time. Strangers' processes wake nobody."""
    end = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago, no two the same."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(found) == count:
                break
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found


def descendants(pid: int) -> list[int]:
    """Return the children of a process, and theirs."""
    import psutil  # noqa: PLC0415 -- slow to import, and only a check looks at processes

    try:
        return [one.pid for one in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def processes_with(entry: str) -> list[Identity]:
    """Return all our processes that have *entry* in their environment, whoever their parent is."""
    import psutil  # noqa: PLC0415 -- slow to import, and only a check looks at processes

    name, _, value = entry.partition("=")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == value:
                found.append(identify(process.pid))
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or somebody else's
    return [one for one in found if one is not None]

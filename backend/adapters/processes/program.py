"""A worker process: takes one call after the other from its socket, until that ends.

Started as `python -m`, with the socket's descriptor, the pid of the executor, and two limits.
"""

import ctypes
import importlib
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from backend.adapters.processes.frames import EXIT_MEMORY, frame_of, read_frame
from backend.core.errors import AgentServerError, BlockError
from backend.core.json import NotJson
from backend.sdk import BlockContext, make_inputs

_PR_SET_PDEATHSIG: Final = 1


class _Asked(BaseException):
    """The executor wants this process to end. A block can clean up, and must not stay."""


@dataclass(frozen=True, kw_only=True)
class _Result:
    """What is told at the end of a call."""

    value: Any = None
    failed: str | None = None
    expected: bool = True


def main() -> None:
    """Serve until the executor closes the socket."""
    descriptor, parent, memory_bytes, value_bytes = map(int, sys.argv[1:])
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)  # what a block starts must not hold it open
    _live_no_longer_than(parent, channel)
    signal.signal(signal.SIGTERM, _leave)
    if memory_bytes:
        # What it could write to. RLIMIT_AS would count what is only reserved, by every thread.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    _set_title()
    try:
        _serve(channel, value_bytes)
    except (_Asked, ConnectionError):
        return


def _leave(_: int, __: FrameType | None) -> NoReturn:
    raise _Asked


def _set_title() -> None:
    from setproctitle import setproctitle  # noqa: PLC0415 - after the limits

    setproctitle("agpt: worker")


def _live_no_longer_than(parent: int, channel: socket.socket) -> None:
    """End when the executor does, whatever a block does at that time."""
    if sys.platform.startswith("linux"):
        # The kernel does it, even to code that never lets go of the interpreter.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        poll = select.poll()
        poll.register(channel, 0)  # nothing but the other side's end
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, name="executor-watch", daemon=True).start()


def _serve(channel: socket.socket, value_bytes: int) -> None:
    def put(message: Any) -> None:
        channel.sendall(frame_of(message, value_bytes))

    while (call := read_frame(channel)) is not None:
        began_s = time.process_time()
        result = _result_of(call, put)
        facts = {"cpu_s": time.process_time() - began_s, "size_bytes": _size_bytes()}
        if result.failed is None:
            result = _told(put, result, facts)
        if result.failed is not None:
            put({"failed": result.failed, "expected": result.expected, **facts})


def _told(put: Callable[[Any], None], result: _Result, facts: Mapping[str, Any]) -> _Result:
    """Tell the result; what cannot be told is a failure."""
    try:
        put({"done": result.value, **facts})
    except AgentServerError as exc:
        return _Result(failed=str(exc))
    return result


def _result_of(call: Mapping[str, Any], put: Callable[[Any], None]) -> _Result:
    try:
        if "function" in call:
            return _Result(value=_named(call["function"])(*call["arguments"]))
        _run_block(call, put)
    except (_Asked, ConnectionError):
        raise
    except MemoryError:
        # At once: there may be too little left to say more.
        os._exit(EXIT_MEMORY)
    except BaseException as exc:  # noqa: BLE001 - border: a block may raise anything
        return _failure(exc)
    return _Result()


def _run_block(call: Mapping[str, Any], put: Callable[[Any], None]) -> None:
    kind = _named(call["block"])
    began_s = time.monotonic()
    began = datetime.fromtimestamp(call["now_us"] / 1e6, UTC)
    context = BlockContext(
        **call["facts"],
        now=lambda: began + timedelta(seconds=time.monotonic() - began_s),
        started_us=call["started_us"],
    )
    for name, value in kind().run(make_inputs(kind, call["inputs"]), context):
        try:
            put({"output": [name, value]})
        except NotJson as exc:
            raise NotJson(f"{name}: {exc}") from exc


def _failure(error: BaseException) -> _Result:
    """Say what was raised in the words that `backend.sdk.failure_of` uses."""
    if isinstance(error, BlockError):
        return _Result(failed=error.reason)
    if isinstance(error, ValueError | AgentServerError):
        return _Result(failed=str(error) or type(error).__name__)
    words = str(error) or "Unknown error occurred"
    if not isinstance(error, Exception):
        words = f"{type(error).__name__} {error}".strip()
    return _Result(failed=words, expected=False)


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def _size_bytes() -> int:
    """Return how much memory this process has; where that is not told, how much it ever had."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(pages) * resource.getpagesize()


if __name__ == "__main__":
    main()

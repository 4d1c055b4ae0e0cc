"""The line from a service to its supervisor: ready, still alive, failed. One JSON object per line."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

#: A write up to this size into a pipe is all or nothing (POSIX promises 512, Linux keeps 4096).
_LONGEST: Final = 4096 if hasattr(os, "O_TMPFILE") else 512


class ControlLine:
    """
    The service's end. Never blocks and never fails: who listens may be gone, or be slow.

    Args:
        pipe: The writing end. None for a service that runs without a supervisor.
    """

    def __init__(self, pipe: "Connection | None") -> None:
        self._pipe = pipe
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)

    @property
    def has_supervisor(self) -> bool:
        """Whether somebody listens."""
        return self._pipe is not None

    def ready(self, address: str) -> None:
        """Say that requests are answered from now on, at *address* (may be empty)."""
        self._send({"ready": address})

    def beat(self) -> None:
        """Say that the loop turns."""
        self._send({"beat": 1})

    def failed(self, sentence: str) -> None:
        """Say why the start failed. The supervisor shows it to the user."""
        self._send({"failed": sentence[: _LONGEST // 8]})

    def _send(self, message: Mapping[str, str | int]) -> None:
        if self._pipe is None:
            return
        with suppress(OSError):
            os.write(self._pipe.fileno(), json.dumps(message).encode() + b"\n")


class ControlReader:
    """The supervisor's end."""

    def __init__(self, pipe: "Connection") -> None:
        self.pipe = pipe
        self.ended = False
        self._rest = b""
        os.set_blocking(pipe.fileno(), False)

    def read(self) -> Iterator[dict[str, str | int]]:
        """Yield what has come since, oldest first. Does not wait."""
        while not self.ended:
            try:
                block = os.read(self.pipe.fileno(), 65536)
            except BlockingIOError:
                return
            self.ended = not block
            *lines, self._rest = (self._rest + block).split(b"\n")
            for line in lines:
                yield json.loads(line)

    def close(self) -> None:
        """Close the pipe. Twice is harmless."""
        self.ended = True
        self.pipe.close()


class ServiceStarted:
    """
    Says that a service is ready. Call it once, when requests are answered.

    Attributes:
        listener: The socket that the supervisor opened for this service, listening; None if it has
            no port. Serve on it, do not bind another: it outlives this process, so clients wait
            during a restart instead of being refused. Closing it closes only this process's copy.
    """

    def __init__(
        self,
        service_name: str,
        sources: Mapping[str, str],
        control: ControlLine,
        listener: socket.socket | None,
    ) -> None:
        self.listener = listener
        self._service_name = service_name
        self._sources = sources
        self._control = control

    def __call__(self, address: str = "") -> None:
        """Report ready at *address*, for people to read."""
        import structlog  # noqa: PLC0415 -- not in the supervisor

        from backend import __version__  # noqa: PLC0415 -- the same

        structlog.get_logger().info(
            "service_ready",
            version=__version__,
            address=address,
            settings={k: v for k, v in self._sources.items() if v != "default"},
        )
        self._control.ready(address)

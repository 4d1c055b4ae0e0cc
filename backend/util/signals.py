"""SIGINT and SIGTERM as a number that grows: the first asks to stop, the second to hurry."""

import os
import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Self


class StopSignals:
    """
    While entered, counts SIGINT and SIGTERM instead of dying of them.

    May be entered again inside itself. Does nothing outside the main thread, where Python has no
    signals.
    """

    def __init__(self) -> None:
        self.count = 0
        self._depth = 0
        self._before: dict[signal.Signals, object] = {}
        self.wakeup, self._writer = socket.socketpair()
        self.wakeup.setblocking(False)
        self._writer.setblocking(False)

    @property
    def asked(self) -> bool:
        """Whether somebody wants us to stop."""
        return self.count >= 1

    @property
    def hurried(self) -> bool:
        """Whether somebody wants us to stop now."""
        return self.count > 1

    def __enter__(self) -> Self:
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            self.count = 0
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            for number, handler in self._before.items():
                signal.signal(number, handler)  # type: ignore[arg-type] # what signal() gave us
            self._before.clear()

    def drain(self) -> None:
        """Forget the wake-ups that have come."""
        try:
            while self.wakeup.recv(64):
                pass
        except BlockingIOError:
            return

    def _count(self, _: int, __: FrameType | None) -> None:
        self.count += 1
        try:
            os.write(self._writer.fileno(), b"!")
        except BlockingIOError:
            return

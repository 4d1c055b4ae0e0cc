"""The background server: how `agpt start` brings it up, and what the new process does first."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from backend.core.errors import CannotStart
from backend.util.boot import PRELOAD, fork_server_has_loaded, start_fork_server
from backend.util.entry import Failed
from backend.util.process import AppProcess

START_LIMIT_S: Final = 120.0
_STOP_LIMIT_S: Final = 15.0
_WORDLESS: Final = "The server ended without a word."


class MainApp(AppProcess):
    """The whole server as one process; in the background it is detached from the terminal."""

    def start(self, background: bool, silent: bool = True, **kwargs: Any) -> int:  # noqa: ARG002, FBT001, FBT002 -- contract
        """
        Run the server here, or detached. Returns when all services are ready.

        Args:
            background: Detached: a new session, output to `<data>/logs/server.log`.
            silent: Always so; the server that people see is `backend.app.main()`.
            kwargs: Settings by name.

        Raises:
            CannotStart, BadSetting: With the reason.
        """
        if not background:
            self.run(**kwargs)
            return 0
        from backend.settings import load_settings  # noqa: PLC0415 -- the detached server does without

        settings, _ = load_settings(kwargs)
        return Warm(kwargs, settings.agpt_data_dir / "logs" / "server.log").go()

    def stop(self) -> None:
        """Stop the background server. Twice is harmless."""
        from backend.cli.server import stop_server  # noqa: PLC0415 -- it imports this module

        stop_server()

    def run(self, **kwargs: Any) -> None:
        """Run the server until a signal stops it."""
        from backend import app  # noqa: PLC0415 -- costs nothing before it is needed

        app.main(silent=True, **kwargs)


class Warm:
    """A detached server that loads what it needs, and reads and holds nothing until it is told to go."""

    def __init__(
        self, overrides: Mapping[str, Any], log_file: Path, *, loads: tuple[str, ...] = ()
    ) -> None:
        """
        Begin to load.

        Args:
            overrides: Settings by name.
            loads: Settings that will have a value then, of those that preload.py knows.
        """
        self._log_file = log_file
        self._news, theirs = os.pipe()
        word, self._word = os.pipe()
        self._said = b""
        self._open = [self._news, self._word]
        arguments = [str(theirs), str(word), json.dumps(dict(overrides), default=str)]
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._server = subprocess.Popen(  # noqa: S603 -- our own module
                [sys.executable, "-m", "backend.cli.background", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs, word],
                start_new_session=True,
                env={**os.environ, PRELOAD: ",".join(loads)} if loads else None,
            )
        finally:
            for descriptor in (log, theirs, word):
                os.close(descriptor)

    def go(self) -> int:
        """Let it start; return its pid when it is ready. Raises CannotStart if it fails."""
        server = self._server
        try:
            with suppress(BrokenPipeError):  # it is gone: that is heard below
                os.write(self._word, b"g")
            sentence = self._hear()
        except BaseException:
            _end(server)
            raise
        finally:
            self._close()
        if sentence:
            _end(server)
            raise CannotStart(f"{sentence}\nThe log is {self._log_file}.")
        # It lives on; subprocess would warn about that when this object is collected.
        server.returncode = 0
        return server.pid

    def is_loaded(self, *, wait_s: float) -> bool:
        """Wait until it has loaded what it needs, or ended, but not longer; say whether."""
        if not self._said and select.select([self._news], [], [], wait_s)[0]:
            self._said += os.read(self._news, 65536) or b"\n"
        return bool(self._said)

    def _hear(self) -> str:
        """Wait for the server's word; return why it failed, or nothing."""
        end_s = time.monotonic() + START_LIMIT_S
        while True:
            for word in self._said.split(b"\n")[:-1]:
                said = json.loads(word or "{}")
                if "loaded" not in said:
                    return str(said.get("failed", "")) if said else _WORDLESS
            if not select.select([self._news], [], [], max(0.0, end_s - time.monotonic()))[0]:
                return f"The server is not ready after {START_LIMIT_S:.0f} seconds."
            self._said += os.read(self._news, 65536) or b"\n"

    def cancel(self) -> None:
        """Let it end without having done anything. Harmless when it was told to go."""
        if self._open:
            self._close()
            _end(self._server)

    def _close(self) -> None:
        while self._open:
            os.close(self._open.pop())


def _end(server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> None:
    """
    Be the detached server: `python -m backend.cli.background <descriptor> <descriptor> <JSON>`.

    It says to the first one what became of it, and starts when it is told to on the second one.
    """
    line, word = int(sys.argv[1]), int(sys.argv[2])
    for descriptor in (line, word):
        os.set_inheritable(descriptor, False)

    def tell(said: Mapping[str, Any]) -> None:
        # Who waited may have been interrupted; the server does not care.
        with suppress(OSError):
            os.write(line, json.dumps(said).encode() + b"\n")

    start_fork_server()
    if not select.select([word], [], [], 0)[0]:
        fork_server_has_loaded()
        tell({"loaded": True})
    if not os.read(word, 1):
        sys.exit(0)  # who wanted it is gone
    os.close(word)
    try:
        MainApp().start(
            background=False,
            announce=lambda addresses: tell({"ready": dict(addresses)}),
            **json.loads(sys.argv[3]),
        )
    except Failed as exc:
        tell({"failed": exc.sentence})
        raise


if __name__ == "__main__":
    main()

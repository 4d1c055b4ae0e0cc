"""The background server: how `agpt start` brings it up, and what the new process does first."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from backend.core.errors import CannotStart
from backend.util.entry import Failed
from backend.util.process import AppProcess

START_LIMIT_S: Final = 120.0
_STOP_LIMIT_S: Final = 15.0


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
        return launch(kwargs, settings.agpt_data_dir / "logs" / "server.log")

    def stop(self) -> None:
        """Stop the background server. Twice is harmless."""
        from backend.cli.server import stop_server  # noqa: PLC0415 -- it imports this module

        stop_server()

    def run(self, **kwargs: Any) -> None:
        """Run the server until a signal stops it."""
        from backend import app  # noqa: PLC0415 -- costs nothing before it is needed

        app.main(silent=True, **kwargs)


def launch(overrides: Mapping[str, Any], log_file: Path) -> int:
    """Start the detached server; return its pid when it is ready. Raises CannotStart if it fails."""
    news, theirs = os.pipe()
    arguments = [str(theirs), json.dumps(dict(overrides), default=str)]
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        server = subprocess.Popen(  # noqa: S603 -- our own module
            [sys.executable, "-m", "backend.cli.background", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs],
            start_new_session=True,
        )
    finally:
        os.close(log)
        os.close(theirs)
    try:
        sentence = _hear(news)
    except BaseException:
        _end(server)
        raise
    finally:
        os.close(news)
    if sentence:
        _end(server)
        raise CannotStart(f"{sentence}\nThe log is {log_file}.")
    # It lives on; subprocess would warn about that when this object is collected.
    server.returncode = 0
    return server.pid


def _hear(news: int) -> str:
    """Wait for the server's word; return why it failed, or nothing."""
    if not select.select([news], [], [], START_LIMIT_S)[0]:
        return f"The server is not ready after {START_LIMIT_S:.0f} seconds."
    word = os.read(news, 65536)
    if not word:
        return "The server ended without a word."
    return str(json.loads(word).get("failed", ""))


def _end(server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> None:
    """Be the detached server: `python -m backend.cli.background <descriptor> <settings as JSON>`."""
    line = int(sys.argv[1])
    os.set_inheritable(line, False)

    def tell(word: Mapping[str, Any]) -> None:
        # Who waited may have been interrupted; the server does not care.
        with suppress(OSError):
            os.write(line, json.dumps(word).encode())

    try:
        MainApp().start(
            background=False,
            announce=lambda addresses: tell({"ready": dict(addresses)}),
            **json.loads(sys.argv[2]),
        )
    except Failed as exc:
        tell({"failed": exc.sentence})
        raise


if __name__ == "__main__":
    main()

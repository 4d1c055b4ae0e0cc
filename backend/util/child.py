"""A service's own process: its title, its signals, its tie to the supervisor. What it serves is not here."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from types import FrameType
from typing import TYPE_CHECKING, Final

from backend.core.errors import AgentServerError
from backend.util.boot import own_resource_tracker
from backend.util.control import ControlLine

if TYPE_CHECKING:
    from backend.util.process import AppProcess

#: A service without a supervisor gets so long to end by itself. The contract says 2 s in all.
_ORPHAN_LIMIT_S: Final = 1.5


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a service finds when it runs: its settings and who listens to it."""

    settings_json: str
    sources: Mapping[str, str] = field(default_factory=dict)
    control: ControlLine = field(default_factory=lambda: ControlLine(None))
    listener: socket.socket | None = None


def run_service(
    process: "AppProcess",
    pipe: Connection,
    listener: socket.socket | None,
    settings_json: str,
    sources: Mapping[str, str],
    silent: bool,  # noqa: FBT001 -- arguments of a process are positional
) -> None:
    """Be the process of *process*: run it, clean up, exit."""
    from setproctitle import setproctitle  # noqa: PLC0415 -- the supervisor imports this module too

    setproctitle(f"agpt: {process.service_name}")
    own_resource_tracker()
    if silent:
        _redirect_output()
    control = ControlLine(pipe)
    _follow_signals()
    _end_with_the_supervisor()
    process.enter(
        Surroundings(
            settings_json=settings_json, sources=sources, control=control, listener=listener
        )
    )
    try:
        if not process.reports_ready:
            control.ready("")
        process.run()
    except AgentServerError as exc:
        control.failed(str(exc))
        sys.exit(1)
    finally:
        process.cleanup()


def _redirect_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def _follow_signals() -> None:
    def leave(_: int, __: FrameType | None) -> None:
        # A second one must not break the cleaning up that the first one started.
        signal.signal(signal.SIGTERM, _do_nothing)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    # Ctrl-C reaches the whole group of processes; the supervisor tells us when it is our turn.
    # A handler, not SIG_IGN: programs that we start would inherit that.
    signal.signal(signal.SIGINT, _do_nothing)


def _do_nothing(_: int, __: FrameType | None) -> None:
    pass


def _end_with_the_supervisor() -> None:
    """Watch the pipe that only the supervisor holds open: it ends when the supervisor does, however."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_ORPHAN_LIMIT_S)
        os._exit(1)

    threading.Thread(target=watch, name="supervisor-watch", daemon=True).start()

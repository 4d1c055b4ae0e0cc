"""
The start of a supervisor: fork server, settings, predecessors.

The supervisor itself never imports pydantic: a short-lived child reads the settings and hands
back plain values. That keeps the supervisor at a third of its size.
"""

# ruff: noqa: SLF001 -- multiprocessing has no public way to end its fork server

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import active_children, forkserver, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from backend.core.errors import AgentServerError, BadSetting, CannotStart
from backend.util.identity import Identity, kill_for_certain, wait_until_gone
from backend.util.record import read_records, remove_record

#: An environment variable of our own processes: what else preload.py is to load, by name.
PRELOAD: Final = "AGPT_PRELOAD"
_PREDECESSOR_LIMIT_S: Final = 5.0
_HELPER_LIMIT_S: Final = 2.0
#: On a machine that is busy and cold, the first import of everything takes its time.
_SETTINGS_LIMIT_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What the supervisor knows of the settings."""

    settings_json: str  #: for the services; holds secrets
    sources: Mapping[str, str]
    values: Mapping[str, str | int | float | bool]  #: those that are plain, by field name
    data_dir: Path

    def text(self, name: str) -> str:
        """Return a setting as text."""
        return str(self.values[name])

    def vault_keys(self) -> list[str]:
        """Return what names the keys of ENCRYPTION_KEY and tells nothing of them."""
        from backend.adapters.vault import fingerprint, keys_in  # noqa: PLC0415 - start stays light

        keys = keys_in(json.loads(self.settings_json)["encryption_key"])
        return [fingerprint(key) for key in keys]


def process_context() -> BaseContext:
    """Return how processes are made here: from a fork server, or afresh where that is fragile."""
    if sys.platform != "linux":
        return get_context("spawn")
    forkserver.set_forkserver_preload(["backend.util.preload"])
    return get_context("forkserver")


def start_fork_server() -> None:
    """Start it if this platform has one. Returns at once; it goes on importing by itself."""
    if process_context().get_start_method() == "forkserver":
        with no_resource_tracker():
            forkserver.ensure_running()


def fork_server_has_loaded() -> None:
    """Wait until the fork server has imported what services share."""
    start_fork_server()
    child = process_context().Process(target=_nothing, name="look")  # type: ignore[attr-defined] # as below
    with main_module_hidden(), no_resource_tracker():
        child.start()
    child.join(_SETTINGS_LIMIT_S)


def _nothing() -> None:
    """Be made, which takes until then."""


@contextmanager
def no_resource_tracker() -> Iterator[None]:
    """
    Start children in here that share no memory and no semaphores with us.

    multiprocessing starts a process of 6 MB to clean up after such things. What is started in here
    is shown the null device in its place, and `own_resource_tracker` undoes that in the child.
    """
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    names = {"ensure_running": lambda: None, "getfd": lambda: null}
    before = {name: getattr(resource_tracker, name) for name in names}
    try:
        vars(resource_tracker).update(names)
        yield
    finally:
        vars(resource_tracker).update(before)
        os.close(null)


def own_resource_tracker() -> None:
    """Let this child of a fork server start a tracker if a block of somebody's ever needs one."""
    tracker: Any = vars(resource_tracker)["_resource_tracker"]
    if tracker._fd is not None and tracker._pid is None:
        os.close(tracker._fd)
        tracker._fd = None


@contextmanager
def main_module_hidden() -> Iterator[None]:
    """
    Start children in here that need nothing of the main module.

    Otherwise multiprocessing imports it again in each of them: the command line, pytest, or a
    script of somebody who forgot to guard its last lines.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def boot(overrides: Mapping[str, object]) -> Boot:
    """
    Read the settings in a child of the fork server.

    Raises:
        BadSetting: See `load_settings`.
        CannotStart: See `load_settings`, or if the child ends without an answer.
    """
    start_fork_server()
    context = process_context()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(  # type: ignore[attr-defined] # typeshed: only concrete contexts
        target=_tell_settings, args=(theirs, dict(overrides)), name="settings"
    )
    with main_module_hidden(), no_resource_tracker():
        child.start()
    theirs.close()
    try:
        answer = json.loads(ours.recv_bytes()) if ours.poll(_SETTINGS_LIMIT_S) else None
    except EOFError:
        answer = None
    finally:
        ours.close()
        child.join(_HELPER_LIMIT_S)
    if answer is None:
        raise CannotStart("The settings could not be read: the process that reads them ended.")
    if "error" in answer:
        kind = BadSetting if answer["kind"] == "BadSetting" else CannotStart
        raise kind(answer["error"])
    values = json.loads(answer["settings"])
    return Boot(
        settings_json=answer["settings"],
        sources=answer["sources"],
        values={k: v for k, v in values.items() if isinstance(v, str | int | float | bool)},
        data_dir=Path(values["agpt_data_dir"]),
    )


def _tell_settings(pipe: Connection, overrides: Mapping[str, object]) -> None:
    from backend.settings import load_settings  # noqa: PLC0415 -- only the child pays for pydantic

    try:
        settings, sources = load_settings(overrides)
    except AgentServerError as exc:
        answer: dict[str, object] = {"error": str(exc), "kind": type(exc).__name__}
    else:
        answer = {"settings": settings.to_json(), "sources": sources}
    pipe.send_bytes(json.dumps(answer).encode())


def outlive_predecessors(data_dir: Path) -> None:
    """
    Wait for the services of supervisors that were killed; they end by themselves within 2 s.

    Who is still there after 5 s hangs, and is killed: its identity is in its supervisor's record,
    so it cannot be a stranger.

    Raises:
        CannotStart: If one of them cannot even be killed.
    """
    orphans: list[Identity] = []
    for path, record in read_records(data_dir).items():
        if not wait_until_gone([record.supervisor], limit_s=0):
            orphans.extend(record.processes())
            remove_record(path)
    left = wait_until_gone(orphans, limit_s=_PREDECESSOR_LIMIT_S)
    stuck = kill_for_certain(left, limit_s=_HELPER_LIMIT_S)
    if stuck:
        pids = ", ".join(str(identity.pid) for identity in stuck)
        raise CannotStart(f"Processes of an earlier server do not end, not even killed: {pids}.")


def end_fork_server() -> None:
    """
    End the fork server, and a resource tracker that others have started; wait for both.

    Twice is harmless. Does nothing while other children of this process need them.
    """
    if active_children():
        return
    # There is no public way to end either; what we touch here has been so since Python 3.4.
    server: Any = vars(forkserver)["_forkserver"]
    tracker: Any = vars(resource_tracker)["_resource_tracker"]
    with server._lock:
        if server._forkserver_pid is not None:
            os.close(server._forkserver_alive_fd)
            _reap(server._forkserver_pid)
            server._forkserver_pid = server._forkserver_alive_fd = None
            server._forkserver_address = None
    with tracker._lock:
        if tracker._pid is not None and tracker._fd is not None:
            os.close(tracker._fd)
            _reap(tracker._pid)
            tracker._fd = tracker._pid = None


def _reap(pid: int) -> None:
    """Wait for a child that has been told to end; kill it if it takes too long."""
    end = time.monotonic() + _HELPER_LIMIT_S
    with suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.005)

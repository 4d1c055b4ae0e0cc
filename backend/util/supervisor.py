"""
The supervisor of this process: starts services in order, restarts what dies, stops what is asked.

One thread, one loop, which turns only while somebody waits in it: in `start`, `run` or `stop`.
So there are no locks, and a program that starts services in the background and never waits gets
no restarts.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from backend.core.errors import CannotStart
from backend.util.boot import Boot, boot, end_fork_server, outlive_predecessors
from backend.util.handle import RESTARTS_LIMIT, RESTARTS_WITHIN_S, ServiceHandle, State
from backend.util.listen import address_of, listen
from backend.util.locks import HeldLock, share_data_dir, take_service
from backend.util.logfile import close_log, log_path, supervisor_log
from backend.util.open_files import raise_open_files
from backend.util.record import record_path, remove_record, write_record
from backend.util.signals import StopSignals

if TYPE_CHECKING:
    import logging

    from backend.util.process import AppProcess

_TURN_S: Final = 2.0  #: the longest wait of the loop
_HURRY_S: Final = 0.5
_KILL_LIMIT_S: Final = 10.0


class StopAsked(SystemExit):
    """A signal asked us to stop while a start was waiting. Exit code 0: it was an order."""

    def __init__(self) -> None:
        super().__init__(0)


class Supervisor:
    """See the module. `current()` returns the one of this process."""

    def __init__(self) -> None:
        self.signals = StopSignals()
        self.announce: Callable[[Mapping[str, str]], None] | None = None
        self._handles: dict[str, ServiceHandle] = {}
        self._boot: Boot | None = None
        self._share: HeldLock | None = None
        self._log: logging.Logger | None = None
        self._last_turn = 0.0

    def prepare(self, processes: Iterable["AppProcess"], overrides: Mapping[str, object]) -> None:
        """
        Take locks and ports for all before the first one starts: so what cannot work fails early.

        Raises:
            BadSetting, CannotStart: With one sentence. Nothing is held then.
        """
        booted = self._booted(overrides)
        fresh: list[ServiceHandle] = []
        try:
            for process in processes:
                if process.service_name not in self._handles:
                    handle = _prepare(process, booted)
                    fresh.append(handle)
                    self._handles[handle.name] = handle
        except BaseException:
            for handle in fresh:
                handle.release(State.STOPPED)
                del self._handles[handle.name]
            self._close_if_idle()
            raise

    def start(self, process: "AppProcess", overrides: Mapping[str, object], *, silent: bool) -> int:
        """
        Start a process when all that it depends on is ready; returns its pid. Does not wait for it.

        Raises:
            BadSetting, CannotStart: With one sentence.
            StopAsked: If a signal comes meanwhile.
        """
        self.prepare([process], overrides)
        handle = self._handles[process.service_name]
        if handle.state is not State.PREPARED:
            raise CannotStart(f"{handle.name} is started already.")
        needed = [self._handles[n] for n in process.depends_on if n in self._handles]
        self._turn_until(lambda: all(other.was_ready for other in needed))
        handle.silent = silent
        handle.spawn()
        self._note("service_starting", handle)
        return handle.pid

    def wait_ready(self, name: str) -> str:
        """Wait until a service is ready; returns its address."""
        handle = self._handles[name]
        self._turn_until(lambda: handle.was_ready or handle.state is State.FINISHED)
        return handle.address

    def run(self, name: str) -> None:
        """
        Turn until a signal asks to stop, or the service *name* ends by itself and may.

        Raises:
            CannotStart: If a service cannot start, or dies too often.
        """
        last = self._handles[name]

        def all_ready() -> bool:
            return self.signals.asked or all(
                handle.was_ready or handle.state is State.FINISHED
                for handle in self._handles.values()
            )

        with self.signals:
            try:
                self._turn_until(all_ready)
                if self.announce is not None:
                    self.announce({h.name: h.address for h in self._handles.values()})
                self._turn_until(lambda: last.state is State.FINISHED)
            except StopAsked:
                return

    def stop(self, name: str) -> None:
        """Stop a service and wait for its end. Unknown, half-started or stopped: harmless."""
        handle = self._handles.get(name)
        if handle is None:
            return
        limit_s = float(self._booted({}).values["stop_limit_s"])
        # Nobody new may connect; who waits in the backlog is refused instead of left hanging.
        handle.release(handle.state)
        handle.signal(signal.SIGTERM)
        if not self._wait_for_end(handle, limit_s):
            self._note("service_killed", handle, after_s=limit_s)
            handle.signal(signal.SIGKILL)
            self._wait_for_end(handle, _KILL_LIMIT_S, patient=True)
        handle.release(State.STOPPED)
        self._note("service_stopped", handle)
        del self._handles[name]
        self._close_if_idle()

    def _booted(self, overrides: Mapping[str, object]) -> Boot:
        if self._boot is None:
            try:
                raise_open_files()  # before the first child, which inherits it
                self._boot = boot(overrides)
                self._share = share_data_dir(self._boot.data_dir)
                self._log = supervisor_log(self._boot.data_dir)
            except BaseException:
                self._close_if_idle()
                raise
            self._last_turn = time.monotonic()
        return self._boot

    def _close_if_idle(self) -> None:
        if self._handles:
            return
        if self._share is not None and self._boot is not None:
            remove_record(record_path(self._boot.data_dir, os.getpid()))
            self._share.release()
        if self._log is not None:
            close_log(self._log)
        self._boot = self._share = self._log = None
        end_fork_server()

    def _turn_until(self, done: Callable[[], bool]) -> None:
        while not done():
            if self.signals.asked:
                raise StopAsked
            self._turn(_TURN_S)

    def _turn(self, limit_s: float) -> None:
        """Wait for news, at most *limit_s*, and act on them."""
        handles = list(self._handles.values())
        pauses = [h.due - time.monotonic() for h in handles if h.state is State.PAUSING]
        self._sleep(handles, max(0.0, min([limit_s, *pauses])))
        now = time.monotonic()
        # If we ourselves were stopped or starved for long, nobody owes us beats for that time.
        passed_s, self._last_turn = min(now - self._last_turn, _TURN_S), now
        changed = False
        for handle in handles:
            changed |= handle.listen()
            if handle.has_ended():
                self._decide_after_end(handle)
                changed = True
            elif handle.state is State.PAUSING and now >= handle.due:
                handle.spawn()
                self._note("service_restarting", handle)
            elif handle.hangs(passed_s):
                self._note("service_hangs", handle)
                handle.signal(signal.SIGKILL)
        if changed:
            self._write_record()

    def _sleep(self, handles: Iterable[ServiceHandle], limit_s: float) -> None:
        news: list[object] = [self.signals.wakeup]
        for handle in handles:
            if handle.sentinel is not None:
                news.append(handle.sentinel)
            if handle.control is not None and not handle.control.ended:
                news.append(handle.control.pipe)
        wait(news, limit_s)  # type: ignore[arg-type] # typeshed wants one kind of them
        self.signals.drain()

    def _decide_after_end(self, handle: ServiceHandle) -> None:
        """A process has ended though nobody asked. Restart it, or end it all."""
        if handle.exit_code == 0 and not handle.process.runs_for_ever:
            handle.was_ready = True
            handle.release(State.FINISHED)
            self._note("service_finished", handle)
            return
        self._note("service_died", handle, exit_code=handle.exit_code, said=handle.sentence)
        was_killed = handle.exit_code is not None and handle.exit_code < 0
        if not handle.was_ready and not was_killed:
            raise CannotStart(handle.sentence or self._unexplained(handle))
        pause = handle.plan_restart()
        if pause is None:
            raise CannotStart(
                f"{handle.name} has died more than {RESTARTS_LIMIT} times within"
                f" {RESTARTS_WITHIN_S:.0f} seconds, so the server ends."
                f" {handle.sentence or f'The reason is in {self._log_of(handle)}.'}"
            )

    def _unexplained(self, handle: ServiceHandle) -> str:
        return (
            f"{handle.name} ended with exit code {handle.exit_code} before it was ready;"
            f" the reason is in {self._log_of(handle)}."
        )

    def _log_of(self, handle: ServiceHandle) -> str:
        assert self._boot is not None
        return str(log_path(self._boot.data_dir, handle.name))

    def _wait_for_end(
        self, handle: ServiceHandle, limit_s: float, *, patient: bool = False
    ) -> bool:
        """Wait for the end of one process that was told to end. Restarts nobody meanwhile."""
        begin = time.monotonic()
        while handle.sentinel is not None and not handle.has_ended():
            limit_now = _HURRY_S if self.signals.hurried and not patient else limit_s
            left = begin + limit_now - time.monotonic()
            if left <= 0:
                return False
            self._sleep([handle], left)
            handle.listen()
        return True

    def _note(self, event: str, handle: ServiceHandle, **facts: object) -> None:
        if self._log is not None:
            self._log.info(
                event, extra={"service": handle.name, "service_pid": handle.pid, **facts}
            )
        self._write_record()

    def _write_record(self) -> None:
        if self._boot is not None:
            records = [h.record() for h in self._handles.values() if h.pid]
            write_record(self._boot.data_dir, records, self._boot.vault_keys())


def _prepare(process: "AppProcess", booted: Boot) -> ServiceHandle:
    lock = take_service(booted.data_dir, process.service_name)
    try:
        outlive_predecessors(booted.data_dir)
        listener = None
        if process.host_setting and process.port_setting:
            listener = listen(
                booted.text(process.host_setting),
                int(booted.values[process.port_setting]),
                host_setting=process.host_setting,
                port_setting=process.port_setting,
            )
    except BaseException:
        lock.release()
        raise
    handle = ServiceHandle(process, booted, lock, listener)
    if listener is not None:
        handle.address = address_of(listener)
    return handle


_supervisors: list[Supervisor] = []


def current() -> Supervisor:
    """Return the supervisor of this process. It is made on first use."""
    if not _supervisors:
        _supervisors.append(Supervisor())
    return _supervisors[0]

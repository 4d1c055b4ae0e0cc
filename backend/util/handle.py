"""One supervised service, seen from the supervisor: its process, its state, its history."""

import signal
import socket
import time
from collections import deque
from contextlib import nullcontext
from enum import StrEnum
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Final

from backend.util.boot import Boot, main_module_hidden, no_resource_tracker, process_context
from backend.util.child import run_service
from backend.util.control import ControlReader
from backend.util.identity import Identity, identify, kill_for_certain
from backend.util.locks import HeldLock
from backend.util.record import ServiceRecord

if TYPE_CHECKING:
    from backend.util.process import AppProcess

BEAT_S: Final = 5.0  #: how often a service says that its loop turns
SILENCE_LIMIT_S: Final = 30.0  #: three misses of 10 s
RESTARTS_LIMIT: Final = 10  #: more than so many …
RESTARTS_WITHIN_S: Final = 60.0  #: … within this time end the server
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
_DEATH_LIMIT_S: Final = 5.0


class State(StrEnum):
    """Where a service is between its start and its end."""

    PREPARED = "prepared"  #: has its lock and its port, and no process
    STARTING = "starting"
    READY = "ready"
    PAUSING = "restarting"  #: died; waits for its next try
    FINISHED = "finished"  #: ended by itself, and may
    STOPPED = "stopped"


class ServiceHandle:
    """Starts, watches and ends the process of one service. Decides nothing about the others."""

    def __init__(
        self,
        process: "AppProcess",
        boot: Boot,
        lock: HeldLock,
        listener: socket.socket | None,
    ) -> None:
        self.process = process
        self.name = process.service_name
        self.state = State.PREPARED
        self.address = ""
        self.sentence = ""  #: what the service itself said about its failure
        self.due = 0.0  #: when the next try is, by the monotonic clock
        self.was_ready = False
        self.exit_code: int | None = None
        self.identity: Identity | None = None
        self.silent = False
        self._silent_for_s: float | None = None  # None: never gave a beat, so owes none
        self._restarts: deque[float] = deque()
        self._boot = boot
        self._lock = lock
        self.listener = listener
        self._child: BaseProcess | None = None
        self.control: ControlReader | None = None

    @property
    def pid(self) -> int:
        """Pid of the present process; 0 if there is none."""
        return self.identity.pid if self.identity else 0

    @property
    def sentinel(self) -> int | None:
        """A descriptor that becomes readable when the process ends."""
        return None if self._child is None else self._child.sentinel

    def spawn(self) -> None:
        """Start a process. Returns when it exists; it is not ready yet."""
        context = process_context()
        ours, theirs = context.Pipe(duplex=False)
        arguments = (
            self.process,
            theirs,
            self.listener,
            self._boot.settings_json,
            dict(self._boot.sources),
            self.silent,
        )
        child = context.Process(target=run_service, args=arguments, name=self.name)  # type: ignore[attr-defined] # typeshed: only concrete contexts
        hidden = type(self.process).__module__ != "__main__"
        with main_module_hidden() if hidden else nullcontext(), no_resource_tracker():
            child.start()
        theirs.close()
        self._child = child
        self.control = ControlReader(ours)
        self.identity = identify(child.pid) or Identity(pid=child.pid, birth="gone")
        self.state = State.STARTING
        self.sentence = ""
        self.exit_code = None
        self._silent_for_s = None

    def listen(self) -> bool:
        """Take in what the service has said. Tells whether that changed its state."""
        if self.control is None:
            return False
        changed = False
        for message in self.control.read():
            if self._silent_for_s is not None or "beat" in message:
                self._silent_for_s = 0.0
            if "failed" in message:
                self.sentence = str(message["failed"])
            if "ready" in message and self.state is State.STARTING:
                self.state = State.READY
                self.was_ready = True
                self.address = str(message["ready"])
                changed = True
        return changed

    def has_ended(self) -> bool:
        """Tell whether its process is gone; if so, keep the exit code and let go of the process."""
        if self._child is None or self._child.exitcode is None:
            return False
        self.listen()
        # When the fork server is killed, its children look dead and are not. Two processes of one
        # service must never work at the same time.
        if self.identity is not None:
            kill_for_certain([self.identity], limit_s=_DEATH_LIMIT_S)
        self.exit_code = self._child.exitcode
        self._let_go()
        return True

    def hangs(self, passed_s: float) -> bool:
        """Count *passed_s* as silence and tell whether it is too much."""
        if self._silent_for_s is None:
            return False
        self._silent_for_s += passed_s
        return self._silent_for_s > SILENCE_LIMIT_S

    def plan_restart(self) -> float | None:
        """Plan the next try; returns the pause before it, or None if there were too many."""
        now = time.monotonic()
        while self._restarts and now - self._restarts[0] > RESTARTS_WITHIN_S:
            self._restarts.popleft()
        if len(self._restarts) >= RESTARTS_LIMIT:
            return None
        pause: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** len(self._restarts))
        self._restarts.append(now)
        self.due = now + pause
        self.state = State.PAUSING
        return pause

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._child is None:
            return
        if number is signal.SIGKILL:
            self._child.kill()
        else:
            self._child.terminate()

    def release(self, state: State) -> None:
        """Give back the port and the lock. Twice is harmless."""
        self.state = state
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        self._lock.release()

    def record(self) -> ServiceRecord:
        """Return what others may know."""
        birth = self.identity.birth if self.identity else ""
        return ServiceRecord(
            name=self.name,
            state=self.state.value,
            pid=self.pid,
            birth=birth,
            address=self.address,
        )

    def _let_go(self) -> None:
        assert self._child is not None
        self._child.join()
        self._child.close()
        self._child = None
        self.identity = None
        if self.control is not None:
            self.control.close()
            self.control = None

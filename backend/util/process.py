"""`AppProcess`: one service of the server as others see it. The work behind it is in supervisor.py."""

from types import TracebackType
from typing import ClassVar, Self

from backend.util.child import Surroundings
from backend.util.signals import StopSignals
from backend.util.supervisor import current


class AppProcess:
    """
    A service that runs in a supervised process of its own.

    A subclass says what it does in `run`, which ends when it is done or by SystemExit on SIGTERM.

    Attributes:
        depends_on: Service names that must be ready before this one starts, if they are here.
        reports_ready: Whether `run` itself says when it is ready. Else it is so at once.
        runs_for_ever: Whether an end that nobody asked for is a fault even with exit code 0.
        host_setting: Name of the setting with the host on which to listen; empty: none.
        port_setting: Name of the setting with the port.
        log_level_setting: Name of the setting with the level of its log.
    """

    depends_on: ClassVar[tuple[str, ...]] = ()
    reports_ready: ClassVar[bool] = False
    runs_for_ever: ClassVar[bool] = False
    host_setting: ClassVar[str] = ""
    port_setting: ClassVar[str] = ""
    log_level_setting: ClassVar[str] = "log_level"

    log_level: str | None = None
    _surroundings: Surroundings | None = None

    @property
    def service_name(self) -> str:
        """The name in logs, in `agpt status` and in the title of the process."""
        return type(self).__name__

    def set_log_level(self, level: str) -> Self:
        """Log from *level* on instead of what the settings say. Before `start`."""
        self.log_level = level
        return self

    def start(self, background: bool, silent: bool = False, **kwargs: object) -> int:  # noqa: FBT001, FBT002 -- contract
        """
        Start the service in a supervised process.

        Args:
            background: Return when the process exists. Else stay until a signal asks to stop, and
                supervise all that was started before, too.
            silent: The service writes nothing to the terminal.
            kwargs: Settings by name, as if the command line said them. The first start counts.

        Returns:
            The pid, or 0 when it ran in the foreground.

        Raises:
            BadSetting, CannotStart: With one sentence for the user.
        """
        supervisor = current()
        if background:
            return supervisor.start(self, kwargs, silent=silent)
        with supervisor.signals:
            supervisor.start(self, kwargs, silent=silent)
            supervisor.run(self.service_name)
        return 0

    def stop(self) -> None:
        """Stop it and wait for its end. Twice, or half-started: harmless."""
        current().stop(self.service_name)

    def wait_ready(self) -> str:
        """Wait until it is ready; returns its address, which may be empty."""
        return current().wait_ready(self.service_name)

    def run(self) -> None:
        """Do the work. Called in the service's own process."""
        raise NotImplementedError

    def cleanup(self) -> None:
        """Let go of what `run` holds. Called once, in the service's own process, after `run`."""

    def enter(self, surroundings: Surroundings) -> None:
        """Learn where it runs. Called in the service's own process, before `run`."""
        self._surroundings = surroundings

    def __enter__(self) -> Self:
        try:
            self.start(background=True)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def stop_signals() -> StopSignals:
    """Return what counts SIGINT and SIGTERM for the supervisor of this process."""
    return current().signals

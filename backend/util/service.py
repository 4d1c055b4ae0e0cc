"""`AsyncService`: a service that is one event loop. Importing this costs little: the supervisor does."""

import signal
import socket
from typing import TYPE_CHECKING, ClassVar

from backend.core.errors import AgentServerError
from backend.util.child import Surroundings
from backend.util.control import ControlLine
from backend.util.handle import BEAT_S
from backend.util.process import AppProcess

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from backend.settings import Settings


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
        sources: "Mapping[str, str]",
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


class AsyncService(AppProcess):
    """A service whose work is the coroutine `serve`."""

    reports_ready: ClassVar[bool] = True
    runs_for_ever: ClassVar[bool] = True

    async def serve(
        self, settings: "Settings", started: ServiceStarted, stopping: "asyncio.Event"
    ) -> None:
        """
        Work until *stopping* is set, then drain and return.

        Args:
            settings: All settings, frozen.
            started: To be called once, when requests are answered.
            stopping: Is set on SIGTERM. The service is killed if it needs longer than
                `stop_limit_s` from then on.

        Raises:
            AgentServerError: If it cannot start; the user is shown the message.
        """
        raise NotImplementedError

    def run(self) -> None:
        """Run `serve` in an event loop, with logs, beats and signals."""
        import asyncio  # noqa: PLC0415 -- not in the supervisor

        import structlog  # noqa: PLC0415 -- the same
        import uvloop  # noqa: PLC0415 -- the same

        from backend.settings import Settings, load_settings  # noqa: PLC0415 -- the same
        from backend.telemetry import close_logging, configure_logging  # noqa: PLC0415 -- the same

        # Until the loop listens, SIGTERM waits: in the middle of the set-up it would tear.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        around = self._surroundings
        if around is None:
            settings, sources = load_settings()
            around = Surroundings(settings_json="", sources=sources)
        else:
            settings = Settings.from_json(around.settings_json)
        level = self.log_level or getattr(settings, self.log_level_setting)
        configure_logging(settings, self.service_name, level)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(settings, around))
        except AgentServerError as exc:
            structlog.get_logger().error("service_failed", reason=str(exc))
            raise
        except Exception:
            # The terminal may be far away; here is where people look.
            structlog.get_logger().exception("service_failed")
            raise
        finally:
            close_logging()

    async def _serve(self, settings: "Settings", around: Surroundings) -> None:
        import asyncio  # noqa: PLC0415 -- not in the supervisor

        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stopping.set)
        if not around.control.has_supervisor:
            loop.add_signal_handler(signal.SIGINT, stopping.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        started = ServiceStarted(self.service_name, around.sources, around.control, around.listener)

        # Beats come from the loop itself, not from a thread: a loop that hangs must fall silent.
        def beat() -> None:
            around.control.beat()
            loop.call_later(BEAT_S, beat)

        beat()
        await self.serve(settings, started, stopping)

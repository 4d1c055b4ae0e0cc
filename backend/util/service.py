"""`AsyncService`: a service that is one event loop. Importing this costs little: the supervisor does."""

import signal
from typing import TYPE_CHECKING, ClassVar

from backend.core.errors import AgentServerError, Unavailable
from backend.util.child import Surroundings
from backend.util.control import ServiceStarted
from backend.util.handle import BEAT_S
from backend.util.process import AppProcess

if TYPE_CHECKING:
    import asyncio

    from backend.settings import Settings


__all__ = ["AsyncService", "ServiceStarted"]


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
        except Unavailable as exc:
            # What it needs is away for a moment: the supervisor starts it again.
            structlog.get_logger().warning("service_failed", reason=str(exc))
            raise
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

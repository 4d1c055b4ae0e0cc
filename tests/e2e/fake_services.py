"""
Three small services under the real supervisor, as a program: `python -m tests.e2e.fake_services`.

Each prints what happens to it, one line per event: `<service> <event> <pid>`. The arguments name
what goes wrong: `<service>=<fault>`.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from backend.app import run_processes
from backend.core.errors import AgentServerError, CannotStart, Unavailable
from backend.util import handle, service
from backend.util.entry import run_as_program
from backend.util.process import AppProcess
from backend.util.service import AsyncService, ServiceStarted

# The same rules, faster. Children import this module, too.
handle._FIRST_PAUSE_S = 0.001  # type: ignore[misc]
handle.SILENCE_LIMIT_S = 1.5  # type: ignore[misc]
service.BEAT_S = 0.2  # type: ignore[attr-defined] # not for others, but it is there


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


class Fake(AsyncService):
    """Prints, serves its pid, and has the fault that it is told to have."""

    fault = ""

    def say(self, event: str) -> None:
        _say(f"{self.service_name} {event} {os.getpid()}")

    async def serve(
        self,
        settings: object,  # noqa: ARG002 -- a fake needs none
        started: ServiceStarted,
        stopping: asyncio.Event,
    ) -> None:
        self.say("starting")
        self.fail_early()
        if self.fault == "slow":
            await asyncio.sleep(1)
        server = None
        if started.listener is not None:
            server = await asyncio.start_server(self.answer, sock=started.listener)
        started("here")
        self.say("ready")
        await self.fail_late()
        await stopping.wait()
        self.say("stopping")
        if self.fault == "never_stops":
            await asyncio.Event().wait()
        if server is not None:
            server.close()

    def fail_early(self) -> None:
        if self.fault == "cannot_start":
            raise CannotStart("The moon is in the wrong house.")
        if self.fault == "broken":
            raise RuntimeError("nobody expected this")
        if self.fault == "away_at_second_start":
            starts = Path(os.environ["AGPT_DATA_DIR"]) / "starts"
            with starts.open("a", encoding="utf-8") as file:
                file.write("x")
            if starts.stat().st_size == 2:
                raise Unavailable("the database does not answer")
        if self.fault == "dies_once":
            mark = Path(os.environ["AGPT_DATA_DIR"]) / "died"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), 9)

    async def fail_late(self) -> None:
        if self.fault == "dies_again_and_again":
            os._exit(3)
        if self.fault == "hangs_once":
            mark = Path(os.environ["AGPT_DATA_DIR"]) / "hung"
            if not mark.exists():
                mark.touch()
                time.sleep(600)  # noqa: ASYNC251 -- this is the fault

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(os.getpid()).encode())
        await writer.drain()
        writer.close()


class Base(Fake):
    """Everything else needs it."""


class Door(Fake):
    """Listens."""

    depends_on = ("Base",)
    host_setting = "agent_api_host"
    port_setting = "agent_api_port"


class Engine(Fake):
    """Runs in the foreground."""

    depends_on = ("Base",)


class Task(AppProcess):
    """A plain process that ends by itself."""

    def run(self) -> None:
        _say(f"Task done {os.getpid()}")


def main() -> None:
    """Run them; arguments are faults, or `task` for a plain process in the foreground."""
    services: dict[str, Fake] = {"Door": Door(), "Base": Base(), "Engine": Engine()}
    processes: list[AppProcess] = [*services.values()]
    for argument in sys.argv[1:]:
        name, _, fault = argument.partition("=")
        if name == "task":
            processes.append(Task())
        else:
            services[name].fault = fault

    def work() -> None:
        # In one piece, as the services do: what `print` writes in two, a line may come between.
        run_processes(*processes, announce=lambda _: _say("everything is up"))

    run_as_program(work)


if __name__ == "__main__":
    sys.modules["tests.e2e.fake_services"] = sys.modules["__main__"]
    try:
        main()
    except AgentServerError:
        sys.exit(99)

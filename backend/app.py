"""The whole server: six services under one supervisor. Also how any set of services is run."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from backend.core.errors import CannotStart
from backend.util.entry import options_from_command_line, run_as_program

Announce = Callable[[Mapping[str, str]], None]


class Startable(Protocol):
    """What `run_processes` needs of a process."""

    @property
    def service_name(self) -> str:
        """The name in logs."""

    def start(self, background: bool, silent: bool = False, **kwargs: Any) -> int:  # noqa: FBT001, FBT002 -- contract
        """Start it; in the foreground, return when it has ended."""

    def stop(self) -> None:
        """Stop it, whatever its state."""


def main(*, announce: Announce | None = None, **kwargs: Any) -> None:
    """
    Run the whole server until a signal stops it.

    Args:
        announce: See `run_processes`. Without it, and unless *silent*, people are told the
            addresses and what to do next.
        kwargs: `silent`, and settings by name.
    """
    options = options_from_command_line("app", text="Run the whole agent server.")

    def work() -> None:
        from backend.api.rest_api import AgentServer  # noqa: PLC0415 -- after the word to Windows
        from backend.api.ws_api import WebsocketServer  # noqa: PLC0415 -- the same
        from backend.executor import (  # noqa: PLC0415 -- the same
            DatabaseManager,
            ExecutionManager,
            Scheduler,
        )
        from backend.notifications import NotificationManager  # noqa: PLC0415 -- the same

        run_processes(
            DatabaseManager(),
            Scheduler(),
            NotificationManager(),
            WebsocketServer(),
            AgentServer(),
            ExecutionManager(),
            announce=announce or (None if kwargs.get("silent") else _greet),
            **{**options, **kwargs},
        )

    run_as_program(work)


def run_processes(*processes: Startable, announce: Announce | None = None, **kwargs: Any) -> None:
    """
    Start all but the last in the background and the last in the foreground; at the end stop all.

    They start in the order given, except that what a process depends on comes before it. They stop
    in reverse, whatever happens; one that fails to stop does not keep the others running.

    Args:
        processes: With their own ideas of what starting means, if they are not ours.
        announce: Called once with the addresses by service name, when all are ready.
        kwargs: Handed to each `start`.

    Raises:
        CannotStart: Also if the dependencies form a circle.
    """
    if not processes:
        return
    ordered = in_start_order(processes)
    with _supervised(ordered, announce):
        try:
            _prepare(ordered, kwargs)
            for process in ordered[:-1]:
                process.start(background=True, **kwargs)
            ordered[-1].start(background=False, **kwargs)
        finally:
            _stop_all(ordered)


def in_start_order(processes: Sequence[Startable]) -> list[Startable]:
    """Return *processes* so that each comes after what it depends on, else as they are."""
    by_name = {process.service_name: process for process in processes}
    ordered: list[Startable] = []
    path: list[str] = []

    def visit(process: Startable) -> None:
        if any(process is done for done in ordered):
            return
        name = process.service_name
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise CannotStart(f"These services depend on each other in a circle: {circle}.")
        path.append(name)
        needed = getattr(process, "depends_on", ())
        for other in needed if isinstance(needed, tuple) else ():
            if other in by_name:
                visit(by_name[other])
        path.pop()
        ordered.append(process)

    for process in processes:
        visit(process)
    return ordered


def banner(addresses: Mapping[str, str]) -> list[str]:
    """Return what people are told when all services are ready."""
    return [
        "agpt is ready.",
        f"  REST       http://{addresses.get('AgentServer', '')}/api",
        f"  WebSocket  ws://{addresses.get('WebsocketServer', '')}/ws",
        "  Token      agpt token",
        "  Try        agpt run --server --sample",
        "Ctrl-C stops it.",
    ]


def _greet(addresses: Mapping[str, str]) -> None:
    print("\n".join(banner(addresses)), flush=True)  # noqa: T201 -- for the person who started it


@contextmanager
def _supervised(processes: Sequence[Startable], announce: Announce | None) -> Iterator[None]:
    """Catch signals from before the first start until after the last stop."""
    from backend.util.process import AppProcess  # noqa: PLC0415 -- after the word to Windows
    from backend.util.supervisor import current  # noqa: PLC0415 -- the same

    if not any(isinstance(process, AppProcess) for process in processes):
        yield
        return
    supervisor = current()
    supervisor.announce = announce
    try:
        with supervisor.signals:
            yield
    finally:
        supervisor.announce = None


def _prepare(processes: Sequence[Startable], kwargs: Mapping[str, Any]) -> None:
    """Take all ports and locks before the first process starts, so that what cannot work fails early."""
    from backend.util.process import AppProcess  # noqa: PLC0415 -- after the word to Windows
    from backend.util.supervisor import current  # noqa: PLC0415 -- the same

    ours = [process for process in processes if isinstance(process, AppProcess)]
    if ours:
        current().prepare(ours, {name: v for name, v in kwargs.items() if name != "silent"})


def _stop_all(processes: Sequence[Startable]) -> None:
    for process in reversed(processes):
        try:
            process.stop()
        except Exception:  # one service that cannot be stopped must not keep the others running
            logging.getLogger(__name__).exception("%s could not be stopped", process.service_name)


if __name__ == "__main__":
    main()

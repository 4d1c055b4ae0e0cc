"""Entry module: the notification service alone, under its own supervisor."""

from typing import Any

from backend.app import run_processes
from backend.util.entry import options_from_command_line, run_as_program


def main(**kwargs: Any) -> None:
    """Run the notification service until a signal stops it. Takes `silent`, and settings by name."""
    options = options_from_command_line(
        "notification",
        text="Run the notification service.",
        host_setting="pyro_host",
        port_setting="notification_service_port",
    )

    def work() -> None:
        from backend.notifications import NotificationManager  # noqa: PLC0415 -- after the word to Windows

        run_processes(NotificationManager(), **{**options, **kwargs})

    run_as_program(work)


if __name__ == "__main__":
    main()

"""Entry module: the database manager alone, under its own supervisor."""

from typing import Any

from backend.app import run_processes
from backend.util.entry import options_from_command_line, run_as_program


def main(**kwargs: Any) -> None:
    """Run the database manager until a signal stops it. Takes `silent`, and settings by name."""
    options = options_from_command_line(
        "db",
        text="Run the database manager.",
        host_setting="pyro_host",
        port_setting="database_api_port",
    )

    def work() -> None:
        from backend.executor import DatabaseManager  # noqa: PLC0415 -- after the word to Windows

        run_processes(DatabaseManager(), **{**options, **kwargs})

    run_as_program(work)


if __name__ == "__main__":
    main()

"""Entry module: the executor alone, under its own supervisor."""

from typing import Any

from backend.app import run_processes
from backend.util.entry import options_from_command_line, run_as_program


def main(**kwargs: Any) -> None:
    """Run the executor until a signal stops it. Takes `silent`, and settings by name."""
    options = options_from_command_line(
        "executor",
        "exec",
        text="Run the executor.",
        host_setting="pyro_host",
        port_setting="execution_manager_port",
    )

    def work() -> None:
        from backend.executor import ExecutionManager  # noqa: PLC0415 -- after the word to Windows

        run_processes(ExecutionManager(), **{**options, **kwargs})

    run_as_program(work)


if __name__ == "__main__":
    main()

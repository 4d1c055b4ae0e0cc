"""Entry module: the REST service alone, under its own supervisor."""

from typing import Any

from backend.app import run_processes
from backend.util.entry import options_from_command_line, run_as_program


def main(**kwargs: Any) -> None:
    """Run the REST service until a signal stops it. Takes `silent`, and settings by name."""
    options = options_from_command_line(
        "rest",
        text="Run the REST service.",
        host_setting="agent_api_host",
        port_setting="agent_api_port",
    )

    def work() -> None:
        from backend.api.rest_api import AgentServer  # noqa: PLC0415 -- after the word to Windows

        run_processes(AgentServer(), **{**options, **kwargs})

    run_as_program(work)


if __name__ == "__main__":
    main()

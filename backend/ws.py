"""Entry module: the WebSocket service alone, under its own supervisor."""

from typing import Any

from backend.app import run_processes
from backend.util.entry import options_from_command_line, run_as_program


def main(**kwargs: Any) -> None:
    """Run the WebSocket service until a signal stops it. Takes `silent`, and settings by name."""
    options = options_from_command_line(
        "ws",
        text="Run the WebSocket service.",
        host_setting="websocket_server_host",
        port_setting="websocket_server_port",
    )

    def work() -> None:
        from backend.api.ws_api import WebsocketServer  # noqa: PLC0415 -- after the word to Windows

        run_processes(WebsocketServer(), **{**options, **kwargs})

    run_as_program(work)


if __name__ == "__main__":
    main()

"""What the entry modules share: their options, their exit codes, and the word to Windows."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from backend import __version__
from backend.core.errors import AgentServerError

USAGE_ERROR = 2


def options_from_command_line(
    *programs: str, text: str, host_setting: str = "", port_setting: str = ""
) -> dict[str, object]:
    """
    Return settings by name from `sys.argv`, or nothing if none of *programs* was started from there.

    A main() may be called by a program with a command line of its own, a test runner for one.
    """
    if Path(sys.argv[0]).stem not in programs:
        return {}
    parser = argparse.ArgumentParser(prog=programs[0], description=text, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=__version__)
    if host_setting:
        parser.add_argument(
            "--host", dest=host_setting, help=f"environment: {host_setting.upper()}"
        )
    if port_setting:
        parser.add_argument(
            "--port", dest=port_setting, help=f"environment: {port_setting.upper()}"
        )
    parser.add_argument("--log-level", dest="log_level", help="environment: LOG_LEVEL")
    parser.add_argument("--data-dir", dest="agpt_data_dir", help="environment: AGPT_DATA_DIR")
    options = vars(parser.parse_args())
    return {name: value for name, value in options.items() if value is not None}


def refuse_windows() -> None:
    """End with one sentence on Windows: services need Unix sockets, signals and kernel locks."""
    if os.name == "nt":
        print("agpt: Windows is not supported; run agpt inside WSL.", file=sys.stderr)  # noqa: T201 -- a program's last words
        raise SystemExit(USAGE_ERROR)


def run_as_program(work: Callable[[], None]) -> None:
    """Run *work*; an error of ours becomes one sentence and exit code 1."""
    refuse_windows()
    try:
        work()
    except AgentServerError as exc:
        fail(str(exc))


class Failed(SystemExit):
    """The program ends with exit code 1; *sentence* says why, and has been shown."""

    def __init__(self, sentence: str) -> None:
        super().__init__(1)
        self.sentence = sentence


def fail(sentence: str) -> NoReturn:
    """Say why it ends, and end."""
    print(f"agpt: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 -- a program's last words
    raise Failed(sentence)

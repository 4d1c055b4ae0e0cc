"""What workers do in the tests of the pool."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.sdk import Block, BlockContext, pin, pins


def pid() -> int:
    return os.getpid()


def surroundings() -> dict[str, str]:
    return dict(os.environ)


def given(value: Any) -> Any:
    return value


def nothing_json() -> bytes:
    return b"raw"


def shout() -> None:
    for _ in range(1000):
        sys.stdout.write("x" * 10_000)
        sys.stderr.write("x" * 10_000)


def crash() -> None:
    os.kill(os.getpid(), 11)


def leaves_a_child(place: str) -> None:
    child = subprocess.Popen(["sleep", "3600"])
    Path(place).write_text(str(child.pid))
    while True:
        pass


def deaf() -> None:
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - it is as bad as can be
            continue


class FloodBlock(Block):
    """Gives large values, and notes how many it got rid of."""

    id = "00000000-0000-4000-8000-000000000021"

    @pins
    class Input:
        place: str = pin()

    @pins
    class Output:
        result: Any = pin()

    def run(self, inputs: Input, _: BlockContext) -> Iterator[tuple[str, Any]]:
        with Path(inputs.place).open("w", buffering=1) as notes:
            for _number in range(50):
                yield "result", "x" * 1_000_000
                notes.write(".")

"""Blocks that run away from the event loop, and do what no block should."""

import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from backend.sdk import Block, BlockContext, Effect, Place, pin, pins


@pins
class DeedInput:
    how: str = pin(description="What it does.")
    place: str = pin(default="", description="A file that it may write to.")


@pins
class DeedOutput:
    result: Any = pin(description="What comes of it.")


class DeedBlock(Block):
    """Does in a worker process what its input says."""

    id = "00000000-0000-4000-8000-000000000011"
    effect = Effect.PURE
    place = Place.PROCESS
    Input, Output = DeedInput, DeedOutput

    def run(self, inputs: DeedInput, context: BlockContext) -> Iterator[tuple[str, Any]]:
        if inputs.place:
            Path(inputs.place).write_text(str(os.getpid()))
        yield "result", inputs.how
        yield from DEEDS[inputs.how](inputs, context)


class ThreadedBlock(Block):
    """Says in which thread it is; waits there until it is let go."""

    id = "00000000-0000-4000-8000-000000000012"
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = 100
    Input, Output = DeedInput, DeedOutput
    let_go: ClassVar[threading.Event] = threading.Event()

    def run(self, inputs: DeedInput, _: BlockContext) -> Iterator[tuple[str, Any]]:
        yield "result", threading.current_thread() is threading.main_thread()
        if inputs.how.startswith("wait"):
            self.let_go.wait(20)
        if inputs.how.startswith("exit"):
            raise SystemExit(3)
        if inputs.how.startswith("bytes"):
            yield "result", b"no JSON"
        yield "result", "end"


class FarBlock(Block):
    """Asks a worker process for a function's result."""

    id = "00000000-0000-4000-8000-000000000013"
    effect = Effect.READ
    Input, Output = DeedInput, DeedOutput

    async def run(self, inputs: DeedInput, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        wanted = os.getpid if inputs.how == "stranger" else pid_and
        yield "result", await context.to_process(wanted, inputs.how)


PLACED = (DeedBlock, ThreadedBlock, FarBlock)


def pid_and(word: str) -> list[Any]:
    return [os.getpid(), word]


def spin(*_: Any) -> NoReturn:
    while True:
        pass


def leak(*_: Any) -> NoReturn:
    kept = []
    while True:
        kept.append(bytearray(1024 * 1024))


def sleep(*_: Any) -> NoReturn:
    time.sleep(3600)
    raise AssertionError


def leave(*_: Any) -> NoReturn:
    os._exit(7)


def system_exit(*_: Any) -> NoReturn:
    raise SystemExit(3)


def interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def flood(*_: Any) -> Iterator[tuple[str, Any]]:
    while True:
        yield "result", "x" * 1000


def raw(*_: Any) -> Iterator[tuple[str, Any]]:
    yield "result", b"no JSON"


def wrong_pin(*_: Any) -> Iterator[tuple[str, Any]]:
    yield "nowhere", 1


def refuse(*_: Any) -> NoReturn:
    raise ValueError("not like this")


def facts(_: DeedInput, context: BlockContext) -> Iterator[tuple[str, Any]]:
    yield "result", [context.user_id, context.node_exec_id, context.now().year > 2000]


def three(*_: Any) -> Iterator[tuple[str, Any]]:
    for number in range(3):
        yield "result", number


DEEDS: dict[str, Callable[[DeedInput, BlockContext], Iterable[tuple[str, Any]]]] = {
    "spin": spin,
    "leak": leak,
    "sleep": sleep,
    "leave": leave,
    "system_exit": system_exit,
    "interrupt": interrupt,
    "flood": flood,
    "raw": raw,
    "wrong_pin": wrong_pin,
    "refuse": refuse,
    "facts": facts,
    "three": three,
}

"""Breaks one promise of the engine, named by BROKEN_PROMISE, in every process with this in PYTHONPATH."""

import asyncio
import functools
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def repeat_what_must_not_be(recovery: ModuleType) -> None:
    """A node with an unknown outcome runs again, whatever its effect."""
    vars(recovery)["unknown_outcome"] = lambda _: None


def run_again_what_has_finished(journal: ModuleType) -> None:
    """What had finished is found running after a restart."""
    from backend.core.status import Status  # noqa: PLC0415 -- in its own process

    load = journal.load_nodes

    @functools.wraps(load)
    def load_nodes(*arguments: Any) -> Any:
        found = load(*arguments)
        for one in found:
            if one.status is Status.COMPLETED and one.node.block.name == "SendWebRequestBlock":
                one.status, one.end_us, one.outputs, one.routed = Status.RUNNING, None, [], 0
        return found

    vars(journal)["load_nodes"] = load_nodes


def tell_before_the_commit(journal: ModuleType) -> None:
    """Events leave while their rows are on their way to the disk."""
    take = journal.Journal._take

    def tell(self: Any, *arguments: Any) -> Any:
        part, change = take(self, *arguments)
        for topic, event in part.events:
            self.publisher.publish(topic, event)
        return part, change

    journal.Journal._take = tell


def accept_before_the_commit(storage: ModuleType) -> None:
    """The client hears that its run was taken, and a moment later it is written."""
    submit = storage.SqlStorage.submit
    tasks = set()

    async def submit_later(self: Any, run: Any) -> Any:
        from backend.adapters.storage.executions import as_record  # noqa: PLC0415 -- see above

        async def later() -> None:
            await asyncio.sleep(0.3)
            await submit(self, run)

        tasks.add(asyncio.create_task(later()))
        return as_record(run)

    storage.SqlStorage.submit = submit_later


def take_a_new_key_each_time(context: ModuleType) -> None:
    """A call that is repeated looks to the other side like another one."""
    from dataclasses import replace  # noqa: PLC0415 -- see above

    make = context.context_for

    @functools.wraps(make)
    def context_for(*arguments: Any, **more: Any) -> Any:
        made = make(*arguments, **more)
        return replace(made, idempotency_key=f"{made.idempotency_key}/{os.getpid()}")

    vars(context)["context_for"] = context_for


#: By name: the module that is changed once it is loaded, and how.
BROKEN: dict[str, tuple[str, Callable[[ModuleType], None]]] = {
    "once": ("backend.engine.recovery", repeat_what_must_not_be),
    "finished": ("backend.adapters.storage.journal", run_again_what_has_finished),
    "told": ("backend.engine.journal", tell_before_the_commit),
    "accepted": ("backend.adapters.storage.storage", accept_before_the_commit),
    "key": ("backend.engine.context", take_a_new_key_each_time),
}


class Finder(importlib.abc.MetaPathFinder):
    """Lets the others find the module, and changes it when it has been executed."""

    def __init__(self, module: str, change: Callable[[ModuleType], None]) -> None:
        self._module = module
        self._change = change

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        loader = spec.loader
        assert isinstance(loader, importlib.abc.Loader)
        run, change = loader.exec_module, self._change

        def run_and_change(module: ModuleType) -> None:
            run(module)
            change(module)

        vars(loader)["exec_module"] = run_and_change
        return spec


if os.environ.get("BROKEN_PROMISE"):
    sys.meta_path.insert(0, Finder(*BROKEN[os.environ["BROKEN_PROMISE"]]))

"""Counts what a piece of work costs: statements, and what is written. Never how long it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from tests.unit.engine.engine_house import House


@dataclass(kw_only=True)
class Cost:
    """What was counted."""

    statements: int = 0  #: sent to the database, of any process' thread
    rows: int = 0  #: of node executions and their outputs, written
    size: int = 0  #: characters in these rows
    calls: int = 0  #: of the executor to the storage
    looks: int = 0  #: of these, for runs that wait


class CountingStorage:
    """Storage that counts what the executor asks of it."""

    def __init__(self, storage: Any, cost: Cost) -> None:
        self._storage = storage
        self._cost = cost

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._storage, name)
        if name in ("stage", "database", "of"):
            return real

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._cost.calls += 1
            self._cost.looks += name == "unfinished"
            return await real(*args, **kwargs)

        return counted

    async def commit(self, staged: Any) -> Any:
        self._cost.calls += 1
        for row in [*staged.node_rows, *staged.output_rows]:
            self._cost.rows += 1
            self._cost.size += sum(len(value) for value in row if isinstance(value, str))
        return await self._storage.commit(staged)


@contextmanager
def counted(house: House) -> Iterator[Cost]:
    """Count what happens in the block."""
    cost = Cost()

    def note(*_: Any) -> None:
        cost.statements += 1

    real: Any = house.storage
    house.storage = CountingStorage(real, cost)  # type: ignore[assignment] # stands in for it
    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield cost
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        house.storage = real

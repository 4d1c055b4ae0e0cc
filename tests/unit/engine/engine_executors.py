"""Executors that share the runs of one house."""

import asyncio
import math
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from backend.engine.engine import Engine
from backend.engine.fleet import Fleet
from tests.seats import MemorySeats, SharedSeats
from tests.unit.engine.engine_house import House


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let executors look often: what is tested is what is seen, not when."""
    monkeypatch.setattr("backend.engine.fleet.LOOK_S", 0.02)
    monkeypatch.setattr("backend.engine.worker.SWEEP_S", 0.02)


class FewPeers:
    """Says who is gone as a test says."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.shown = math.inf

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        return frozenset(self.dead.intersection(owners))

    def shown_s(self) -> float:
        return self.shown

    async def serve(self, ready: Callable[[], None]) -> None:
        ready()
        await asyncio.Event().wait()


class Executors:
    """Makes executors of one house."""

    def __init__(self, house: House, seats: SharedSeats | None = None) -> None:
        self.house = house
        self.peers = FewPeers()
        self.seats = seats or SharedSeats()

    def __call__(self, name: str, **options: Any) -> AbstractAsyncContextManager[Engine]:
        fleet = Fleet(
            name,
            storage=self.house.storage,
            peers=self.peers,
            seats=MemorySeats(self.seats, name),
        )
        return self.house.engine(fleet=fleet, **options)

    async def owner(self, run_id: str) -> str | None:
        [[owner]] = self.house.rows("SELECT owner FROM executions WHERE id = ?", run_id)
        assert owner is None or isinstance(owner, str)
        return owner

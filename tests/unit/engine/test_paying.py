"""What costs something is paid for once, whenever the engine dies; who cannot pay hears so."""

import asyncio
import json
from pathlib import Path

import pytest

from backend.adapters.storage.credits import SqlLedger
from backend.core.credits import Charge
from backend.core.status import Status
from tests.unit.engine.engine_blocks import EVERYTHING
from tests.unit.engine.engine_house import ANN, Fault, House, open_house

#: A pure block that would run at once, and one with an effect.
PRICES = {"CountBlock": 2, "KeyedBlock": 5}


class DyingLedger(SqlLedger):
    """The engine dies right after a certain charge has reached the disk."""

    def __init__(self, house: House, fault: Fault, *, dies_after: int) -> None:
        super().__init__(house.storage.database, refill=1_000)
        self._fault = fault
        self._left = dies_after

    async def charge(self, charge: Charge, *, now_us: int) -> None:
        await super().charge(charge, now_us=now_us)
        self._left -= 1
        if self._left == 0 or self._fault.died.is_set():
            self._fault.died.set()
            await asyncio.Event().wait()


async def live_through(house: House, fault: Fault, *, charges: int = 0) -> bool:
    """Run the graph, paid for, with *fault*, and to its end in a second engine."""
    await house.add(EVERYTHING)
    run_id = await house.submit("everything", run=0)
    first = DyingLedger(house, fault, dies_after=charges)
    async with house.engine(fault, ledger=first, prices=PRICES):
        died = await house.until_dead(run_id, fault)
    async with house.engine(ledger=SqlLedger(house.storage.database, refill=1_000), prices=PRICES):
        run = await house.ended(run_id)

    assert run.status is Status.COMPLETED
    executed = house.rows("SELECT block_id, id FROM node_executions")
    paid = house.rows("SELECT amount FROM credit_transactions WHERE type = 'USAGE'")
    keyed = sum(block.endswith("03") for block, _ in executed)
    counted = sum(block.endswith("01") for block, _ in executed)
    assert sorted(row[0] for row in paid) == [-5] * keyed + [-2] * counted
    cost = 5 * keyed + 2 * counted
    assert run.stats is not None
    assert run.stats.cost == cost > 0
    assert house.rows("SELECT balance FROM credit_balances") == [(1_000 - cost,)]
    return died


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dies_before", "dies_after"])
async def test_each_node_is_paid_for_once_whichever_commit_was_the_last(
    tmp_path: Path, kind: str
) -> None:
    number, died = 0, True
    while died:
        number += 2
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_house(folder) as house:
            fault = Fault()
            setattr(fault, kind, number)
            died = await live_through(house, fault)

    assert number > 10


@pytest.mark.slow
async def test_what_was_paid_for_and_never_begun_is_not_paid_for_again(tmp_path: Path) -> None:
    number, died = 0, True
    while died:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_house(folder) as house:
            died = await live_through(house, Fault(), charges=number)

    assert number > 5


async def test_a_node_that_cannot_be_paid_for_fails_and_does_nothing(house: House) -> None:
    await house.add(EVERYTHING)
    ledger = SqlLedger(house.storage.database)
    await ledger.of(ANN).grant(3, key="g", reason="r", now_us=1)
    run_id = await house.submit("everything", run=0)

    async with house.engine(ledger=ledger, prices=PRICES):
        await house.ended(run_id)

    nodes = await house.nodes(run_id)
    failed = [node for node in nodes if node.status is Status.FAILED]
    assert failed
    assert "CountBlock costs 2 credits, and there are 1" in str(failed[0].error)
    assert failed[0].id not in house.notes.count()
    assert house.rows("SELECT balance FROM credit_balances") == [(1,)]
    [(told,)] = house.rows("SELECT data FROM notices WHERE type = 'ZERO_BALANCE'")
    assert json.loads(told)["agent_name"] == EVERYTHING.name

"""An executor that was frozen between its word and its deed: it asks anew whether the run is its own."""

import asyncio
from typing import Any

import pytest

from backend.engine import node_task
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House
from tests.unit.engine.test_going_on import LINKS

TAKE_OVER = "UPDATE executions SET attempt = attempt + 1, owner = 'another'"


@pytest.mark.parametrize("block", ["OnceBlock", "KeyedBlock", "ReadBlock"])
@pytest.mark.parametrize("is_taken_over", [True, False])
async def test_who_was_frozen_does_nothing_for_a_run_that_others_have(
    house: House, monkeypatch: pytest.MonkeyPatch, block: str, *, is_taken_over: bool
) -> None:
    await house.add(graph("one", {"in": INPUT, "does": (block, {}), "out": OUTPUT}, LINKS))
    run_id = await house.submit("one", run="x")
    monkeypatch.setattr(node_task, "FRESH_S", 0.05)
    commit, frozen = house.storage.commit, asyncio.Event()

    async def freezes(staged: Any) -> Any:
        refused = await commit(staged)
        starts = any("does" in map(str, row) for row in staged.node_rows)
        if starts and not frozen.is_set():
            frozen.set()
            if is_taken_over:
                with house.database() as database:
                    database.execute(TAKE_OVER)
            await asyncio.sleep(0.1)  # the answer is on its way meanwhile
        return refused

    monkeypatch.setattr(house.storage, "commit", freezes)
    async with house.engine() as engine:
        house.signals.signal(SignalKind.RUN, run_id)
        await frozen.wait()
        async with asyncio.timeout(10):
            while engine.worker.active:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)

    assert len(house.notes.runs) == (0 if is_taken_over else 1)

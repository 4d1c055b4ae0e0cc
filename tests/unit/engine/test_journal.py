"""What the journal does with rows that the database will never take."""

from typing import Any

import pytest

from backend.core.status import Status
from backend.engine import worker
from backend.ports.dispatch import SignalKind
from tests.unit.engine.engine_blocks import INPUT, OUTPUT, graph
from tests.unit.engine.engine_house import House

SIMPLE = graph("simple", {"in": INPUT, "out": OUTPUT}, "in.result -> out.value")


async def test_rows_that_cannot_be_saved_end_their_run_and_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.add(SIMPLE)
    bad = await house.submit("simple", run="bad")
    good = [await house.submit("simple", run=f"good {number}") for number in range(5)]
    commit = house.storage.commit

    async def picky(staged: Any) -> Any:
        if any(row[0] == bad for row in staged.node_rows):
            raise RuntimeError("string or blob too big")
        return await commit(staged)

    monkeypatch.setattr(house.storage, "commit", picky)
    monkeypatch.setattr(worker, "SWEEP_S", 0.02)

    async with house.engine():
        for run_id in [bad, *good]:
            house.signals.signal(SignalKind.RUN, run_id)
        ended = [await house.ended(run_id) for run_id in [*good, bad]]

    assert [run.status for run in ended] == [Status.COMPLETED] * 5 + [Status.FAILED]
    assert ended[-1].stats is not None
    assert "at the same point of this run: string or blob too big" in str(ended[-1].stats.error)

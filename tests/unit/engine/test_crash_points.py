"""The engine dies at each commit, before or after it has reached the disk; the next one goes on."""

from pathlib import Path

import pytest

from backend.core.status import Status
from tests.unit.engine.engine_blocks import EVERYTHING
from tests.unit.engine.engine_house import Fault, House, open_house

OUTPUTS = {
    "answer": ["<3/0..>", "<3/1..>", "<3/2..>"],
    "seen": ["3/0.", "3/1.", "3/2."],
    "last": ["3."],
}
#: 3 rounds of the loop and its last, 3 of work, and so on; 3 children of 3 nodes each.
NODE_COUNT = 1 + 4 + 3 + 1 + 3 + 3 + 3 + 3 + 3 + 1 + 1 + 1


async def finished_on_disk(house: House) -> set[str]:
    rows = house.rows("SELECT id FROM node_executions WHERE status = 'COMPLETED'")
    return {row[0] for row in rows}


async def live_through(house: House, fault: Fault) -> bool:
    """Run the graph with *fault* and, if that was a death, to its end in a second engine."""
    await house.add(EVERYTHING)
    run_id = await house.submit("everything", run=0)
    async with house.engine(fault):
        died = await house.until_dead(run_id, fault)
    finished, before = await finished_on_disk(house), house.notes.count()
    async with house.engine():
        run = await house.ended(run_id)

    assert (run.status, run.outputs) == (Status.COMPLETED, OUTPUTS)
    assert run.stats is not None
    # The steps of the children count in their parent.
    assert (run.stats.node_count, run.stats.error) == (NODE_COUNT + 9, None)
    after = house.notes.count()
    assert {one: after[one] for one in finished} == {one: before[one] for one in finished}
    assert all(len(house.notes.keys(one)) == 1 for one in after)
    assert max(after.values()) <= 2
    assert len(house.rows("SELECT 1 FROM executions")) == 1 + 3
    assert house.rows("SELECT id FROM node_executions GROUP BY id HAVING count(*) > 1") == []
    assert house.events.too_early == []
    return died


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dies_before", "dies_after"])
async def test_a_run_ends_the_same_whichever_commit_was_the_last(tmp_path: Path, kind: str) -> None:
    number, died = 0, True
    while died:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_house(folder) as house:
            fault = Fault()
            setattr(fault, kind, number)
            died = await live_through(house, fault)

    assert number > 15  # there were so many points


@pytest.mark.slow
async def test_a_commit_whose_answer_was_lost_is_made_once(tmp_path: Path) -> None:
    for number in range(1, 16):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_house(folder) as house:
            await live_through(house, Fault(answer_lost=number))

            assert max(house.notes.count().values()) == 1

"""The doctor looks after the files of large values."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.doctor import examine as opened
from backend.adapters.storage.migrate import migrate
from backend.core.status import Status
from backend.ports.doctor import Rule
from backend.ports.storage import JournalBatch
from backend.testing.large_values import LARGE, LARGE_BYTES, node_execution
from backend.testing.storage import ANN, GRAPH, RUN, change, new_run


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    """A run with a large input, a node with a large input and streamed outputs."""
    migrate(tmp_path / "agpt.db")
    made = open_storage(tmp_path / "agpt.db", inline_bytes=LARGE_BYTES)
    await made.of(ANN).save_user(email="ann@example.com", name=None, now_us=1)
    await made.of(ANN).add_graphs([GRAPH], now_us=1)
    await made.submit(new_run(inputs={"a": LARGE}))
    node = node_execution()
    node.input, node.outputs = {"a": [LARGE]}, [("b", LARGE), ("b", {"more": LARGE})]
    batch = JournalBatch(owner="A", changes=[change(claim=True, nodes=[node])])
    await made.commit(made.stage(batch))
    yield made
    await made.close()


def broken(folder: Path, rule: Rule) -> list[tuple[str, str]]:
    with opened(folder / "agpt.db") as records:
        return [(one.row, one.detail) for one in records.broken(rule)]


def lose_all(folder: Path) -> None:
    for path in folder.rglob("*.value"):
        path.unlink()


@pytest.mark.usefixtures("storage")
def test_large_values_with_their_files_break_no_rule(tmp_path: Path) -> None:
    assert {
        rule: broken(tmp_path, rule) for rule in (Rule.VALUES, Rule.OUTPUT_ROWS, Rule.JSON)
    } == {
        Rule.VALUES: [],
        Rule.OUTPUT_ROWS: [],
        Rule.JSON: [],
    }


@pytest.mark.usefixtures("storage")
@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_each_row_whose_value_is_lost_is_told(tmp_path: Path, harm: str) -> None:
    for path in tmp_path.rglob("*.value"):
        path.unlink() if harm == "missing" else path.write_bytes(b"1")

    found = broken(tmp_path, Rule.VALUES)

    node = f"node execution 0 of run {RUN}"
    assert [row for row, _ in found] == [f"run {RUN}", node, node, node]
    assert all(f"bytes is {harm} (SHA-256 " in detail for _, detail in found)


async def test_a_deleted_run_that_is_over_needs_no_files(
    storage: SqlStorage, tmp_path: Path
) -> None:
    lose_all(tmp_path)
    await storage.of(ANN).delete_execution(RUN, now_us=5)

    stopping = broken(tmp_path, Rule.VALUES)
    end = change(revision=6, status=Status.COMPLETED)
    await storage.commit(storage.stage(JournalBatch(owner="A", changes=[end])))

    assert stopping != []
    assert broken(tmp_path, Rule.VALUES) == []

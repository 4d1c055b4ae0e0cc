"""No call of storage reads, or puts in order, more than it is asked for, however long the history."""

import inspect
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.ports.retention import RetentionStorage
from backend.ports.storage import EngineStorage, SystemStorage, UserStorage
from tests.unit.adapters.storage.plans import CALLS, Recorder, Statement, costly_steps

#: Steps that may stay, each with what bounds it. SQLite says SCAN of an index that holds only what
#: is wanted, too.
BOUNDED = {
    ("unfinished", "SCAN executions USING INDEX executions_unfinished"): "runs that wait or run",
    ("unfinished", "SCAN anon_1"): "the oldest of them, so many that all users have a turn",
    ("unfinished", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("stuck_runs", "SCAN executions USING INDEX executions_unfinished"): "runs that wait or run",
    ("stops_asked", "SCAN executions USING INDEX executions_to_stop"): "runs that must stop",
    ("execution", "USE TEMP B-TREE FOR ORDER BY"): "the inputs and outputs of one run",
    ("execution_with_nodes", "USE TEMP B-TREE FOR ORDER BY"): "the node executions of one run",
    ("node_executions", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("failed", "SCAN notices USING INDEX notices_failed"): "notices that nobody could send",
    ("summary totals", "USE TEMP B-TREE FOR GROUP BY"): "one user's runs of a day, week or month",
    ("holds", "SCAN holds"): "what an operator has paused, by hand",
    ("holds", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("begin_step", "USE TEMP B-TREE FOR ORDER BY"): "the few budgets that one call counts on",
    ("begin_step that finds no room", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("begin_step that may take an answer", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("settle_dead_calls", "SCAN budget_reservations"): "calls that a dead executor was in",
    ("free_budget_waits", "SCAN budget_waits"): "what waits for a budget, each second",
    ("free_budget_waits", "SCAN budget_waits USING COVERING INDEX budget_waits_by_budget"): (
        "the same"
    ),
    ("free_budget_waits", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("clear", "SCAN deleted_runs"): "it ends after as many as it wants",
    ("active_version", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"): "versions of one graph",
    ("webhooks_with", "USE TEMP B-TREE FOR ORDER BY"): "those of one user, as above",
    ("webhooks", "USE TEMP B-TREE FOR ORDER BY"): "those of one user, as many as presets at most",
    ("triggered_by", "USE TEMP B-TREE FOR ORDER BY"): "presets of one webhook, all wanted",
    ("runs_ended_before", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"): (
        "runs that ended in the same microsecond"
    ),
}
#: What does not ask the database.
NO_STATEMENT = {"of", "close", "stage", "split", "runs_of"}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqlStorage]:
    migrate(tmp_path / "agpt.db")
    made = open_storage(tmp_path / "agpt.db")
    yield made
    await made.close()


async def test_every_statement_finds_its_rows_by_an_index_and_in_order(
    storage: SqlStorage, tmp_path: Path
) -> None:
    """Statements in the middle of a call that is refused count too."""
    recorder, found = Recorder(storage), set()
    await recorder.start()
    looking = sqlite3.connect(tmp_path / "agpt.db")

    for name, call in CALLS.items():
        recorder.statements.clear()
        await call(storage)
        for statement in recorder.statements:
            found |= {(name, step) for step in costly_steps(looking, statement)}

    looking.close()
    assert found - set(BOUNDED) == set()


def test_a_statement_that_reads_everything_is_seen(tmp_path: Path) -> None:
    """This very question, with parameters, has read the whole table each second."""
    migrate(tmp_path / "agpt.db")
    connection = sqlite3.connect(tmp_path / "agpt.db")
    asked = Statement(
        sql="SELECT id FROM executions WHERE status IN (?, ?) ORDER BY created_us",
        parameters=("QUEUED", "RUNNING"),
    )

    steps = costly_steps(connection, asked)

    connection.close()
    assert steps == ["SCAN executions", "USE TEMP B-TREE FOR ORDER BY"]


def test_every_method_of_the_ports_is_looked_at() -> None:
    methods = {
        name
        for port in (UserStorage, EngineStorage, SystemStorage, RetentionStorage)
        for name, _ in inspect.getmembers(port, inspect.isfunction)
        if not name.startswith("_")
    }

    assert methods - NO_STATEMENT - set(CALLS) == set()

"""No call of storage reads, or puts in order, more than it is asked for, however long the history."""

import inspect
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.ports.alerts import AgentAlerts, AlertLooks
from backend.ports.deliveries import Deliveries
from backend.ports.jobs import JobReports, SystemJobs
from backend.ports.notice_channels import SendQueue, UserChannels, UserInbox
from backend.ports.preferences import AllPreferences, UserPreferences
from backend.ports.retention import RetentionStorage
from backend.ports.storage import EngineStorage, SystemStorage, UserStorage
from backend.ports.watches import Watches
from tests.unit.adapters.storage.plans import CALLS, Call, Recorder, Statement, costly_steps
from tests.unit.adapters.storage.plans_ports import PORT_CALLS

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
    ("unfinished of some executors", "SCAN executions USING INDEX executions_unfinished"): (
        "runs that wait or run"
    ),
    ("unfinished of some executors", "SCAN anon_1"): "as above",
    ("unfinished of some executors", "USE TEMP B-TREE FOR ORDER BY"): "as above",
    ("owners", "SCAN executions USING INDEX executions_unfinished"): "every few seconds",
    ("owners", "USE TEMP B-TREE FOR DISTINCT"): "the few executors there are",
    ("settle_dead_calls of some executors", "SCAN budget_reservations"): "calls under way",
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
#: The same of the smaller ports.
BOUNDED_TOO = {
    ("AlertLooks.look", "SCAN alert_cursor"): "it has one row",
    ("AlertLooks.look", "SCAN agent_alerts USING INDEX agent_alerts_silent"): (
        "rules about silence: they come true though nothing happens"
    ),
    ("AlertLooks.look", "USE TEMP B-TREE FOR ORDER BY"): "rules of agents whose runs have ended",
    ("SystemJobs.declare", "SCAN system_jobs"): "the server's own jobs",
    (
        "SystemJobs.states",
        "SCAN system_jobs USING INDEX sqlite_autoindex_system_jobs_1",
    ): "the same",
    (
        "SystemJobs.finish",
        "SCAN accounts",
    ): "only when administrators are told, with growing pauses",
    ("JobReports.blocks", "SCAN anon_1"): "as many runs as are asked for, the newest",
    ("JobReports.blocks", "USE TEMP B-TREE FOR GROUP BY"): "the same",
    ("JobReports.agents", "SCAN anon_1"): "the same",
    ("JobReports.agents", "USE TEMP B-TREE FOR GROUP BY"): "the same",
    ("UserChannels.listed", "USE TEMP B-TREE FOR ORDER BY"): "the channels of one user, 20 at most",
    ("UserChannels.waiting", "SCAN anon_1"): "it counts to a thousand",
    ("UserInbox.unread", "SCAN anon_1"): "it counts to ten thousand",
    ("SendQueue.unrouted", "SCAN notices USING INDEX notices_unrouted"): "what is not on its way",
    (
        "AllPreferences.bounced",
        "SCAN mail_bounces USING INDEX sqlite_autoindex_mail_bounces_1",
    ): "addresses that have refused letters",
    ("AllPreferences.bounced", "USE TEMP B-TREE FOR ORDER BY"): "the same",
    ("AllPreferences.refusing", "SCAN mail_bounces"): "addresses that have refused letters",
    ("Watches.next_us", "SCAN trigger_states USING COVERING INDEX trigger_states_by_time"): (
        "it ends after the first"
    ),
    ("Deliveries.expire", "SCAN deliveries USING COVERING INDEX deliveries_by_webhook"): (
        "the index of what is kept of each webhook, while nobody waits, each five minutes"
    ),
    (
        "Deliveries.expire",
        "SCAN webhook_deliveries USING COVERING INDEX webhook_deliveries_by_webhook",
    ): "the same of keys",
    ("Deliveries.expire", "SCAN ids"): "a step for each webhook of which something is kept",
}
#: What does not ask the database.
NO_STATEMENT = {"of", "close", "free_rows", "stage", "split", "runs_of"}
#: Those whose calls are named with their port.
SMALL_PORTS = (
    AgentAlerts,
    AlertLooks,
    AllPreferences,
    Deliveries,
    JobReports,
    SendQueue,
    SystemJobs,
    UserChannels,
    UserInbox,
    UserPreferences,
    Watches,
)


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
    found = await costly(storage, tmp_path, CALLS)

    assert found - set(BOUNDED) == set()


async def test_so_does_every_statement_of_the_smaller_ports(
    storage: SqlStorage, tmp_path: Path
) -> None:
    for name in ("save_user", "add_graphs", "add_preset", "submit", "commit", "end"):
        await CALLS[name](storage)

    found = await costly(storage, tmp_path, PORT_CALLS)

    assert found - set(BOUNDED_TOO) == set()


async def costly(
    storage: SqlStorage, folder: Path, calls: Mapping[str, Call]
) -> set[tuple[str, str]]:
    """Return what of the plans of *calls* may grow, by call."""
    recorder, found = Recorder(storage), set()
    await recorder.start()
    looking = sqlite3.connect(folder / "agpt.db")
    for name, call in calls.items():
        recorder.statements.clear()
        await call(storage)
        for statement in recorder.statements:
            found |= {(name, step) for step in costly_steps(looking, statement)}
    looking.close()
    return found


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


def test_every_method_of_the_smaller_ports_is_looked_at() -> None:
    methods = {
        f"{port.__name__}.{name}"
        for port in SMALL_PORTS
        for name, _ in inspect.getmembers(port, inspect.isfunction)
        if not name.startswith("_") and name not in NO_STATEMENT
    }

    assert methods - set(PORT_CALLS) == set()

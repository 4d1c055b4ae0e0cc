"""The doctor tells of runs that do not move, and which of them are wrong."""

from pathlib import Path
from typing import Any

import pytest

from backend.core.ids import ExecutionId, run_below
from backend.services import doctor
from backend.services.doctor import Alive
from tests.unit.cli.sick_database import NOW_US, SECOND_US, SickDatabase
from tests.unit.cli.test_doctor import ALL_ALIVE, NOBODY, broken, examined


@pytest.fixture
def database(tmp_path: Path) -> SickDatabase:
    return SickDatabase(tmp_path / "agpt.db")


#: What the run is, its nodes, who is alive, the reason, and the rule that it breaks.
STILL: list[tuple[dict[str, Any], list[str], Alive, str, str | None]] = [
    (
        {"status": "REVIEW"},
        ["REVIEW"],
        ALL_ALIVE,
        "Node #node waits for a person since 2027-01-15 07:00:00 UTC: GET /api/review/",
        None,
    ),
    (
        {"status": "QUEUED"},
        [],
        NOBODY,
        "Nobody works on it: the server is down. It goes on when the",
        None,
    ),
    (
        {"status": "RUNNING", "stop_us": 1},
        ["RUNNING"],
        NOBODY,
        "Nobody works on it: the server is down. It stops when the server",
        None,
    ),
    (
        {"status": "RUNNING", "stop_us": NOW_US - 300 * SECOND_US},
        ["RUNNING"],
        ALL_ALIVE,
        "It was told to stop 5 minutes ago; node #node is at work, and it does not end.",
        doctor.STOPS_END,
    ),
    (
        {"status": "RUNNING", "stop_us": NOW_US - 3 * SECOND_US},
        ["RUNNING"],
        ALL_ALIVE,
        "It was told to stop 3 seconds ago; node",
        None,
    ),
    (
        {"status": "QUEUED", "graph_version": 9},
        [],
        ALL_ALIVE,
        "Its graph is gone, and yet it has been queued for 60 minutes.",
        doctor.RUNS_MOVE,
    ),
    (
        {"status": "QUEUED"},
        [],
        ALL_ALIVE,
        "It has been queued for 60 minutes, though the executor has free slots.",
        doctor.RUNS_MOVE,
    ),
    (
        {"status": "QUEUED"},
        [],
        Alive(executor=True, scheduler=True, notifications=True, slots=0),
        "It waits for a slot: 0 of 0 are taken (setting NUM_GRAPH_WORKERS); it is the next of",
        None,
    ),
    (
        {"status": "RUNNING"},
        ["COMPLETED", "RUNNING"],
        ALL_ALIVE,
        "Node #node has been at work since 2027-01-15 07:00:00 UTC.",
        None,
    ),
    (
        {"status": "RUNNING", "stalls": 3},
        ["QUEUED"],
        ALL_ALIVE,
        "Its executor was lost 3 times at this point. Node #node has been queued since",
        doctor.RUNS_MOVE,
    ),
    (
        {"status": "RUNNING"},
        ["COMPLETED"],
        ALL_ALIVE,
        "None of its nodes runs or is queued, for 60 minutes.",
        doctor.RUNS_MOVE,
    ),
]


@pytest.mark.parametrize(
    ("run", "nodes", "alive", "reason", "rule"), STILL, ids=[reason for *_, reason, _ in STILL]
)
def test_a_run_that_does_not_move_has_its_reason(
    database: SickDatabase,
    run: dict[str, Any],
    nodes: list[str],
    alive: Alive,
    reason: str,
    rule: str | None,
) -> None:
    database.add_run("still", revision=9, **run)
    for ordinal, status in enumerate(nodes):
        database.add_node("still", ordinal, status)

    report = examined(database, alive)

    [note] = report.still
    assert " ".join(note.lines()).startswith(reason)
    assert broken(report) == ({rule: ["run still"]} if rule else {})


def test_a_run_that_waits_for_its_child_says_for_which(database: SickDatabase) -> None:
    database.add_run("outer", "RUNNING", revision=9)
    database.add_node("outer", 0, "RUNNING", kind="Agent")
    inner = run_below(ExecutionId("outer"), "outer-0", 0)
    database.add_run(inner, "RUNNING", parent_id="outer", root_id="outer", depth=1, revision=9)
    database.add_node(inner, 0, "RUNNING")

    reasons = {note.run_id: list(note.lines()) for note in examined(database).still}

    assert reasons == {
        "outer": [
            "Node #node waits for its nested run, since 2027-01-15 07:00:00 UTC.",
            f"nested run #{inner}: Node #node has been at work since 2027-01-15 07:00:00 UTC.",
        ],
        inner: ["Node #node has been at work since 2027-01-15 07:00:00 UTC."],
    }

"""Fills a database as years of use would: by SQL, in batches, before a server is started on it."""

import random
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from backend.adapters.storage.migrate import migrate
from backend.core import json
from backend.core.ids import DEFAULT_USER_EMAIL, DEFAULT_USER_ID
from bench import graphs

_BATCH: Final = 20_000
_MINUTE_US: Final = 60 * 1_000_000
_STATS: Final = json.text(
    {
        "cost": 0, "duration_s": 0.012, "cpu_s": 0.001, "node_time_s": 0.004,
        "node_cpu_s": 0.001, "node_count": 10, "node_error_count": 0, "error": None,
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """
    How much there is to be.

    Attributes:
        runs: Of the owner: half of them of the first graph; every tenth was started by another.
        nodes: Node executions of each run.
        strangers_runs: Of somebody else, so that a query without its owner is noticed.
    """

    runs: int = 100_000
    nodes: int = 10
    graphs: int = 1_000
    versions: int = 50  #: of the first graph; the others have two
    schedules: int = 1_000
    reviews: int = 2_000  #: that wait; as many again for each that was answered
    notices: int = 50_000
    strangers_runs: int = 10_000


def graph_id(number: int) -> str:
    """Return the id of a graph."""
    return f"{number:08d}-0000-4000-8000-00000000000a"


def run_id(number: int) -> str:
    """Return the id of a run. Random in the middle, as real ones are."""
    return f"{random.Random(number).getrandbits(32):08x}-{number:012d}-4000-8000-00000b"


def seed(path: Path, sizes: Sizes, *, now_us: int) -> None:
    """Make the database at *path* and fill it; no run of it is unfinished."""
    path.parent.mkdir(parents=True, exist_ok=True)
    migrate(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        _users(connection, now_us)
        _insert(connection, "graphs", _graph_rows(sizes, now_us))
        _insert(connection, "library_agents", _library_rows(sizes, now_us))
        _insert(connection, "executions", _run_rows(sizes, now_us))
        _insert(connection, "node_executions", _node_rows(sizes, now_us))
        _insert(connection, "schedules", _schedule_rows(sizes, now_us))
        _insert(connection, "reviews", _review_rows(sizes, now_us))
        _insert(connection, "notices", _notice_rows(sizes, now_us))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Add *rows*, each with the columns of the first."""
    waiting = iter(rows)
    while batch := list(islice(waiting, _BATCH)):
        names = tuple(batch[0])
        marks = ", ".join(f":{name}" for name in names)
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", batch)
        connection.execute("COMMIT")


def _users(connection: sqlite3.Connection, now_us: int) -> None:
    _insert(
        connection,
        "users",
        [
            {"id": user, "email": email, "created_us": now_us, "updated_us": now_us}
            for user, email in ((DEFAULT_USER_ID, DEFAULT_USER_EMAIL), ("stranger", "s@x.example"))
        ],
    )


def _graph_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    drawn = graphs.sample()
    body = json.text(
        {
            "nodes": [[one["id"], one["block_id"], one["input_default"], {}] for one in drawn["nodes"]],
            "links": [
                [f"l{number}", one["source_id"], one["sink_id"], one["source_name"], one["sink_name"], False]
                for number, one in enumerate(drawn["links"])
            ],
        }
    )  # fmt: skip
    for number in range(sizes.graphs):
        versions = 2 if number else sizes.versions
        for version in range(1, versions + 1):
            yield {
                "id": graph_id(number), "version": version, "user_id": DEFAULT_USER_ID,
                "name": f"Agent {number}", "description": "", "is_active": version == versions,
                "created_us": now_us - (sizes.graphs - number) * _MINUTE_US, "body": body,
            }  # fmt: skip


def _library_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    for number in range(sizes.graphs):
        yield {
            "id": f"library-{number}", "user_id": DEFAULT_USER_ID, "graph_id": graph_id(number),
            "graph_version": 2 if number else sizes.versions,
            "created_us": now_us, "updated_us": now_us,
        }  # fmt: skip


def _run_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    inputs = json.text({"input_1": "Hello", "input_2": "World"})
    for number in range(sizes.runs + sizes.strangers_runs):
        mine = number < sizes.runs
        at_us = now_us - (sizes.runs - number % sizes.runs) * _MINUTE_US
        parent = run_id(number - 1) if mine and number % 10 == 9 else None
        waits = mine and number < sizes.reviews
        yield {
            "id": run_id(number),
            "user_id": DEFAULT_USER_ID if mine else "stranger",
            "graph_id": graph_id(_graph_of(sizes, number)),
            "graph_version": 1, "parent_id": parent, "root_id": parent or run_id(number),
            "depth": int(parent is not None), "trigger": "agent" if parent else "api",
            "status": "REVIEW" if waits else "FAILED" if number % 20 == 7 else "COMPLETED",
            "attempt": 1, "revision": sizes.nodes + 2, "created_us": at_us, "updated_us": at_us,
            "started_us": at_us, "ended_us": None if waits else at_us + 12_000,
            "inputs": inputs, "stats": _STATS, "is_deleted": number % 20 == 3,
        }  # fmt: skip


def _graph_of(sizes: Sizes, number: int) -> int:
    return 0 if number % 2 == 0 else number // 2 % sizes.graphs


def _node_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    given = json.text({"name": "out", "value": "Hello, World!!!"})
    outputs = json.text([["output", "Hello, World!!!"]])
    # In the order of the clustered key: the table is filled from left to right.
    for key, number in sorted((run_id(n), n) for n in range(sizes.runs + sizes.strangers_runs)):
        at_us = now_us - (sizes.runs - number % sizes.runs) * _MINUTE_US
        for ordinal in range(sizes.nodes):
            yield {
                "run_id": key, "ordinal": ordinal, "id": f"{key}-{ordinal}", "node_id": "t",
                "block_id": graphs.TEMPLATE,
                "kind": "Output" if ordinal == sizes.nodes - 1 else "Standard",
                "status": "COMPLETED", "input": given, "outputs": outputs, "saved_outputs": 0,
                "queue_no": ordinal, "add_us": at_us, "queue_us": at_us, "start_us": at_us,
                "end_us": at_us + 1_000, "cpu_us": 100, "revision": ordinal + 2,
            }  # fmt: skip


def _schedule_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    for number in range(sizes.schedules):
        yield {
            "id": f"schedule-{number}", "user_id": DEFAULT_USER_ID,
            "graph_id": graph_id(number % sizes.graphs), "graph_version": 1,
            "name": f"Daily {number}", "agent_name": "Agent", "cron": "0 0 1 1 *",
            "timezone": "UTC", "inputs": "{}", "credentials": "{}", "missed": "last",
            "created_us": now_us, "next_us": now_us + 365 * 24 * 60 * _MINUTE_US,
        }  # fmt: skip


def _review_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    for number in range(2 * sizes.reviews):
        waits = number < sizes.reviews
        yield {
            "node_exec_id": f"{run_id(number)}-0", "node_id": "t", "user_id": DEFAULT_USER_ID,
            "run_id": run_id(number), "graph_id": graph_id(_graph_of(sizes, number)),
            "graph_version": 1, "payload": "{}", "editable": True,
            "status": "WAITING" if waits else "APPROVED", "created_us": now_us - number,
        }  # fmt: skip


def _notice_rows(sizes: Sizes, now_us: int) -> Iterator[dict[str, Any]]:
    for number in range(sizes.notices):
        yield {
            "id": f"notice-{number}", "user_id": DEFAULT_USER_ID, "type": "AGENT_RUN",
            "data": "{}", "created_us": now_us - number * _MINUTE_US, "status": "SENT",
            "attempts": 0, "next_us": now_us - number * _MINUTE_US,
            "sent_us": now_us - number * _MINUTE_US,
        }  # fmt: skip

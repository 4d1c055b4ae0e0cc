"""A database as a healthy server leaves it, written row by row, so that a test can spoil one."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import text

from backend.adapters.database_place import Place
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.postgres import engine_for
from backend.adapters.storage.schema import metadata
from backend.core import json
from tests.databases import KINDS, emptied
from tests.services import require_service

SECOND_US: Final = 1_000_000
NOW_US: Final = 1_800_000_000 * SECOND_US
#: The Monday after that Friday; the schedule fires at this time of day.
NEXT_US: Final = NOW_US + 3 * 24 * 3600 * SECOND_US
USER: Final = "ann"


class SickDatabase:
    """One graph with its library entry, a schedule, a notice, and runs that have ended well."""

    def __init__(self, path: Path, url: str = "") -> None:
        self.path = path
        self.url = url
        self._is_reshaped = False
        if url:
            with psycopg.connect(url) as self._connection:
                self._fill()
            self._connection = psycopg.connect(url, autocommit=True)
            return
        path.touch(mode=0o600)
        path.write_bytes(_healthy())

    @property
    def place(self) -> Place:
        return Place(self.path, self.url)

    def close(self) -> None:
        """Give the tables of PostgreSQL their shape again: others use them."""
        if not self.url:
            return
        self._connection.close()
        if self._is_reshaped:
            engine = engine_for(self.url)
            with engine.connect() as connection:
                connection.execute(text("DROP TABLE IF EXISTS system_jobs"))
                for table in metadata.sorted_tables:
                    table.create(connection, checkfirst=True)
                    for index in table.indexes:
                        index.create(connection, checkfirst=True)
            engine.dispose()

    def dump(self) -> list[str]:
        """Return all of it, rows and tables, to be compared."""
        if not self.url:
            with closing(sqlite3.connect(self.path)) as connection:
                return list(connection.iterdump())
        shape = self._connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() UNION ALL SELECT tablename, indexname"
            " FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1, 2"
        ).fetchall()
        rows = (
            f"{name} {row}"
            for name in sorted({str(table) for table, _ in shape})
            for row in sorted(
                map(str, self._connection.execute(f'SELECT * FROM "{name}"'.encode()))
            )
        )
        return [*map(str, shape), *rows]

    def _fill(self) -> None:
        self._add_graph()
        self._add_preset()
        self.add_run("done", "COMPLETED", nodes=3)
        self.do(
            "UPDATE node_executions SET saved_outputs = 3 WHERE run_id = 'done' AND ordinal = 1"
        )
        for first, items in ((0, [["a", 1], ["a", 2]]), (2, [["b", 3]])):
            self.add("node_outputs", run_id="done", ordinal=1, first=first, items=json.text(items))
        self.add_run("parent", "FAILED", nodes=2)
        self.do("UPDATE node_executions SET kind = 'Agent' WHERE run_id = 'parent' AND ordinal = 1")
        self.do("UPDATE executions SET stats = ? WHERE id = 'parent'", json.text({"node_count": 4}))
        self.add_run("child", "COMPLETED", nodes=2, parent_id="parent", root_id="parent", depth=1)

    def do(self, statement: str, *values: Any) -> None:
        self._is_reshaped |= statement.startswith(("DROP", "ALTER"))
        if self.url:
            self._connection.execute(statement.replace("?", "%s").encode(), values or None)
            return
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    def add(self, table: str, **values: Any) -> None:
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self.do(f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())

    def add_run(self, run_id: str, status: str, *, nodes: int = 0, **values: Any) -> None:
        """Add a run; one that has ended has *nodes* node executions that finished."""
        ended = status in ("COMPLETED", "FAILED", "TERMINATED")
        row = {
            "id": run_id,
            "user_id": USER,
            "graph_id": "graph",
            "graph_version": 2,
            "root_id": run_id,
            "depth": 0,
            "trigger": "api",
            "status": status,
            "attempt": 0 if status == "QUEUED" else 1,
            "owner": None if status == "QUEUED" else "executor",
            "revision": nodes + 1,
            "created_us": NOW_US - 3600 * SECOND_US,
            "updated_us": NOW_US - 3600 * SECOND_US,
            "started_us": None if status == "QUEUED" else NOW_US - 3600 * SECOND_US,
            "ended_us": NOW_US - 3600 * SECOND_US if ended else None,
            "inputs": "{}",
            "stats": json.text({"node_count": nodes}) if ended else None,
        }
        self.add("executions", **{**row, **values})
        for ordinal in range(nodes):
            self.add_node(run_id, ordinal, "COMPLETED")

    def add_node(self, run_id: str, ordinal: int, status: str, **values: Any) -> None:
        """Add a node execution, queued and begun an hour ago if its status says so."""
        hour_ago = NOW_US - 3600 * SECOND_US
        row = {
            "run_id": run_id,
            "ordinal": ordinal,
            "id": f"{run_id}-{ordinal}",
            "node_id": "node",
            "block_id": "block",
            "kind": "Standard",
            "status": status,
            "saved_outputs": 0,
            "add_us": hour_ago,
            "queue_us": None if status == "INCOMPLETE" else hour_ago,
            "queue_no": None if status == "INCOMPLETE" else ordinal,
            "start_us": None if status in ("INCOMPLETE", "QUEUED") else hour_ago,
            "end_us": hour_ago if status in ("COMPLETED", "FAILED", "TERMINATED") else None,
            "revision": ordinal + 1,
        }
        self.add("node_executions", **{**row, **values})
        if status == "REVIEW":
            self.add_review(f"{run_id}-{ordinal}", run_id)

    def add_review(self, node_exec_id: str, run_id: str, status: str = "WAITING") -> None:
        """Add a question of an hour ago."""
        self.add(
            "reviews",
            node_exec_id=node_exec_id,
            node_id="node",
            user_id=USER,
            run_id=run_id,
            graph_id="graph",
            graph_version=2,
            payload="{}",
            editable=True,
            status=status,
            created_us=NOW_US - 3600 * SECOND_US,
        )

    def _add_graph(self) -> None:
        for version in (1, 2):
            self.add(
                "graphs",
                id="graph",
                version=version,
                user_id=USER,
                name="Graph",
                description="",
                is_active=version == 2,
                created_us=NOW_US,
                body='{"nodes": [], "links": []}',
            )
        self.add(
            "library_agents",
            id="entry",
            user_id=USER,
            graph_id="graph",
            graph_version=2,
            created_us=NOW_US,
            updated_us=NOW_US,
        )
        self.add(
            "schedules",
            id="daily",
            user_id=USER,
            graph_id="graph",
            graph_version=1,
            name="Daily",
            agent_name="Graph",
            cron="0 9 * * MON-FRI",
            timezone="Europe/Berlin",
            inputs="{}",
            credentials="{}",
            missed="last",
            created_us=NOW_US,
            next_us=NEXT_US,
        )
        self.add(
            "notices",
            id="told",
            user_id=USER,
            type="AGENT_RUN",
            data="{}",
            created_us=NOW_US,
            status="QUEUED",
            attempts=0,
            next_us=NOW_US + SECOND_US,
        )

    def _add_preset(self) -> None:
        self.add(
            "webhooks",
            id="hook",
            user_id=USER,
            provider="generic_webhook",
            webhook_type="plain",
            credentials_id="",
            resource="",
            events="[]",
            config="{}",
            secret="ab" * 32,
            provider_webhook_id="",
            created_us=NOW_US,
        )
        self.add(
            "presets",
            id="preset",
            user_id=USER,
            graph_id="graph",
            graph_version=1,
            name="Preset",
            description="",
            inputs="{}",
            credentials="{}",
            is_active=True,
            webhook_id="hook",
            created_us=NOW_US,
            updated_us=NOW_US,
        )


@cache
def _healthy() -> bytes:
    """Return the file of one. Written once: most tests read more than they write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agpt.db"
        _Written(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


@pytest.fixture(params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SickDatabase]:
    """One of each kind, which the settings name."""
    url = emptied(require_service("postgres")) if request.param == "postgres" else ""
    monkeypatch.setenv("DATABASE_URL", url)
    made = SickDatabase(tmp_path / "agpt.db", url)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> SickDatabase:
    """One that is a file."""
    return SickDatabase(tmp_path / "agpt.db")


class _Written(SickDatabase):
    """The first one, which has nothing to be copied from."""

    def __init__(self, path: Path) -> None:
        self.path, self.url = path, ""
        self._is_reshaped = False
        migrate(path)
        self._fill()

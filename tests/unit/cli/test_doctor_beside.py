"""Repairs beside servers, beside other writers, and of a doctor who is killed in the middle."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, text

from backend.adapters.storage.cluster import LOCK as JOIN
from backend.adapters.storage.migrate_postgres import LOCK as MIGRATION
from backend.adapters.storage.postgres import PostgresDatabase
from backend.adapters.storage.postgres_lock import Kind
from backend.adapters.storage.repair_transactions import Aside, in_postgres
from backend.ports.doctor import Rule
from backend.services.doctor import SENTENCES
from tests.databases import emptied
from tests.e2e.running import ROOT
from tests.services import require_service
from tests.unit.cli.sick_database import SickDatabase, database
from tests.unit.cli.test_doctor import broken, examined, run_doctor

__all__ = ["database"]

BESIDE = "it is mended only while nothing works on the database: stop all services"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SickDatabase]:
    """One in PostgreSQL."""
    url = emptied(require_service("postgres"))
    monkeypatch.setenv("DATABASE_URL", url)
    made = SickDatabase(tmp_path / "agpt.db", url)
    yield made
    made.close()


async def test_beside_a_member_only_what_it_does_not_hold_is_mended(
    rows: SickDatabase, tmp_path: Path
) -> None:
    """It may be on another machine: its session is what tells of it."""
    rows.do("UPDATE executions SET revision = 2 WHERE id = 'done'")
    rows.do("UPDATE graphs SET is_active = true")
    member = PostgresDatabase(rows.url)
    await member.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    beside = run_doctor(tmp_path, "--fix")
    await member.close()
    alone = run_doctor(tmp_path, "--fix", "--json")

    assert beside[0] == 1
    assert "mended  1 older versions of graphs are active no more.\n" in beside[1]
    assert f"left    {SENTENCES[Rule.REVISIONS]} ({BESIDE}" in beside[1]
    assert "sessions there from 127.0.0.1: 1)" in beside[1]
    assert alone[0] == 0
    [mended] = json.loads(alone[1])["mended"]
    assert mended["done"] == ["1 runs were brought to the revision of their newest node execution"]


def test_nobody_begins_to_work_while_a_repair_needs_it_alone(
    rows: SickDatabase, tmp_path: Path
) -> None:
    locks = (JOIN, MIGRATION, Kind.EXECUTOR.value)

    def free() -> list[bool]:
        with psycopg.connect(rows.url) as other:
            taken = [other.execute("SELECT pg_try_advisory_lock(%s)", (one,)) for one in locks]
            return [bool((one.fetchone() or [None])[0]) for one in taken]

    aside = Aside(tmp_path / "aside")
    assert in_postgres(rows.url, lambda _: free(), aside, is_trial=False, alone=True) == [False] * 3
    assert free() == [True] * 3


def test_a_repair_that_came_between_others_is_made_anew(rows: SickDatabase, tmp_path: Path) -> None:
    """What was set aside for the first try stays where it was, and is set aside once."""
    tries: list[None] = []

    def work(connection: Connection) -> int:
        connection.execute(text("SELECT count(*) FROM graphs")).scalar_one()
        tries.append(None)
        if len(tries) == 1:
            aside.write()  # as if it had come as far as its commit
            rows.do("UPDATE graphs SET name = 'Other'")
        aside.add([b"{}"])
        return connection.execute(text("UPDATE graphs SET description = name")).rowcount

    aside = Aside(tmp_path / "aside")
    aside.add([b"first"])
    changed = in_postgres(rows.url, work, aside, is_trial=False, alone=False)

    assert (changed, len(tries)) == (2, 2)
    assert (tmp_path / "aside").read_bytes() == b"{}\n"
    assert "'Graph'" not in str([one for one in rows.dump() if one.startswith("graphs (")])


@pytest.mark.slow
def test_a_doctor_who_is_killed_has_done_nothing(database: SickDatabase, tmp_path: Path) -> None:
    database.do("DELETE FROM executions WHERE id = 'child'")
    slow_down(database)
    before = [one for one in database.dump() if "trigger" not in one.lower()]

    process = subprocess.Popen(
        [sys.executable, "-m", "backend.cli", "doctor", "--fix", "--data-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url},
        stdout=subprocess.DEVNULL,
    )
    wait_until_it_deletes(database, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    speed_up(database)

    assert [one for one in database.dump() if "trigger" not in one.lower()] == before
    assert broken(examined(database)) == {SENTENCES[Rule.NODE_HAS_RUN]: ["run child"]}
    code, said, _ = run_doctor(tmp_path, "--fix")
    assert (code, "mended  2 node executions of runs that are gone, too.\n" in said) == (0, True)


def slow_down(database: SickDatabase) -> None:
    """Let each deletion of node executions take minutes."""
    if database.url:
        database.do(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(120); RETURN OLD; END'"
        )
        database.do(
            "CREATE TRIGGER slow BEFORE DELETE ON node_executions"
            " FOR EACH ROW EXECUTE FUNCTION wait()"
        )
    else:
        database.do(
            "CREATE TRIGGER slow BEFORE DELETE ON node_executions BEGIN"
            " SELECT count(*) FROM node_executions a, node_executions b, node_executions c,"
            " node_executions d, node_executions e, node_executions f, node_executions g,"
            " node_executions h, node_executions i, node_executions j, node_executions k; END"
        )


def speed_up(database: SickDatabase) -> None:
    if database.url:
        # Its server sees only at the end of a statement that nobody is there any more.
        database.do(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE '%doctor'"
        )
        database.do("DROP TRIGGER slow ON node_executions")
        database.do("DROP FUNCTION wait")
    else:
        database.do("DROP TRIGGER slow")


def wait_until_it_deletes(database: SickDatabase, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while not is_deleting(database):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def is_deleting(database: SickDatabase) -> bool:
    if database.url:
        with psycopg.connect(database.url) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
            mine = f"{query} AND datname = current_database()"
            return connection.execute(mine).fetchone() != (0,)
    with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False

"""The doctor's rules about runs, questions and schedules are seen broken, and what mends them."""

import json
import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from backend.adapters.files.halves import AGE_S
from backend.adapters.premises import DataPremises
from backend.adapters.storage.doctor import examine as opened
from backend.adapters.storage.repairs import SqlMender
from backend.ports.doctor import PlaceRule, Rule
from backend.services import doctor
from backend.services.doctor import PLACES, SENTENCES, STEPS
from backend.services.mending import NO_REPAIR, SERVER_RUNS
from backend.util.locks import share_data_dir
from tests.unit.cli.sick_database import NOW_US, SickDatabase, database, file
from tests.unit.cli.test_doctor import SPOILED, broken, examined, run_doctor

__all__ = ["database", "file"]

QUESTION = """INSERT INTO reviews (node_exec_id, node_id, user_id, run_id, graph_id, graph_version,
 payload, editable, status, created_us)
 VALUES ('ask', 'node', 'ann', '{run}', 'graph', 2, '{{}}', true, 'WAITING', 1)"""
LINK = """{"nodes": [], "links": [{"id": "l", "source_id": "a", "sink_id": "b",
 "source_name": "x", "sink_name": "y", "is_static": false}]}"""

#: The rule (or its sentence), the row, and what spoils it.
MORE: list[tuple[Rule | str, str, str]] = [
    (Rule.RUN_TIMES, "run done", ("UPDATE executions SET status = 'INCOMPLETE', ended_us = NULL"
     " WHERE id = 'done'")),
    (Rule.PARENTS, "run child", "UPDATE executions SET depth = 2 WHERE id = 'child'"),
    (Rule.PARENTS, "run child", "UPDATE executions SET root_id = 'child' WHERE id = 'child'"),
    (Rule.PARENTS, "run child", "UPDATE executions SET user_id = 'bob' WHERE id = 'child'"),
    (Rule.PARENTS, "run done", "UPDATE executions SET depth = 1 WHERE id = 'done'"),
    (Rule.PARENTS, "run done", "UPDATE executions SET root_id = 'parent' WHERE id = 'done'"),
    (Rule.ATTEMPTS, "run done", "UPDATE executions SET owner = NULL WHERE id = 'done'"),
    (Rule.ATTEMPTS, "run done", "UPDATE executions SET attempt = 0 WHERE id = 'done'"),
    (Rule.ATTEMPTS, "run done", "UPDATE executions SET claim_revision = 9 WHERE id = 'done'"),
    (Rule.ATTEMPTS, "run done", "UPDATE executions SET stalls = -1 WHERE id = 'done'"),
    (Rule.QUEUE_NUMBERS, "run done", ("UPDATE node_executions SET queue_no = 0"
     " WHERE run_id = 'done' AND ordinal = 1")),
    (Rule.QUEUE_NUMBERS, "node execution 0 of run done", ("UPDATE node_executions SET"
     " queue_no = NULL WHERE run_id = 'done' AND ordinal = 0")),
    (Rule.QUESTIONS_CLOSED, "review ask", QUESTION.format(run="done")),
    (Rule.QUESTION_RUN, "review ask", QUESTION.format(run="gone")),
    (Rule.QUESTION_RUN, "approval of node node", ("INSERT INTO approved_nodes VALUES ('gone',"
     " 'node')")),
    (Rule.FIRES, "schedule gone", "INSERT INTO schedule_fires VALUES ('gone', 1, NULL)"),
    (Rule.HOLDS, "pause of run gone", "INSERT INTO holds VALUES ('run', 'gone', '', 1)"),
    (Rule.HOLDS, "pause of graph gone", "INSERT INTO holds VALUES ('graph', 'gone', '', 1)"),
    (Rule.BUDGETS, "wait of node execution gone", ("INSERT INTO budget_waits VALUES ('gone', 'gone',"
     " 'budget', 1, 1)")),
    (Rule.STEPS, "node execution gone of run done", ("INSERT INTO node_steps (run_id, node_exec_id,"
     " key, state, tries, begun_us) VALUES ('done', 'gone', 'k', 'intent', 1, 1)")),
    (Rule.CHATS, "session gone", ("INSERT INTO chat_messages VALUES ('gone', 0, 'done', '{}', 0,"
     " 1)")),
    (Rule.CHATS, "session talk", ("INSERT INTO chats VALUES ('talk', 'ann', NULL, 2, NULL, 1,"
     " 1)")),
    (Rule.PRESET_WEBHOOK, "preset preset", "DELETE FROM webhooks"),
    (Rule.PRESET_WEBHOOK, "preset preset", "UPDATE webhooks SET user_id = 'bob'"),
    (Rule.PRESET_WEBHOOK, "webhook hook", "UPDATE presets SET webhook_id = NULL"),
    (Rule.PRESET_WEBHOOK, "webhook hook", "UPDATE presets SET is_deleted = true"),
    (doctor.SCHEDULES_READABLE, "schedule daily", "UPDATE schedules SET cron = '0 9 * *'"),
    (doctor.SCHEDULES_NEXT, "schedule daily", "UPDATE schedules SET next_us = next_us + 60000000"),
    (doctor.SCHEDULES_NEXT, "schedule daily", "UPDATE schedules SET next_us = NULL"),
    (Rule.JSON, "executions done", "UPDATE executions SET inputs = '{' WHERE id = 'done'"),
    (Rule.JSON, "notices told", "UPDATE notices SET data = ''"),
    (Rule.GRAPH_BODIES, "graph graph version 2", "UPDATE graphs SET body = '{' WHERE version = 2"),
    (Rule.GRAPH_BODIES, "graph graph version 2", (f"UPDATE graphs SET body = '{LINK}'"
     " WHERE version = 2")),
    (Rule.TABLES, "table executions", "DROP INDEX executions_by_end"),
    (Rule.TABLES, "table system_jobs", "DROP TABLE system_jobs"),
    (Rule.TABLES, "table system_jobs", "ALTER TABLE system_jobs DROP COLUMN result"),
]  # fmt: skip

#: What has no repair that is certainly right.
LEFT = {
    *(statement for rule, _, statement in (*SPOILED, *MORE)
      if rule in (Rule.ORDINALS, Rule.QUEUE_NUMBERS, Rule.JSON, Rule.GRAPH_BODIES)),
    *(statement for rule, row, statement in SPOILED
      if rule is Rule.OUTPUT_ROWS and row == "node execution 1 of run done"),
    *(statement for _, row, statement in MORE if row == "table system_jobs"),
    "UPDATE executions SET user_id = 'bob' WHERE id = 'child'",
    MORE[0][2],
}  # fmt: skip
ALL = [*SPOILED, *MORE]


def test_a_nested_run_does_not_work_for_nobody(database: SickDatabase) -> None:
    database.add_run("alone", "REVIEW", parent_id="gone", root_id="gone", depth=1, revision=9)
    database.add_node("alone", 0, "REVIEW")

    assert broken(examined(database)) == {SENTENCES[Rule.PARENTS]: ["run alone"]}


def test_what_retention_has_begun_to_delete_breaks_no_rule(
    database: SickDatabase, tmp_path: Path
) -> None:
    database.do("INSERT INTO deleted_runs VALUES ('done')")
    database.do("DELETE FROM executions WHERE id IN ('done', 'parent')")
    database.do("INSERT INTO deleted_runs VALUES ('parent')")
    database.do(QUESTION.format(run="done"))
    before = database.dump()

    assert run_doctor(tmp_path, "--fix")[0] == 0
    assert database.dump() == before


def test_a_run_that_waits_for_nobody_is_told(database: SickDatabase) -> None:
    database.add_run("waits", "REVIEW", revision=9)
    database.add_node("waits", 0, "REVIEW")
    assert broken(examined(database)) == {}

    database.do("DELETE FROM reviews")

    found = broken(examined(database))
    assert found[SENTENCES[Rule.QUESTIONS_ASKED]] == [
        "run waits",
        "node execution 0 of run waits",
    ]
    assert found[doctor.RUNS_MOVE] == ["run waits"]


def test_an_index_that_lacks_rows_is_found_and_made_anew(
    file: SickDatabase, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'IS NOT NULL', 'IS NULL')"
            " WHERE name = 'executions_by_end'"
        )
    with closing(sqlite3.connect(file.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("REINDEX executions_by_end")  # of the rows that have not ended: none
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'IS NULL', 'IS NOT NULL')"
            " WHERE name = 'executions_by_end'"
        )

    assert set(broken(examined(file))) == {SENTENCES[Rule.WHOLE]}
    code, text, _ = run_doctor(tmp_path, "--fix")

    assert (code, "mended  the indexes were made anew.\n" in text) == (0, True)
    assert broken(examined(file)) == {}


# What mends.


@pytest.mark.parametrize(("rule", "row", "statement"), ALL, ids=[one for *_, one in ALL])
def test_each_spoiled_row_breaks_its_rule_and_no_other_and_is_mended_if_it_can_be(
    file: SickDatabase, tmp_path: Path, rule: Rule | str, row: str, statement: str
) -> None:
    file.do(statement)
    before = file.dump()
    sentence = SENTENCES[rule] if isinstance(rule, Rule) else rule
    assert broken(examined(file)) == {sentence: [row]}

    trial = run_doctor(tmp_path, "--fix", "--dry-run")
    assert file.dump() == before
    fixed = run_doctor(tmp_path, "--fix")

    assert trial[0] == 1
    if statement in LEFT:
        assert fixed[0] == 1
        assert f"left    {sentence} ({NO_REPAIR})\n" in fixed[1]
        assert file.dump() == before
    else:
        assert fixed[0] == 0
        assert [line for line in trial[1].splitlines() if line.endswith("(not kept).")]
        assert sentence not in broken(examined(file))


RULES = [(rule, row, statement) for rule, row, statement in ALL if isinstance(rule, Rule)]


@pytest.mark.parametrize(("rule", "row", "statement"), RULES, ids=[one for *_, one in RULES])
def test_each_repair_mends_in_both_kinds_of_database(
    database: SickDatabase, tmp_path: Path, rule: Rule, row: str, statement: str
) -> None:
    mender = SqlMender(database.place, tmp_path / "aside.jsonl")

    def rows() -> list[str]:
        with opened(database.place) as records:
            return [one.row for one in records.broken(rule)]

    assert rows() == []
    database.do(statement)
    assert rows() == [row]
    said = mender.mend(rule, now_us=NOW_US, is_trial=True)
    assert (rows(), (tmp_path / "aside.jsonl").exists()) == ([row], False)

    assert mender.mend(rule, now_us=NOW_US, is_trial=False) == said

    assert rows() == ([row] if statement in LEFT else [])
    assert (said == []) is (statement in LEFT)
    assert mender.mend(rule, now_us=NOW_US, is_trial=False) == []


@pytest.mark.parametrize("statement", [one for rule, _, one in ALL if not isinstance(rule, Rule)])
def test_schedules_are_mended_in_both_kinds_of_database(
    database: SickDatabase, tmp_path: Path, statement: str
) -> None:
    database.do(statement)

    assert run_doctor(tmp_path, "--fix")[0] == 0
    assert run_doctor(tmp_path, "--fix")[1] == f"{STEPS} of {STEPS} rules hold.\n"


def test_a_schedule_that_has_fired_since_it_was_looked_at_is_left(
    database: SickDatabase, tmp_path: Path
) -> None:
    mender = SqlMender(database.place, tmp_path / "aside.jsonl")
    with opened(database.place) as records:
        [found] = records.schedules()
    database.do("UPDATE schedules SET next_us = next_us + 86400000000")
    before = database.dump()

    assert not mender.set_next(found, 1, is_trial=False)
    assert not mender.pause_schedule(found, "because", is_trial=False)
    assert database.dump() == before


def test_what_is_deleted_was_set_aside_before(database: SickDatabase, tmp_path: Path) -> None:
    database.do("DELETE FROM executions WHERE id = 'child'")

    code, text, _ = run_doctor(tmp_path, "--fix")

    assert code == 0
    assert "mended  2 node executions of runs that are gone, too.\n" in text
    [kept] = (tmp_path / "doctor").glob("*.jsonl")
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(row["table"], row["row"]["id"]) for row in rows] == [
        ("node_executions", "child-0"),
        ("node_executions", "child-1"),
    ]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_run_that_waited_for_nobody_asks_again(database: SickDatabase, tmp_path: Path) -> None:
    database.add_run("waits", "REVIEW", revision=9)
    database.add_node("waits", 0, "REVIEW")
    database.do("DELETE FROM reviews")

    code, _, _ = run_doctor(tmp_path, "--fix")

    assert code == 0
    with opened(database.place) as records:
        run = records.runs.run(examined(database).still[0].run_id)
    assert run is not None
    assert run.status == "QUEUED"


def test_beside_a_server_only_what_it_does_not_hold_is_mended(
    database: SickDatabase, tmp_path: Path
) -> None:
    database.do("UPDATE executions SET revision = 2 WHERE id = 'done'")
    database.do("UPDATE graphs SET is_active = true")
    server = share_data_dir(tmp_path)

    beside = run_doctor(tmp_path, "--fix")
    server.release()
    alone = run_doctor(tmp_path, "--fix", "--json")

    assert beside[0] == 1
    assert "mended  1 older versions of graphs are active no more.\n" in beside[1]
    assert f"left    {SENTENCES[Rule.REVISIONS]} ({SERVER_RUNS})\n" in beside[1]
    assert alone[0] == 0
    [mended] = json.loads(alone[1])["mended"]
    assert mended == {
        "rule": SENTENCES[Rule.REVISIONS],
        "done": ["1 runs were brought to the revision of their newest node execution"],
        "why_not": None,
    }


def test_a_dry_run_without_a_repair_is_no_command(file: SickDatabase, tmp_path: Path) -> None:
    code, _, errors = run_doctor(tmp_path, "--dry-run")

    assert code == 2
    assert "--dry-run goes with --fix." in errors


# The data directory.


def premises(data: Path, *, free: int = 2**40, longest_wal: int = 2**30) -> DataPremises:
    return DataPremises(
        data,
        aside=data / "doctor" / "1",
        now_s=lambda: NOW_US / 1e6,
        free_bytes=lambda _: free,
        longest_wal=longest_wal,
    )


def rows(found: DataPremises, rule: PlaceRule) -> list[str]:
    return [one.row for one in found.broken(rule)]


def test_a_data_directory_as_it_should_be_breaks_no_rule(
    file: SickDatabase, tmp_path: Path
) -> None:
    assert [rows(premises(tmp_path), rule) for rule in PlaceRule] == [[], [], [], []]


@pytest.mark.parametrize(
    ("name", "mode", "row"),
    [
        ("agpt.db", 0o644, "agpt.db"),
        ("keys", 0o750, "keys"),
        ("keys/instance.key", 0o640, "keys/instance.key"),
        ("run", 0o755, "run"),
        (".", 0o770, "the data directory"),
    ],
)
def test_what_others_may_use_is_closed_to_them(
    file: SickDatabase, tmp_path: Path, name: str, mode: int, row: str
) -> None:
    for folder in ("keys", "run"):
        (tmp_path / folder).mkdir(mode=0o700)
    (tmp_path / "keys" / "instance.key").touch(mode=0o600)
    (tmp_path / name).chmod(mode)
    found = premises(tmp_path)

    assert rows(found, PlaceRule.MODES) == [row]
    said = found.mend(PlaceRule.MODES, is_trial=True)
    assert rows(found, PlaceRule.MODES) == [row]
    assert found.mend(PlaceRule.MODES, is_trial=False) == said

    assert said == [f"{row} is for its owner alone now"]
    assert rows(found, PlaceRule.MODES) == []


def test_a_directory_that_others_may_only_look_at_is_its_owners_choice(
    file: SickDatabase, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)

    assert rows(premises(tmp_path), PlaceRule.MODES) == []


def test_a_long_wal_is_carried_over(file: SickDatabase, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file.path)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        with connection:
            connection.execute("UPDATE graphs SET name = 'Other'")
        found = premises(tmp_path, longest_wal=1000)
        assert rows(found, PlaceRule.WAL) == ["agpt.db-wal"]

        assert found.mend(PlaceRule.WAL, is_trial=False) == ["the -wal file was carried over"]

        assert rows(found, PlaceRule.WAL) == []


def test_a_full_disk_is_told_and_left(file: SickDatabase, tmp_path: Path) -> None:
    found = premises(tmp_path, free=1000)

    assert rows(found, PlaceRule.DISK) == ["the disk of the data directory"]
    assert found.needs_alone(PlaceRule.DISK) is None


@pytest.mark.parametrize("name", ["0" * 32, "0" * 32 + ".json"])
def test_an_old_half_file_is_set_aside(file: SickDatabase, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "files" / "run"
    folder.mkdir(parents=True, mode=0o700)
    half, whole = folder / name, folder / ("1" * 32)
    facts = '{"name": "x.txt", "media_type": "text/plain", "size_bytes": 1}'
    for path, text in ((half, "x"), (whole, "x"), (folder / f"{whole.name}.json", facts)):
        path.write_text(text)
    now_s, found = NOW_US / 1e6, premises(tmp_path)
    os.utime(half, (now_s, now_s - AGE_S + 1))
    assert rows(found, PlaceRule.FILES) == []

    os.utime(half, (now_s, now_s - AGE_S))

    assert rows(found, PlaceRule.FILES) == [f"files/run/{name}"]
    found.mend(PlaceRule.FILES, is_trial=False)
    assert rows(found, PlaceRule.FILES) == []
    assert (tmp_path / "doctor" / "1" / "files" / "run" / name).read_text() == "x"


def test_the_command_looks_at_the_data_directory(file: SickDatabase, tmp_path: Path) -> None:
    file.path.chmod(0o644)
    threads = set(threading.enumerate())  # other tests may have left some

    code, text, _ = run_doctor(tmp_path)
    fixed = run_doctor(tmp_path, "--fix")

    assert (code, f"BROKEN  {PLACES[PlaceRule.MODES]}\n" in text) == (1, True)
    assert (fixed[0], "mended  agpt.db is for its owner alone now.\n" in fixed[1]) == (0, True)
    assert set(threading.enumerate()) <= threads

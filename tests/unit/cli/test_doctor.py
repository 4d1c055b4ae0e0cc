"""Each rule of the doctor is seen broken, and each reason why a run does not move is told."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage.doctor import examine as opened
from backend.adapters.storage.doctor import reading
from backend.cli import doctor as command
from backend.cli import main
from backend.core.cron import Dialect
from backend.core.errors import NotFound, Unavailable
from backend.ports.doctor import Rule
from backend.services import doctor
from backend.services.doctor import SENTENCES, STEPS, Alive, Report
from tests.unit.cli.sick_database import NOW_US, SECOND_US, SickDatabase, database, file

__all__ = ["database", "file"]

ALL_ALIVE = Alive(executor=True, scheduler=True, notifications=True, slots=2)
NOBODY = Alive(executor=False, scheduler=False, notifications=False, slots=2)
STREAMED = "node execution 1 of run done"
STREAMED_WHERE = "WHERE run_id = 'done' AND ordinal = 1"


def examined(database: SickDatabase, alive: Alive = ALL_ALIVE) -> Report:
    with opened(database.place) as records:
        return doctor.examine(records, alive, now_us=NOW_US)


def broken(report: Report) -> dict[str, list[str]]:
    return {finding.rule: [one.row for one in finding.broken] for finding in report.broken}


def test_a_healthy_database_breaks_no_rule(database: SickDatabase) -> None:
    report = examined(database)

    assert broken(report) == {}
    assert report.still == ()
    assert len(report.findings) == STEPS


#: The rule, the row, and what spoils it.
SPOILED: list[tuple[Rule, str, str]] = [
    (Rule.RUN_TIMES, "run done", "UPDATE executions SET ended_us = NULL WHERE id = 'done'"),
    (Rule.RUN_TIMES, "run done", "UPDATE executions SET started_us = NULL WHERE id = 'done'"),
    (
        Rule.NODE_TIMES,
        "node execution 0 of run done",
        "UPDATE node_executions SET end_us = NULL WHERE run_id = 'done' AND ordinal = 0",
    ),
    (Rule.NODE_TIMES, STREAMED, f"UPDATE node_executions SET start_us = NULL {STREAMED_WHERE}"),
    (Rule.NODE_TIMES, STREAMED, f"UPDATE node_executions SET queue_us = NULL {STREAMED_WHERE}"),
    (Rule.NODE_HAS_RUN, "run child", "DELETE FROM executions WHERE id = 'child'"),
    (
        Rule.ORDINALS,
        "run parent",
        "UPDATE node_executions SET ordinal = 7 WHERE run_id = 'parent' AND ordinal = 0",
    ),
    (
        Rule.ORDINALS,
        "run parent",
        "UPDATE node_executions SET id = 'the same' WHERE run_id = 'parent'",
    ),
    (Rule.ATTEMPTS, "run done", "UPDATE executions SET parked = '{}' WHERE id = 'done'"),
    (Rule.REVISIONS, "run done", "UPDATE executions SET revision = 2 WHERE id = 'done'"),
    (Rule.OUTPUT_ROWS, STREAMED, "DELETE FROM node_outputs WHERE first = 0"),
    (Rule.OUTPUT_ROWS, STREAMED, "DELETE FROM node_outputs WHERE first = 2"),
    (Rule.OUTPUT_ROWS, STREAMED, "DELETE FROM node_outputs"),
    (Rule.OUTPUT_ROWS, STREAMED, "UPDATE node_outputs SET first = 5 WHERE first = 2"),
    (Rule.OUTPUT_ROWS, STREAMED, "UPDATE node_outputs SET items = '[' WHERE first = 2"),
    (Rule.OUTPUT_ROWS, STREAMED, f"UPDATE node_executions SET saved_outputs = 0 {STREAMED_WHERE}"),
    (
        Rule.OUTPUT_ROWS,
        "node execution 9 of run done",
        "INSERT INTO node_outputs VALUES ('done', 9, 0, '[]')",
    ),
    (
        Rule.STATS,
        "run done",
        """UPDATE executions SET stats = '{"node_count": 2}' WHERE id = 'done'""",
    ),
    (
        Rule.STATS,
        "run done",
        """UPDATE executions SET stats = '{"node_count": 4}' WHERE id = 'done'""",
    ),
    (
        Rule.STATS,
        "run parent",
        """UPDATE executions SET stats = '{"node_count": 1}' WHERE id = 'parent'""",
    ),
    (Rule.STATS, "run done", "UPDATE executions SET stats = NULL WHERE id = 'done'"),
    (Rule.STATS, "run done", "UPDATE executions SET stats = '{' WHERE id = 'done'"),
    (Rule.ONE_ACTIVE, "graph graph", "UPDATE graphs SET is_active = true"),
    (Rule.LIBRARY, "graph graph", "DELETE FROM library_agents"),
    (Rule.LIBRARY, "library entry entry", "UPDATE library_agents SET graph_version = 3"),
    (Rule.SCHEDULE_GRAPH, "schedule daily", "UPDATE schedules SET graph_version = 3"),
    (Rule.SCHEDULE_GRAPH, "schedule daily", "UPDATE schedules SET user_id = 'bob'"),
    (Rule.NOTICES, "notice told", "UPDATE notices SET status = 'SENT'"),
    (Rule.NOTICES, "notice told", "UPDATE notices SET status = 'LOST'"),
]


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "REVIEW"])
def test_nothing_of_a_run_that_has_ended_may_be_open(database: SickDatabase, status: str) -> None:
    database.add_node("done", 3, status, revision=1)

    found = broken(examined(database))

    assert found.pop(SENTENCES[Rule.OPEN_NODES]) == ["node execution 3 of run done"]
    asked = {SENTENCES[Rule.QUESTIONS_CLOSED]: ["review done-3"]}
    assert found == (asked if status == "REVIEW" else {})


def test_an_input_that_was_never_complete_may_stay_so(database: SickDatabase) -> None:
    database.add_node("done", 3, "INCOMPLETE", revision=1)

    assert broken(examined(database)) == {}


def test_what_waited_when_its_run_failed_is_not_counted(database: SickDatabase) -> None:
    database.add_run("failed", "FAILED")
    database.add_node("failed", 0, "FAILED", error="of its own", revision=0)
    database.add_node("failed", 1, "FAILED", error=None, revision=0)
    database.do("""UPDATE executions SET stats = '{"node_count": 1}' WHERE id = 'failed'""")

    assert broken(examined(database)) == {}


def test_a_child_does_not_outlive_its_parent(database: SickDatabase) -> None:
    database.add_run(
        "left", "RUNNING", parent_id="parent", root_id="parent", depth=1, updated_us=NOW_US
    )

    assert broken(examined(database)) == {SENTENCES[Rule.CHILDREN]: ["run left"]}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE schedules SET cron = '0 9 * *'",
        "UPDATE schedules SET cron = '0 0 30 2 *'",
        "UPDATE schedules SET timezone = 'Moon/Base'",
    ],
)
def test_a_schedule_that_cannot_be_read_is_told(file: SickDatabase, statement: str) -> None:
    file.do(statement)

    assert broken(examined(file)) == {doctor.SCHEDULES_READABLE: ["schedule daily"]}


@pytest.mark.parametrize(
    ("statement", "rule", "row"),
    [
        (
            "UPDATE schedules SET next_us = next_us - 864000000000",
            doctor.SCHEDULES_FIRE,
            "schedule daily",
        ),
        ("UPDATE notices SET next_us = 1, created_us = 1", doctor.NOTICES_LEAVE, "notices"),
    ],
)
def test_what_is_late_is_wrong_only_while_somebody_is_there_to_do_it(
    file: SickDatabase, statement: str, rule: str, row: str
) -> None:
    file.do(statement)

    assert broken(examined(file)) == {rule: [row]}
    assert broken(examined(file, NOBODY)) == {}


def test_a_notice_that_was_just_made_and_may_leave_at_once_is_not_late(file: SickDatabase) -> None:
    file.do(f"UPDATE notices SET next_us = 0, created_us = {NOW_US - 5 * SECOND_US}")

    assert broken(examined(file)) == {}


def test_letters_that_nobody_got_are_told_until_somebody_looks_at_them(
    database: SickDatabase,
) -> None:
    for statement in (
        "UPDATE notices SET status = 'FAILED', error = '550 no'",
        "INSERT INTO users (id, email, created_us, updated_us) VALUES ('x', 'x@example.com', 1, 1)",
        "INSERT INTO mail_bounces VALUES ('x@example.com', 3, 1, '550 no')",
    ):
        database.do(statement)

    [finding] = examined(database).broken

    assert finding.rule == doctor.NOTICES_ARRIVE
    notices, addresses = finding.broken
    assert "because: 550 no; see `agpt notices list --status failed`" in notices.detail
    assert addresses.detail.startswith("1 accounts have an address that refuses letters")
    database.do("UPDATE notices SET status = 'DROPPED'")
    database.do("DELETE FROM mail_bounces")
    assert broken(examined(database)) == {}


def test_a_job_of_the_server_that_failed_the_last_time_is_told(database: SickDatabase) -> None:
    database.do(
        "INSERT INTO system_jobs (name, started_us, ended_us, result, every_us)"
        " VALUES ('retention', 1, 2, '', 9), ('gone', 1, 2, '', 0)"
    )
    for number, name, ok in ((1, "retention", True), (2, "retention", False), (3, "gone", False)):
        database.add(
            "system_job_runs", job=name, started_us=number, ended_us=number, ok=ok, result="",
            error=None if ok else "the disk is full",
        )  # fmt: skip

    [finding] = examined(database).broken

    assert finding.rule == doctor.JOBS_WORK
    [job] = finding.broken
    assert (job.row, job.detail) == ("job retention", "it failed the last time: the disk is full")
    database.add("system_job_runs", job="retention", started_us=9, ended_us=9, ok=True, result="")
    assert broken(examined(database)) == {}


def test_of_many_spoiled_rows_a_few_are_shown_and_all_counted(file: SickDatabase) -> None:
    for number in range(30):
        file.add_run(f"run {number}", "COMPLETED", ended_us=None)

    [finding] = examined(file).broken

    assert (len(finding.broken), finding.count) == (doctor.MOST_SHOWN, 30)


def test_a_run_that_changed_just_now_moves(file: SickDatabase) -> None:
    file.add_run("new", "QUEUED", updated_us=NOW_US - SECOND_US)

    assert examined(file).still == ()


def test_the_doctor_cannot_write(database: SickDatabase) -> None:
    with pytest.raises(Unavailable, match=r"read-?only"), reading(database.place) as connection:
        connection.exec_driver_sql("DELETE FROM graphs")


def test_no_database_and_no_true_database_have_their_sentence(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("hello" * 1000, encoding="utf-8")

    with pytest.raises(NotFound, match="There is no database at"), opened(tmp_path / "none"):
        pass
    with (
        pytest.raises(Unavailable, match="file is not a database"),
        opened(tmp_path / "other") as records,
    ):
        records.rows()


def test_the_dialect_of_the_settings_reads_the_schedules(file: SickDatabase) -> None:
    sunday_us = NOW_US + 2 * 24 * 3600 * SECOND_US
    # No weekday has this number where 0 is Monday.
    file.do("UPDATE schedules SET cron = '0 9 * * 7', next_us = ?", sunday_us)
    alive = Alive(
        executor=True, scheduler=True, notifications=True, slots=1, dialect=Dialect.AUTOGPT
    )

    assert broken(examined(file)) == {}
    assert list(broken(examined(file, alive))) == [doctor.SCHEDULES_READABLE]


def run_doctor(data: Path, *arguments: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, ["doctor", "--data-dir", str(data), *arguments])
    return ended.exit_code, ended.stdout, ended.stderr


def test_the_command_tells_people_and_programs_the_same(file: SickDatabase, tmp_path: Path) -> None:
    file.do("UPDATE graphs SET is_active = true")
    file.add_run("still", "QUEUED")

    code, text, _ = run_doctor(tmp_path)
    as_json = run_doctor(tmp_path, "--json")

    assert code == as_json[0] == 1
    assert "BROKEN  At most one version of a graph is active.\n" in text
    assert "        graph graph: 2 versions of it are active\n" in text
    assert "still   run still (QUEUED): Nobody works on it:" in text
    assert text.endswith(f"{STEPS - 1} of {STEPS} rules hold.\n")
    found = json.loads(as_json[1])
    assert found["ok"] is False
    assert [one["rule"] for one in found["rules"] if one["count"]] == [SENTENCES[Rule.ONE_ACTIVE]]
    assert found["still"][0]["execution"] == "still"


def test_a_database_at_another_step_is_not_examined(file: SickDatabase, tmp_path: Path) -> None:
    file.do("UPDATE alembic_version SET version_num = '9999'")

    code, text, errors = run_doctor(tmp_path)

    assert (code, text) == (1, "")
    assert "made by a newer agpt-server" in errors


def test_no_bar_is_shown_where_nobody_looks(
    file: SickDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LONG_WORK_ROWS", 0)

    assert run_doctor(tmp_path) == (0, f"{STEPS} of {STEPS} rules hold.\n", "")


def test_everything_is_left_as_it_was(file: SickDatabase, tmp_path: Path) -> None:
    before = file.dump()
    run_doctor(tmp_path)

    assert file.dump() == before


def test_a_bar_is_shown_to_somebody_who_looks_at_long_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shown(rows: int) -> str:
        reader, terminal = os.openpty()
        with os.fdopen(terminal, "w", encoding="utf-8") as looked_at:
            monkeypatch.setattr("sys.stderr", looked_at)
            with command._progress(STEPS, rows) as step:
                step(SENTENCES[Rule.STATS])
            looked_at.write(".")
            looked_at.flush()
            text = os.read(reader, 65536).decode()
        os.close(reader)
        return text

    assert shown(command.LONG_WORK_ROWS - 1) == "."
    assert f"{command.LONG_WORK_ROWS:,} rows" in shown(command.LONG_WORK_ROWS)
